// SPDX-License-Identifier: Apache-2.0
// A task whose steps are written down beforehand, wholly or in part: what such a program may ask of the session that runs it.
// Its steps go the way of the model's: limits, look, gate, approval, second look, input, settle, verify, record.
#pragma once

#include "agent/policy.h"
#include "agent/step.h"
#include "agent/step_sink.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/image.h"
#include "engine/chat.h"
#include "platforms/platform.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct TaskEnd {
    TaskOutcome outcome = TaskOutcome::Failed;
    std::string message;
};

/// The screen at one moment.
struct Look {
    Screenshot shot;
    std::vector<Element> elements;
};

/// The "rung" of a step that no target was found for: it only moved the pointer out of the way, and is no part of the task.
inline constexpr const char* kAsideRung = "aside";

/// What one step would do, in target pixels, and for the record why.
struct Proposal {
    Action action;
    std::string summary;    ///< for a person: `click "Save"`
    std::string found_json; ///< how the target was found; one JSON object, or empty
};
/// Names an action for what is seen. An Error: nothing is done, and the step tells it.
using Propose = std::function<Result<Proposal>(const Look& look)>;

/// What came of a step.
struct StepEnd {
    std::optional<TaskEnd> over;  ///< the task is over: stopped, or a limit; nothing more may be asked of the hands
    std::optional<Error> not_proposed; ///< what `propose` said instead of an action
    GateDecision gate;
    ActionResult result;
    std::string interrupted;      ///< who took the target away half-way; empty: nobody
};

/// A goal within a program, for the model.
struct Pursuit {
    std::string goal_utf8;
    Budget budget;  ///< within that of the task
    /// Looked at before the first step and after each; true: the goal is reached, whatever the model says. May be empty.
    std::function<Result<bool>()> is_reached;
};

/// What the model would do first towards a goal. Nothing was done.
struct Suggestion {
    Look look;               ///< the screen that it saw
    std::optional<Point> at; ///< where, in target pixels; unset: its action has no place
    std::string call;        ///< as the model wrote it
    std::string called;      ///< what it says that is; empty: it does not say
};

/// A question to the model beside its steps.
struct ModelQuestion {
    std::string prompt;     ///< a file of prompts/questions: "whether", "value", "where"
    std::string words_utf8; ///< what is asked
    Image picture;
    SamplingOptions sampling = {};
};

/// Of the session, lent to a program while it runs. One thread. An Error from any of these: the record could not be written, the
/// program must end with it.
class Hands {
public:
    virtual ~Hands() = default;

    /// One step.
    virtual Result<StepEnd> act(const Propose& propose) = 0;
    /// The model's steps until it says that it is done, the goal is seen to be reached, or a limit.
    virtual Result<TaskEnd> pursue(const Pursuit& pursuit) = 0;
    /// The screen now; an Error is the platform's.
    virtual Result<Look> look() = 0;
    /// Waits for the screen to be still, or for `deadline`; sooner when the task is over.
    virtual void wait(const SettleOptions& options) = 0;
    /// Recorded with the prompt's name, and its tokens count.
    virtual Result<Completion> ask_model(const ModelQuestion& question) = 0; // an Error may be the model's, too
    /// Asks the model for one action and does not perform it; recorded, and its tokens count. ParseFailed and what resolve() says for an
    /// answer that is no action on this screen; an Error may be the platform's or the model's, too.
    virtual Result<Suggestion> suggest(const std::string& goal_utf8) = 0;
    /// One question to a person; nullopt: nobody answered.
    virtual Result<std::optional<std::string>> ask_person(const std::string& question_utf8, const std::vector<std::string>& choices) = 0;
    /// Adds an event of the program's own to the record: docs/events.md, "Task files".
    virtual Result<void> tell(std::string type, std::string data_json, std::vector<Blob> blobs = {}) = 0;
    /// The picture of now, secrets painted over; to be stored with an event. An Error is the platform's.
    virtual Result<Blob> keep_picture(std::optional<Rect> area) = 0;
    /// Set once the task is over: stopped, or a limit. Waits first while the task is paused or somebody else has the target.
    virtual Result<std::optional<TaskEnd>> over() = 0;
    /// From now on what both allow, within both budgets, until restored; counts of rules go on. InvalidArgument as check_policy().
    virtual Result<void> narrow(const Policy& policy, const Budget& budget) = 0;
    virtual void restore() = 0;
    /// Steps of the task so far: its own and the model's.
    [[nodiscard]] virtual int steps() const = 0;
    virtual Platform& platform() = 0;
    virtual Clock& clock() = 0;
};

class Program {
public:
    virtual ~Program() = default;
    /// An Error only as a Hands gave it.
    virtual Result<TaskEnd> run(Hands& hands) = 0;
};

} // namespace handeye
