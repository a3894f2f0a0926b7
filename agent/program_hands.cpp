// SPDX-License-Identifier: Apache-2.0
#include "agent/program_hands.h"

#include "base/log.h"

namespace handeye {

Result<StepEnd> ProgramHands::act(const Propose& propose) {
    StepEnd end;
    if (over_) {
        end.over = over_;
        return end;
    }
    end = TRY(runner_.run_proposed(propose));
    over_ = end.over;
    return end;
}

Result<TaskEnd> ProgramHands::pursue(const Pursuit& pursuit) {
    if (over_) {
        return *over_;
    }
    TaskEnd end = TRY(runner_.pursue(pursuit));
    if (end.outcome == TaskOutcome::Stopped) {
        over_ = end;
    }
    return end;
}

Result<Look> ProgramHands::look() { return runner_.look(); }

void ProgramHands::wait(const SettleOptions& options) {
    if (const Result<Settled> settled = with_.platform.settle(options, runner_.halt()); !settled) {
        log::debug("session", "waiting for the screen: " + settled.error().message); // the next look says what is wrong
        static_cast<void>(with_.clock.sleep_for(options.quiet, runner_.halt()));
    }
}

Result<Completion> ProgramHands::ask_model(const ModelQuestion& question) { return runner_.ask_aside(question); }

Result<Suggestion> ProgramHands::suggest(const std::string& goal_utf8) { return runner_.suggest(goal_utf8, TRY(look())); }

Result<std::optional<std::string>> ProgramHands::ask_person(const std::string& question_utf8, const std::vector<std::string>& choices) {
    const TimePoint begin = with_.clock.now();
    std::optional<std::string> answer = with_.options.ask_text ? with_.options.ask_text(question_utf8, choices, stop_) : std::nullopt;
    runner_.leave_out(with_.clock.now() - begin);
    return answer;
}

Result<void> ProgramHands::tell(std::string type, std::string data_json, std::vector<Blob> blobs) {
    SessionEvent event;
    event.type = std::move(type);
    event.data_json = std::move(data_json);
    event.blobs = std::move(blobs);
    event.durability = Durability::Written;
    return with_.log.emit(std::move(event));
}

Result<Blob> ProgramHands::keep_picture(std::optional<Rect> area) { return runner_.keep_picture(area); }

Result<std::optional<TaskEnd>> ProgramHands::over() {
    for (const auto gate : {&StepRunner::wait_for_turn, &StepRunner::check_limits}) {
        if (!over_) {
            over_ = TRY((runner_.*gate)());
        }
    }
    return over_;
}

Result<void> ProgramHands::narrow(const Policy& policy, const Budget& budget) {
    PolicyGate gate = TRY(PolicyGate::create(policy));
    runner_.narrow(std::move(gate), budget);
    return {};
}

} // namespace handeye
