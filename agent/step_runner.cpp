// SPDX-License-Identifier: Apache-2.0
#include "agent/step_runner.h"

#include "agent/step_stage.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace handeye {

Result<void> EventLog::emit(SessionEvent event) {
    const Stopwatch watch(clock_, time_);
    event.mono = clock_.now();
    event.wall = clock_.wall_now();
    TRY(sink_.on_event(redactor_.redacted(std::move(event))));
    return {};
}

StepRunner::StepRunner(Borrowed borrowed, PolicyGate gate, int task, std::stop_token stop) : with_(borrowed), at_{task, 0, 1}, stop_(std::move(stop)) {
    gates_.push_back(std::move(gate));
    allowances_.push_back({with_.options.budget, 0, 0, with_.clock.now()});
}

bool StepRunner::is_out_of_time() const {
    const TimePoint now = with_.clock.now();
    return std::any_of(allowances_.begin(), allowances_.end(), [now](const Allowance& allowance) { return allowance.is_out_of_time(now); });
}

std::int64_t StepRunner::tokens_left() const {
    std::int64_t left = std::numeric_limits<std::int64_t>::max();
    for (const Allowance& allowance : allowances_) {
        left = std::min(left, allowance.budget.tokens_max - (tokens_ - allowance.tokens_before));
    }
    return left;
}

StageResult StepRunner::check_limits() {
    if (stop_.stop_requested()) {
        return end(TaskOutcome::Stopped, "stopped");
    }
    for (const Allowance& allowance : allowances_) {
        if (std::optional<TaskEnd> over = TRY(check_allowance(allowance))) {
            return over;
        }
    }
    return go_on();
}

void StepRunner::narrow(PolicyGate gate, const Budget& budget) {
    gates_.push_back(std::move(gate));
    allowances_.push_back({budget, at_.step, tokens_, with_.clock.now()});
}

void StepRunner::leave_out(Duration waited) {
    for (Allowance& allowance : allowances_) {
        allowance.start += waited;
    }
}

void StepRunner::restore() {
    gates_.pop_back();
    allowances_.pop_back();
}

StageResult StepRunner::check_allowance(const Allowance& allowance) {
    const Budget& budget = allowance.budget;
    const auto exceeded = [this](std::string_view name, double used, double limit, std::string message) -> StageResult {
        TRY(with_.log.emit(events::budget_exceeded(at_, name, used, limit)));
        return end(TaskOutcome::BudgetExceeded, std::move(message));
    };
    if (const int used = at_.step - allowance.steps_before; used >= budget.steps_max) {
        return exceeded("steps", used, budget.steps_max, budget.steps_max == 1 ? "the one step is used" : fmt::format("all {} steps are used", budget.steps_max));
    }
    if (const std::int64_t used = tokens_ - allowance.tokens_before; used >= budget.tokens_max) {
        return exceeded("tokens", static_cast<double>(used), static_cast<double>(budget.tokens_max),
                        fmt::format("{} tokens are used, the limit is {}", used, budget.tokens_max));
    }
    if (const TimePoint now = with_.clock.now(); allowance.is_out_of_time(now)) {
        const Duration used = now - allowance.start;
        const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
        return exceeded("wall_ms", ms(used), ms(budget.wall_max),
                        fmt::format("{:.1f} s are used, the limit is {:.1f} s", ms(used) / 1e3, ms(budget.wall_max) / 1e3));
    }
    return go_on();
}

void StepRunner::begin_goal(const Pursuit& pursuit) {
    goal_ = pursuit.goal_utf8;
    history_ = History();
    detector_ = {};
    answer_.clear();
    parse_failures_ = denials_ = acted_ = effects_ = 0;
    left_undone_.clear();
    allowances_.push_back({pursuit.budget, at_.step, tokens_, with_.clock.now()});
}

Result<TaskEnd> StepRunner::pursue(const Pursuit& pursuit) {
    begin_goal(pursuit);
    Result<std::optional<TaskEnd>> over = std::optional<TaskEnd>();
    while (over && !*over) {
        over = run_step(pursuit);
    }
    allowances_.pop_back();
    return over ? Result<TaskEnd>(**std::move(over)) : over.error();
}

Result<Step> StepRunner::begin_step() {
    ++at_.step;
    at_.attempt = 1;
    approval_ = {};
    focus_.reset();
    drop_.reset();
    encode_time_ = {};
    [[maybe_unused]] const Duration earlier = with_.log.take_time(); // belongs to the step before
    Step step;
    step.index = at_.step;
    TRY(with_.log.emit(events::task_step_started(at_)));
    return step;
}

StageResult StepRunner::run_step(const Pursuit& pursuit) {
    if (std::optional<TaskEnd> over = TRY(wait_for_turn())) {
        return over;
    }
    if (pursuit.is_reached && TRY(pursuit.is_reached())) {
        return end(TaskOutcome::Done, "the goal is seen to be reached");
    }
    if (std::optional<TaskEnd> over = TRY(check_limits())) {
        return over;
    }
    Step step = TRY(begin_step());
    for (const auto stage : {&StepRunner::observe, &StepRunner::ask, &StepRunner::act}) {
        if (std::optional<TaskEnd> over = TRY((this->*stage)(step))) {
            TRY(finish(step, ""));
            return over;
        }
        if (is_taken()) {
            step.interrupted = hold_name(with_.options.control->hold());
            TRY(finish(step, ""));
            return go_on(); // what was seen is old: look again when it is the agent's turn
        }
    }
    std::optional<TaskEnd> over = conclude(step);
    const StuckVerdict verdict = over ? StuckVerdict() : TRY(suspect(step));
    if (verdict.level == StuckLevel::Stuck) {
        over = TaskEnd{TaskOutcome::Stuck, verdict.message};
    }
    TRY(finish(step, verdict.message));
    return over;
}

