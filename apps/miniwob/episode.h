// SPDX-License-Identifier: Apache-2.0
// One episode: the page makes a problem of a seed, and a session of the agent's own loop works on it, from pixels to input, until the page
// says that it is over, the model says that it is done, or the steps are used up. What the page says counts, not what the model says.
#pragma once

#include "agent/session.h"
#include "agent/step_sink.h"
#include "apps/miniwob/devtools.h"
#include "apps/miniwob/tasks.h"
#include "base/clock.h"
#include "base/result.h"
#include "engine/chat_model.h"
#include "platforms/platform.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::miniwob {

/// How an episode ended. Only the first is success.
enum class Ending {
    Solved,      ///< the page's whole reward, 1
    Partial,     ///< over with a reward above 0 and below 1
    Wrong,       ///< over with 0 or less: a wrong click or value
    NotOver,     ///< the steps are used up
    SaidDone,    ///< the model says that it is done; the page does not
    SaidFail,    ///< the model says that it cannot be done, or asks for a person
    NoAction,    ///< answers that held no action
    Stuck,       ///< the same again without progress: the session ended it
    LeftPage,    ///< the page of the task is no longer there
    Broken,      ///< the page told nonsense, or an input could not be performed
};
/// "solved", "partial", "wrong", "not_over", "said_done", "said_fail", "no_action", "stuck", "left_page", "broken"
std::string_view ending_name(Ending ending);
std::optional<Ending> find_ending(std::string_view name);
std::span<const Ending> endings();

/// Where the time of an episode went, in seconds.
struct Profile {
    double open = 0;    ///< load the page and make the problem
    double capture = 0; ///< pictures, those of checks included
    double model = 0;
    double act = 0;     ///< input
    double settle = 0;
    double rest = 0;    ///< all else
    [[nodiscard]] double total() const { return open + capture + model + act + settle + rest; }
    void add(const Profile& other);
};

struct EpisodeResult {
    std::string task;
    std::uint64_t seed = 0;
    Ending ending = Ending::Broken;
    double raw_reward = 0;   ///< the page's, -1 to 1; 0 where it was not over
    int steps = 0;
    int model_calls = 0;
    std::int64_t tokens = 0; ///< of prompts and answers
    double seconds = 0;
    std::string reason;      ///< one sentence
    std::string goal;
    Profile profile;
};

/// The window of the package's own driver, in CSS pixels. Pages lay out by it: in a narrower one some put their dialogs out of sight.
inline constexpr Size kWindow{500, 320};

struct PlayerOptions {
    std::filesystem::path pages;        ///< the unpacked html/ of the package, absolute
    Size view{168, 210};                ///< what the model sees of the page, from its upper left corner on, in CSS pixels
    double scale = 2;                   ///< captured pixels of a CSS pixel
    std::string browser;                ///< the program; empty: the one that is installed
    SessionOptions session;             ///< without an id; of its budget the steps count
};

/// Events of a session, kept in memory until it is known whether they are wanted.
class EventBuffer final : public StepSink {
public:
    Result<std::uint64_t> on_event(const SessionEvent& event) override;
    [[nodiscard]] const std::vector<SessionEvent>& events() const { return events_; }
    /// As a recording, whole; `path` must not exist.
    Result<void> write(const std::filesystem::path& path, const std::string& session_id) const;

private:
    std::vector<SessionEvent> events_;
};

/// A browser of its own, and what plays in it. One thread; the model may be another's too.
class Player {
public:
    /// Opens a browser on the page of a task that is to be played.
    static Result<std::unique_ptr<Player>> open(const PlayerOptions& options, const Task& first, ChatModel& model, Clock& clock);
    virtual ~Player() = default;
    /// Cancelled when it was stopped; any other Error: the browser, the engine or this program failed, and the episode counts for nothing.
    virtual Result<EpisodeResult> play(const Task& task, std::uint64_t seed, const std::stop_token& stop) = 0;
    /// Of the last episode.
    [[nodiscard]] virtual const EventBuffer& events() const = 0;
    /// Whether the model said anything in it.
    [[nodiscard]] virtual bool has_asked() const = 0;
    [[nodiscard]] virtual const std::string& session_id() const = 0;
    /// "Chromium/156.0..."
    [[nodiscard]] virtual const std::string& browser() const = 0;
};

} // namespace handeye::miniwob
