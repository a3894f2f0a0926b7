// SPDX-License-Identifier: Apache-2.0
// The loop: observe, render, generate, parse, resolve, gate, execute, verify, record; until done, stopped or out of budget.
#pragma once

#include "agent/approval.h"
#include "agent/control_state.h"
#include "agent/policy.h"
#include "agent/program.h"
#include "agent/redactor.h"
#include "agent/step.h"
#include "agent/step_sink.h"
#include "base/clock.h"
#include "base/result.h"
#include "engine/chat_model.h"
#include "platforms/platform.h"
#include "prompts/render.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

struct SessionOptions {
    std::string session_id;               ///< ULID; empty: one is made
    std::string prompt;                   ///< prompt folder; empty: ChatModel::info().prompt
    std::optional<Surface> surface;       ///< unset: what the prompt speaks of on this platform (default_surface())
    Budget budget;
    Policy policy;
    SamplingOptions sampling;             ///< greedy by default
    SamplingOptions retry_sampling{.temperature = 0.8}; ///< for the one retry after an answer without an action
    int max_new_tokens = 8192;
    std::optional<int> thinking_budget = 4096;
    SettleOptions settle;
    RenderOptions render;
    std::string model_digest;             ///< recorded
    AskForApproval ask;                   ///< empty: what would need an approval is denied
    Duration approval_ttl = std::chrono::minutes(5);
    bool constrains_answers = true;       ///< hold each action to the grammar of its dialect
    double zoom_below = 0;                ///< a click less certain than this is asked for again on a closer look; 0: never
    bool checks_target = true;            ///< look at the target again right before a button goes down
    std::shared_ptr<ControlState> control; ///< who may act; empty: always the agent
    std::function<void(std::string_view state)> on_state; ///< as task.state tells it; may be empty
    std::function<std::vector<std::string>()> take_notes; ///< what a person has added to the goal since the last step; may be empty
    std::shared_ptr<const SecretGrants> secrets; ///< whose names the model is told; a SecretPlatform puts the values in; may be empty
    std::shared_ptr<Redactor> redactor;   ///< empty: one of the session's own
    /// Puts a program's question to a person; empty, or nullopt: nobody answers.
    std::function<std::optional<std::string>(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop)> ask_text;
    OnText on_text;                       ///< each piece of an answer as it comes, for a live view; may be empty
};

/// Borrows platform, model, clock and sink for its own lifetime. One thread runs it; stop comes through the token.
class Session {
public:
    static Result<std::unique_ptr<Session>> create(SessionOptions options, Platform& platform, ChatModel& model, Clock& clock,
                                                   StepSink& sink);
    virtual ~Session() = default;

    /// Runs one task to its end and emits its events (docs/events.md; session.opened first, once). A session may run several
    /// tasks, one after the other; session.closed follows when it is destroyed. Stops within one injected event and one
    /// decoded token; the wall-time budget is checked at each piece of an answer and between stages. Nothing stays pressed on any way out. An Error only when the sink failed; everything else is a TaskReport.
    virtual Result<TaskReport> run_task(const std::string& goal_utf8, std::stop_token stop) = 0;
    /// The same for a program of steps; `name` is told as the task's goal.
    virtual Result<TaskReport> run_program(const std::string& name, Program& program, std::stop_token stop) = 0;
    /// Limits and surface of the tasks that follow; InvalidArgument as in create(). Not while a task runs.
    virtual Result<void> configure(const Budget& budget, const Policy& policy, std::optional<Surface> surface) = 0;
    [[nodiscard]] virtual const std::string& id() const = 0;
};

} // namespace handeye
