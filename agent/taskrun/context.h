// SPDX-License-Identifier: Apache-2.0
// What every part of a running task file works with. Inside this folder only.
#pragma once

#include "agent/compile.h"
#include "agent/locate/locate.h"
#include "agent/program.h"
#include "agent/taskfile/load.h"
#include "agent/taskrun/disk_view.h"
#include "agent/taskrun/result.h"
#include "agent/taskrun/values.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace handeye::taskrun {

using taskfile::Node;
class Healer;

/// A value, or why there is none.
template <class T>
using Attempt = std::variant<T, Failure>;
/// Unset: it is done.
using Outcome = std::optional<Failure>;

/// One file at work, with the variables that it was given.
struct Frame {
    const taskfile::Loaded& file;
    Values values;
};

/// A goal that was reached by the model and whose path is to be kept.
struct ReachedGoal {
    std::filesystem::path path; ///< of the file to write
    std::string goal_utf8;
    std::map<std::string, std::string> values; ///< of what the goal's words refer to
    StepRange steps;
};

struct Context {
    Hands& hands;
    Locator& locator;
    const taskfile::LoadedFiles& files;
    DiskView disk = DiskView();
    std::vector<Frame> frames = {};  ///< the innermost last
    StepRecord* record = nullptr;    ///< of the step at work
    bool wants_effect = false;       ///< of the step at work: the screen must change
    WallTime task_started{};
    WallTime step_started{};
    bool pointer_is_placed = false;  ///< the step before put it where it is on purpose
    std::vector<ReachedGoal> reached = {};
    Healer* healer = nullptr;        ///< nullptr: what is not found stays so
    std::optional<Error> broken = {};///< the record could not be written: everything ends

    [[nodiscard]] Frame& frame() { return frames.back(); }
    [[nodiscard]] Values& values() { return frames.back().values; }

    /// Everything ends.
    Failure give_up(Error error) {
        broken = std::move(error);
        return {FailureKind::Over, broken->message};
    }
    /// Set when the task is over.
    Outcome check_over() {
        Result<std::optional<TaskEnd>> over = hands.over();
        if (!over) {
            return give_up(over.error());
        }
        return *over ? Outcome(Failure{FailureKind::Over, (*over)->message, (*over)->outcome}) : std::nullopt;
    }
    /// Looks again and again; `within` from now. True: done.
    template <class Look>
    Attempt<bool> until(Duration within, const Look& is_so) {
        TimePoint deadline = hands.clock().now() + within;
        for (;;) {
            Attempt<bool> now = is_so();
            if (std::holds_alternative<Failure>(now) || std::get<bool>(now)) {
                return now;
            }
            const TimePoint before = hands.clock().now();
            if (Outcome over = check_over()) {
                return *std::move(over);
            }
            deadline += hands.clock().now() - before; // while a person had the target, or the task was paused, nothing was waited for
            const Duration left = deadline - hands.clock().now();
            if (left <= Duration::zero()) {
                return false;
            }
            hands.wait({std::min<Duration>(left, std::chrono::milliseconds(150)), std::min<Duration>(left, std::chrono::milliseconds(400))});
        }
    }
};

inline Failure fail(FailureKind kind, std::string message) { return {kind, std::move(message)}; }
/// Of a value in the file that is only known now to be wrong.
inline Failure fail(const Error& error) {
    return {error.code == ErrorCode::PermissionDenied ? FailureKind::Refused : FailureKind::Failed, error.message};
}

/// Of a file that sets none: a bound for what runs away, not for work.
inline Budget program_budget() {
    Budget budget;
    budget.steps_max = 10'000;
    return budget;
}

/// The duration of a key, or what holds without it.
Duration duration_of(const Node& map, std::string_view key, Duration otherwise);
std::int64_t integer_of(const Node& map, std::string_view key, std::int64_t otherwise);

} // namespace handeye::taskrun
