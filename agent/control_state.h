// SPDX-License-Identifier: Apache-2.0
// Who may act on a session's target right now: the agent, a person, a script, or nobody. Shared by the session's thread and
// whoever controls it. What takes the target away from the agent does so within one injected event and one decoded token: the
// agent holds a stop token for as long as it may act, drops what it was doing when that is requested, and looks again before it
// goes on.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye {

/// Why the agent may not act.
enum class Hold { None, Paused, Human, Script };
std::string_view hold_name(Hold hold);

enum class LeaseMode { Human, Script };
struct Lease {
    std::string id;
    LeaseMode mode = LeaseMode::Human;
    std::string by;
    TimePoint expires_at{};
};

struct ControlOptions {
    bool pauses_on_input = true;                        ///< a person's own mouse or keyboard holds the agent
    Duration input_idle = std::chrono::seconds(3);      ///< the agent goes on this long after their last input
};

/// All functions: any thread.
class ControlState {
public:
    explicit ControlState(Clock& clock, ControlOptions options = {}) : clock_(clock), options_(options) {}

    /// Until resume(). Also while no task runs: the next one then waits.
    void pause();
    void resume();
    /// Lets one step through, then holds again.
    void step();

    /// A person pre-empts anybody; a script only nobody (Overloaded otherwise, and while `is_busy`). `ttl` <= 0: until released.
    Result<Lease> acquire(LeaseMode mode, Duration ttl, std::string by, bool is_busy);
    /// NotFound when that lease is not the one that holds.
    Result<void> release(const std::string& lease);
    [[nodiscard]] std::optional<Lease> lease();
    /// Whether this lease may send input now; "" is the agent's, and anybody's where nothing holds.
    [[nodiscard]] bool may_act(const std::string& lease);
    /// A person touched mouse or keyboard. True when that took the target from the agent.
    bool human_input();

    [[nodiscard]] Hold hold();
    [[nodiscard]] bool is_paused();
    /// Requested as soon as the agent may not go on. Take a new one for each step.
    [[nodiscard]] std::stop_token running();

    /// Waits until the agent may act or `stop` is requested. `on_hold` hears each new reason to wait. Passes one step() on.
    WaitResult wait_until_free(const std::stop_token& stop, const std::function<void(Hold)>& on_hold);

private:
    [[nodiscard]] Hold hold_locked();
    void expire_locked();
    void changed_locked(std::stop_source& interrupted);
    [[nodiscard]] std::optional<TimePoint> next_expiry_locked() const;

    Clock& clock_;
    const ControlOptions options_;
    std::mutex mutex_; // guards everything below
    std::condition_variable_any changed_;
    bool is_paused_ = false;
    bool may_step_ = false;
    std::optional<Lease> lease_;
    std::optional<TimePoint> input_until_;
    std::uint64_t leases_ = 0;
    std::stop_source running_;
};

} // namespace handeye