Result<StepEnd> StepRunner::run_proposed(const Propose& propose) {
    StepEnd out;
    for (const auto gate : {&StepRunner::wait_for_turn, &StepRunner::check_limits}) {
        if ((out.over = TRY((this->*gate)()))) {
            return out;
        }
    }
    Step step = TRY(begin_step());
    out.over = TRY(observe(step));
    if (!out.over && !is_taken()) {
        TRY(take_proposal(step, propose, out));
    }
    if (step.parsed && !is_taken()) {
        out.over = TRY(act(step));
    }
    if (is_taken()) {
        step.interrupted = hold_name(with_.options.control->hold());
    }
    TRY(finish(step, ""));
    out.gate = step.gate;
    out.result = step.result;
    out.interrupted = step.interrupted;
    return out;
}

Result<void> StepRunner::take_proposal(Step& step, const Propose& propose, StepEnd& end) {
    const Stopwatch watch(with_.clock, step.timings.parse);
    Result<Proposal> proposal = propose({step.seen, elements_});
    if (!proposal) {
        step.parse_error = proposal.error().message;
        end.not_proposed = proposal.error();
        return with_.log.emit(events::action_not_recognised(at_, step.parse_error));
    }
    picture_ = step.seen.image.size();
    ParsedReply parsed;
    parsed.action = std::move(proposal->action);
    parsed.dialect = Dialect::Canonical;
    parsed.call = proposal->summary;
    hide_password(step, parsed.action);
    step.parsed = std::move(parsed);
    step.confidence = 1; // no model guessed it
    return with_.log.emit(events::action_proposed(at_, *step.parsed, proposal->found_json));
}

// What the finished step means for the task; unset: go on.
std::optional<TaskEnd> StepRunner::conclude(const Step& step) {
    if (!step.parsed) {
        const int limit = allowances_.back().budget.parse_failures_max;
        return ++parse_failures_ < limit
                   ? std::nullopt
                   : std::optional(TaskEnd{TaskOutcome::ParseFailures, fmt::format("{} answers in a row held no action", limit)});
    }
    parse_failures_ = 0;
    if (step.gate.gate == Gate::Deny) {
        left_undone_ = "was refused";
        return ++denials_ < kDenialsMax
                   ? std::nullopt
                   : std::optional(TaskEnd{TaskOutcome::Denied, fmt::format("policy refused {} actions in a row: {}", kDenialsMax, step.gate.reason)});
    }
    denials_ = 0;
    const Action& action = step.parsed->action;
    const bool is_cut_short = step.result.certainty == Certainty::Partial || !step.interrupted.empty();
    const std::string left_undone = std::exchange(left_undone_, step.result.certainty == Certainty::Refused ? "was refused" : is_cut_short ? "was only partly done" : "");
    if (!step.plan.ops.empty()) {
        ++acted_;
        effects_ += step.result.certainty == Certainty::Confirmed || step.result.certainty == Certainty::Unverifiable ? 1 : 0;
    }
    if (const auto* said = std::get_if<Answer>(&action)) {
        answer_ = said->text_utf8;
        return said->ends_task ? std::optional(TaskEnd{TaskOutcome::Done, "the model answered"}) : std::nullopt;
    }
    if (const auto* asked = std::get_if<AskUser>(&action)) {
        return TaskEnd{TaskOutcome::NeedsPerson, asked->question_utf8.empty() ? "the model asks for a person" : asked->question_utf8};
    }
    if (const auto* finished = std::get_if<Finish>(&action)) {
        const bool is_done = finished->verdict == Verdict::Success;
        if (is_done && (!left_undone.empty() || (acted_ > 0 && effects_ == 0))) {
            return TaskEnd{TaskOutcome::Unconfirmed,
                           fmt::format("the model says that the goal is reached, but {}", left_undone.empty() ? "no action had an effect that was seen" : "its last action " + left_undone)};
        }
        const std::string fallback = is_done ? "the model says that the goal is reached" : "the model says that it cannot be done";
        return TaskEnd{is_done ? TaskOutcome::Done : TaskOutcome::Infeasible,
                       finished->message_utf8.empty() ? fallback : finished->message_utf8};
    }
    return std::nullopt;
}

Result<StuckVerdict> StepRunner::suspect(Step& step) {
    StuckVerdict verdict;
    if (step.parsed) {
        StepFact fact = make_fact(step.parsed->action);
        const bool is_refused = step.gate.gate == Gate::Deny || step.result.certainty == Certainty::Refused;
        fact.error = is_refused ? fmt::format("{}{}", step.gate.reason, step.result.reason) : "";
        const Stopwatch watch(with_.clock, step.timings.verify);
        fact.after = sign_screen(step.after ? step.after->image : step.seen.image);
        verdict = detector_.add(std::move(fact));
    }
    if (verdict.level != StuckLevel::None) {
        TRY(with_.log.emit(events::loop_suspected(at_, verdict)));
    }
    return verdict;
}

Result<void> StepRunner::finish(Step& step, const std::string& nudge) {
    const std::string observation = describe_effect(step, nudge);
    if (step.interrupted.empty() || step.result.events_sent > 0) {
        const Stopwatch watch(with_.clock, step.timings.render); // its half-size picture belongs to the next prompt
        history_.add(step, observation);
    }
    step.timings.record = with_.log.take_time() + encode_time_;
    return with_.log.emit(events::task_step_finished(at_, step, observation, tokens_));
}

} // namespace handeye
