// SPDX-License-Identifier: Apache-2.0
// Sends the events of a plan one by one, then looks at what came of them.
#include "actions/execute.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr int kLandedTolerancePx = 1;
constexpr std::string_view kSecretMark = "{{secret:";

bool is_gone(const Error& error) {
    return error.code == ErrorCode::Unavailable;
}

/// Whether the picture is expected to change: moving the pointer and waiting need not change it.
bool expects_change(const Plan& plan) {
    return std::ranges::any_of(plan.ops, [](const Op& op) {
        const auto* event = std::get_if<InputEvent>(&op);
        return event != nullptr ? !std::holds_alternative<PointerMove>(*event) : !std::holds_alternative<Pause>(op);
    });
}

/// The first `characters` of `rest` (0: all), which loses them.
std::string_view take_piece(std::string_view& rest, std::size_t characters) {
    std::size_t end = 0;
    for (std::size_t count = 0; end < rest.size(); ++end) {
        const bool is_begin = (static_cast<unsigned char>(rest[end]) & 0xC0U) != 0x80U;
        if (is_begin && characters > 0 && count++ == characters) {
            break;
        }
    }
    const std::string_view piece = rest.substr(0, end);
    rest.remove_prefix(end);
    return piece;
}

/// Releases what is pressed when it leaves the scope, whatever the way out.
class ReleaseGuard {
public:
    explicit ReleaseGuard(Platform& platform) : platform_(platform) {}
    ReleaseGuard(const ReleaseGuard&) = delete;
    ReleaseGuard& operator=(const ReleaseGuard&) = delete;
    ~ReleaseGuard() {
        if (!is_done_) {
            static_cast<void>(platform_.release_all()); // on an error's way out that error says more
        }
    }
    Result<void> release() {
        is_done_ = true;
        return platform_.release_all();
    }

private:
    Platform& platform_;
    bool is_done_ = false;
};

class Executor {
public:
    Executor(const Plan& plan, Platform& platform, Clock& clock, std::stop_token stop)
        : plan_(plan), platform_(platform), clock_(clock), stop_(std::move(stop)) {}

    Result<ActionResult> run(const ExecuteOptions& options) {
        options_ = &options;
        const SettleOptions& settle_options = options.settle;
        const TimePoint start = clock_.now();
        result_.route = plan_.ops.empty() ? "" : "events";
        TRY(send_all());
        result_.input_time = clock_.now() - start;
        if (plan_.ops.empty()) {
            return result_;
        }
        TRY(read_pointer_back());
        if (!stop_.stop_requested()) {
            TRY(settle(settle_options));
        }
        judge();
        return std::move(result_);
    }

private:
    Result<void> send_all() {
        ReleaseGuard guard(platform_);
        // On the thread that asks for the stop: this one may be waiting for anything.
        const std::stop_callback let_go(stop_, [this] { static_cast<void>(platform_.release_all()); });
        for (const Op& op : plan_.ops) {
            if (stop_.stop_requested()) {
                give_up(Certainty::Partial, "stopped");
                break;
            }
            const Result<void> done = perform(op);
            if (options_->after) {
                options_->after(); // before anything else: what the question has frozen thaws here
            }
            TRY(Result<void>(done));
            if (is_over_) {
                break;
            }
        }
        const Result<void> released = guard.release();
        if (!released) {
            if (is_gone(released.error())) {
                return released.error();
            }
            give_up(Certainty::Partial, fmt::format("not all input was taken, and something may still be pressed: {}", released.error().message));
        }
        return {};
    }

    Result<void> perform(const Op& op) {
        TRY(ask_before(op));
        return is_over_ ? Result<void>() : std::visit([this](const auto& o) { return send(o); }, op);
    }

    Result<void> ask_before(const Op& op) {
        if (!options_->before) {
            return {};
        }
        const Result<void> answer = options_->before(op);
        if (answer && stop_.stop_requested()) { // the question took its time
            give_up(Certainty::Partial, "stopped");
        }
        return answer ? Result<void>() : failed(answer.error());
    }

    void give_up(Certainty certainty, std::string reason) {
        is_over_ = true;
        result_.certainty = certainty;
        result_.reason = std::move(reason);
    }
    Result<void> failed(const Error& error) {
        if (is_gone(error)) {
            return error;
        }
        give_up(result_.events_sent > 0 ? Certainty::Partial : Certainty::Refused, error.message);
        return {};
    }

    Result<void> send(const InputEvent& event) {
        const Result<void> sent = platform_.inject_unless_stopped(event, stop_);
        if (!sent && stop_.stop_requested() && !is_gone(sent.error())) {
            give_up(Certainty::Partial, "stopped");
            return {};
        }
        if (!sent) {
            return failed(sent.error());
        }
        ++result_.events_sent;
        if (const auto* move = std::get_if<PointerMove>(&event)) {
            last_move_ = move->to;
        }
        return {};
    }

    Result<void> send(const Pause& pause) {
        if (clock_.sleep_for(pause.duration, stop_) == WaitResult::Stopped) {
            give_up(Certainty::Partial, "stopped");
        }
        return {};
    }

    Result<void> send(const TypeOp& op) {
        std::string_view rest = op.text_utf8;
        std::size_t typed = 0;
        // A text with secrets goes whole: its names are looked up before any of it is typed, and whoever types it looks on (secret_platform.h).
        const std::size_t piece_characters = rest.find(kSecretMark) == std::string_view::npos ? options_->piece_characters : 0;
        for (;;) {
            const std::string_view piece = take_piece(rest, piece_characters);
            typed += TRY(type(piece, typed));
            if (is_over_ || rest.empty()) {
                return {};
            }
            TRY(ask_before(op));
            if (is_over_) {
                result_.reason += fmt::format(" (after {} characters)", typed);
                return {};
            }
        }
    }

    /// How many characters of the piece went; `before`: of the same text.
    Result<std::size_t> type(std::string_view piece, std::size_t before) {
        const Result<TextResult> typed = platform_.type_text(piece, stop_);
        if (!typed) {
            TRY(failed(typed.error()));
            return std::size_t{0};
        }
        result_.events_sent += before == 0 ? 1 : 0;
        result_.route = typed->route;
        switch (typed->certainty) {
        case Certainty::Confirmed: is_confirmed_ = true; break;
        case Certainty::Unverifiable: break;
        case Certainty::SuspectedNoop:
        case Certainty::Partial:
        case Certainty::Refused: // what follows (Return) would act on text that is not there
            give_up(before == 0 ? typed->certainty : Certainty::Partial,
                    before == 0 ? typed->reason : fmt::format("{} (after {} characters)", typed->reason, before));
            break;
        }
        return typed->characters_sent;
    }

    Result<void> send(const Command& command) {
        const Result<void> done = platform_.perform(command);
        if (!done) {
            return failed(done.error());
        }
        result_.route = "command";
        ++result_.events_sent;
        return {};
    }

    Result<void> read_pointer_back() {
        Result<std::optional<Point>> pointer = platform_.pointer();
        if (!pointer) {
            if (is_gone(pointer.error())) {
                return pointer.error();
            }
            return {}; // unknown, which `landed` says
        }
        result_.landed = *pointer;
        return {};
    }

    Result<void> settle(const SettleOptions& options) {
        const TimePoint start = clock_.now();
        Result<Settled> settled = platform_.settle(options, stop_);
        result_.settle_time = clock_.now() - start;
        if (settled) {
            result_.settled = *settled;
            has_settled_ = true;
            return {};
        }
        if (is_gone(settled.error())) {
            return settled.error();
        }
        return {};
    }

    /// Evidence only: an effect is confirmed by what was read back, never by the absence of errors.
    void judge() {
        if (is_over_) {
            return;
        }
        const auto& landed = result_.landed;
        if (last_move_ && landed &&
            (std::abs(landed->x - last_move_->x) > kLandedTolerancePx || std::abs(landed->y - last_move_->y) > kLandedTolerancePx)) {
            give_up(Certainty::Partial, fmt::format("the pointer is at ({}, {}), not at ({}, {})", landed->x, landed->y,
                                                    last_move_->x, last_move_->y));
            return;
        }
        if (is_confirmed_) {
            result_.certainty = Certainty::Confirmed;
            return;
        }
        if (has_settled_ && !result_.settled.has_changed && expects_change(plan_)) {
            result_.certainty = Certainty::SuspectedNoop;
            result_.reason = "the picture did not change";
            return;
        }
        result_.certainty = Certainty::Unverifiable;
    }

    const Plan& plan_;
    Platform& platform_;
    Clock& clock_;
    std::stop_token stop_;
    const ExecuteOptions* options_ = nullptr;
    ActionResult result_;
    std::optional<Point> last_move_;
    bool is_over_ = false;
    bool is_confirmed_ = false;
    bool has_settled_ = false;
};

} // namespace

Result<ActionResult> execute(const Plan& plan, Platform& platform, Clock& clock, const ExecuteOptions& options,
                             std::stop_token stop) {
    return Executor(plan, platform, clock, std::move(stop)).run(options);
}

} // namespace handeye
