// SPDX-License-Identifier: Apache-2.0
// From a proposed action to its effect: resolve, gate, ask a person where a rule says so, perform, look.
#include "agent/step_stage.h"
#include "agent/target_check.h"
#include "agent/window_facts.h"
#include "base/hash.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kRateWindow = std::chrono::minutes(1);

bool presses_button(const Plan& plan) {
    return std::any_of(plan.ops.begin(), plan.ops.end(), [](const Op& op) {
        const auto* event = std::get_if<InputEvent>(&op);
        return event != nullptr && std::holds_alternative<PointerButton>(*event);
    });
}

} // namespace

bool StepRunner::is_taken() const { return running_.stop_requested() && !stop_.stop_requested(); }

Result<void> StepRunner::tell_state(std::string_view state) {
    if (with_.options.on_state) {
        with_.options.on_state(state);
    }
    return with_.log.emit(events::task_state(at_.task, state));
}

// The agent's turn: not paused, and nobody else has the target. What a wait takes is not the task's time.
StageResult StepRunner::wait_for_turn() {
    ControlState* const control = with_.options.control.get();
    if (control == nullptr) {
        halt_ = std::make_unique<Halt>(stop_, running_);
        return go_on();
    }
    const TimePoint begin = with_.clock.now();
    std::optional<Error> broken;
    bool has_waited = false;
    const WaitResult waited = control->wait_until_free(stop_, [&](Hold hold) {
        has_waited = true;
        if (const Result<void> told = tell_state(hold_name(hold)); !told && !broken) {
            broken = told.error();
        }
    });
    leave_out(with_.clock.now() - begin);
    if (broken) {
        return *broken;
    }
    if (waited == WaitResult::Stopped) {
        return end(TaskOutcome::Stopped, "stopped");
    }
    if (has_waited) {
        TRY(tell_state("running"));
    }
    running_ = control->running();
    halt_ = std::make_unique<Halt>(stop_, running_);
    return go_on();
}

StageResult StepRunner::act(Step& step) {
    if (!step.parsed) {
        return go_on();
    }
    const Action& action = step.parsed->action;
    Result<Plan> plan = [&] {
        const Stopwatch watch(with_.clock, step.timings.resolve);
        return resolve(action, {picture_, step.seen.image.size(), elements_});
    }();
    if (!plan) {
        return refuse(step, plan.error().message);
    }
    step.plan = *std::move(plan);
    if (!step.plan.ops.empty()) {
        step.result.certainty = Certainty::Refused; // until it has been performed
        step.result.reason = "it was not begun";
    }
    TRY(decide(step));
    TRY(with_.log.emit(events::action_gated(at_, step.gate)));
    if (step.gate.gate == Gate::Ask) {
        if (std::optional<TaskEnd> over = TRY(ask_person(step))) {
            return over;
        }
    }
    if (step.gate.gate != Gate::Allow || step.plan.ops.empty() || is_taken()) {
        return go_on(); // denied, words, or not the agent's turn any more
    }
    if (std::optional<TaskEnd> over = TRY(check_rate(step))) {
        return over;
    }
    return execute_plan(step);
}

StageResult StepRunner::refuse(Step& step, std::string reason) {
    step.result.certainty = Certainty::Refused;
    step.result.reason = std::move(reason);
    TRY(with_.log.emit(events::action_executed(at_, step.plan, step.result, elements_)));
    return go_on();
}

// The strictest counts, and of equals the first.
GateDecision StepRunner::decide_by_all(const ActionFacts& facts) {
    GateDecision strictest = gates_.front().decide(facts);
    for (std::size_t i = 1; i < gates_.size(); ++i) {
        if (GateDecision next = gates_[i].decide(facts); next.gate > strictest.gate) {
            strictest = std::move(next);
        }
    }
    return strictest;
}

Result<void> StepRunner::decide(Step& step) {
    const Stopwatch watch(with_.clock, step.timings.gate);
    ActionFacts facts = facts_of(step.parsed->action, step.plan, elements_, with_.clock.wall_now());
    facts.confidence = step.confidence;
    const bool is_typing = uses_keyboard(facts.action);
    if (std::any_of(gates_.begin(), gates_.end(), [](const PolicyGate& gate) { return gate.needs_windows(); })) {
        add_windows(facts, with_.platform);
    }
    step.gate = decide_by_all(facts);
    drop_.emplace(DropGuard::Borrowed{with_.platform, with_.clock}, facts.action, step.plan);
    const bool is_asked = step.gate.gate == Gate::Ask;
    if (is_asked && is_typing && !facts.windows) {
        add_windows(facts, with_.platform); // what a person approves is for one window, whatever the rule looked at
    }
    if (is_typing && facts.windows) {
        focus_.emplace(std::move(facts), gates_.back(), is_asked || gates_.size() > 1 ? FocusGuard::Others::Never : FocusGuard::Others::WhereTheRulesAllowIt);
    }
    return {};
}

ApprovalRequest StepRunner::make_request(const Step& step, std::string id) const {
    ApprovalRequest request;
    request.approval = std::move(id);
    request.task = at_.task;
    request.step = at_.step;
    request.action_json = canonical_resolved_json(step.parsed->action, step.plan);
    const WindowInfo window = target_window(step);
    request.window = window.id;
    request.window_title = window.title_utf8;
    request.window_app = window.app;
    request.frame_sha256 = frame_sha256_;
    const Size size = step.seen.image.size();
    Rect whole{0, 0, size.width_px, size.height_px};
    request.crop = crops_of(step.plan, size, whole).front();
    request.risk = risk_of(step.parsed->action);
    request.reason = step.gate.reason;
    request.rule = step.gate.rule;
    request.expires_at = with_.clock.wall_now() + with_.options.approval_ttl;
    request.action_digest = approval_digest(request);
    return request;
}

/// Id 0: none, or the platform does not know.
WindowInfo StepRunner::target_window(const Step& step) const {
    const auto& points = step.plan.points;
    return (points.empty() ? with_.platform.focused_window() : with_.platform.window_at(points.front().target.point)).value_or(WindowInfo{});
}

/// For this action alone, and where it was to go: what was shown to the person is what is about to be done.
bool StepRunner::is_as_approved(const Step& step) const {
    ApprovalRequest now = approval_;
    now.action_json = canonical_resolved_json(step.parsed->action, step.plan);
    now.frame_sha256 = frame_sha256_;
    now.window = target_window(step).id;
    return approval_digest(now) == approval_.action_digest;
}

StageResult StepRunner::ask_person(Step& step) {
    if (!with_.options.ask) {
        step.gate.gate = Gate::Deny;
        step.gate.reason += "; nobody can be asked";
        return go_on();
    }
    approval_ = make_request(step, TRY(make_ulid(with_.clock.wall_now())));
    const TimePoint begin = with_.clock.now();
    Result<void> told;
    const auto announce = [&] {
        told = with_.log.emit(events::approval_requested(approval_));
        if (told) {
            told = tell_state("waiting_for_approval");
        }
    };
    const ApprovalAnswer answer = with_.options.ask(approval_, announce, halt_->token());
    for (Allowance& allowance : allowances_) {
        allowance.start += with_.clock.now() - begin;
    }
    TRY(std::move(told));
    return hear_answer(step, answer);
}

StageResult StepRunner::hear_answer(Step& step, ApprovalAnswer answer) {
    if (answer.decision == ApprovalDecision::Approve && with_.clock.wall_now() >= approval_.expires_at) {
        answer.decision = ApprovalDecision::Expired; // it came in time and was read too late
    }
    const bool is_answer = answer.decision != ApprovalDecision::Expired && answer.decision != ApprovalDecision::Dropped;
    TRY(with_.log.emit(is_answer ? events::approval_decided(approval_.approval, answer)
                                 : events::approval_expired(approval_.approval, answer.decision == ApprovalDecision::Expired ? "expired" : "interrupted")));
    if (stop_.stop_requested()) {
        return end(TaskOutcome::Stopped, "stopped while an approval was waited for");
    }
    if (!is_taken()) {
        TRY(tell_state("running"));
    }
    step.gate.gate = Gate::Deny;
    if (answer.decision == ApprovalDecision::Approve) {
        if (is_as_approved(step)) {
            step.gate.gate = Gate::Allow;
            return go_on();
        }
        step.gate.reason = "the target changed since the approval was asked for; look again";
        TRY(with_.log.emit(events::approval_expired(approval_.approval, "target_changed")));
        return go_on();
    }
    step.gate.reason = answer.decision == ApprovalDecision::Expired ? "nobody approved it in time"
                       : answer.note.empty()                        ? "a person said no"
                                                                    : "a person said no: " + answer.note;
    return go_on();
}

StageResult StepRunner::check_rate(const Step& step) {
    const Budget& budget = with_.options.budget;
    const TimePoint now = with_.clock.now();
    while (!acted_at_.empty() && now - acted_at_.front() >= kRateWindow) {
        acted_at_.pop_front();
    }
    if (budget.actions_per_minute_max > 0 && acted_at_.size() >= static_cast<std::size_t>(budget.actions_per_minute_max)) {
        TRY(with_.log.emit(events::budget_exceeded(at_, "actions_per_minute", static_cast<double>(acted_at_.size() + 1), budget.actions_per_minute_max)));
        return end(TaskOutcome::BudgetExceeded, fmt::format("{} actions in a minute are the limit", budget.actions_per_minute_max));
    }
    std::string digest = to_hex(sha256(canonical_resolved_json(step.parsed->action, step.plan)));
    same_actions_ = digest == last_digest_ ? same_actions_ + 1 : 1;
    last_digest_ = std::move(digest);
    if (budget.same_action_max > 0 && same_actions_ > budget.same_action_max) {
        TRY(with_.log.emit(events::budget_exceeded(at_, "same_action", same_actions_, budget.same_action_max)));
        return end(TaskOutcome::BudgetExceeded, fmt::format("the same action {} times in a row is the limit", budget.same_action_max));
    }
    if (budget.actions_per_minute_max > 0) {
        acted_at_.push_back(now);
    }
    return go_on();
}

StageResult StepRunner::execute_plan(Step& step) {
    const Size size = step.seen.image.size();
    const bool is_approved = !approval_.approval.empty();
    const bool checks = is_approved || (with_.options.checks_target && presses_button(step.plan));
    TargetCheck check({with_.platform, step.seen.image, with_.clock, halt_->token()}, crops_of(step.plan, size, is_approved ? approval_.crop : Rect{}), presses_button(step.plan));
    const auto before = [&](const Op& op) -> Result<void> {
        if (checks) {
            TRY(check.before(op));
            TRY(drop_->before(op, halt_->token()));
        }
        return focus_ ? focus_->before(op, with_.platform, halt_->token()) : Result<void>();
    };
    ExecuteOptions options{.settle = with_.options.settle, .before = before};
    options.after = [&] {
        check.after_op();
        drop_->thaw();
    };
    options.piece_characters = focus_ ? FocusGuard::kPieceCharacters : 0;
    Result<ActionResult> result = execute(step.plan, with_.platform, with_.clock, options, halt_->token());
    if (is_approved && check.has_changed()) {
        TRY(with_.log.emit(events::approval_expired(approval_.approval, "target_changed")));
    }
    if (!result) {
        step.result.certainty = Certainty::Refused;
        step.result.reason = result.error().message;
        TRY(with_.log.emit(events::action_executed(at_, step.plan, step.result, elements_)));
        const bool is_halted = result.error().code == ErrorCode::Cancelled;
        if (is_halted && is_taken()) {
            return go_on();
        }
        return is_halted && stop_.stop_requested() ? end(TaskOutcome::Stopped, "stopped while acting")
                                                   : end(TaskOutcome::Failed, "the action could not be performed: " + result.error().message);
    }
    if (std::holds_alternative<Click>(step.parsed->action) && !step.plan.points.empty()) {
        clicked_ = step.plan.points.front().target.point;
    } else if (std::holds_alternative<KeyChord>(step.parsed->action)) {
        clicked_.reset(); // Tab and its like take the focus elsewhere
    }
    step.result = *std::move(result);
    step.timings.execute = step.result.input_time;
    step.timings.settle = step.result.settle_time;
    TRY(with_.log.emit(events::action_executed(at_, step.plan, step.result, elements_)));
    return is_taken() ? go_on() : verify(step);
}

StageResult StepRunner::verify(Step& step) {
    std::vector<Element> elements;
    std::string withheld;
    Result<Screenshot> after = capture(step.timings.verify, elements, withheld);
    if (!after) {
        return end(TaskOutcome::Failed, "the screen could not be read after the action: " + after.error().message);
    }
    step.after = *std::move(after);
    TRY(record_frame(*step.after, elements, withheld, "after", step.timings.verify));

    events::Verified verified{step.result.certainty, step.result.reason, {}};
    {
        const Stopwatch watch(with_.clock, step.timings.verify);
        verified.changed = changed_area(step.seen.image, step.after->image);
        const bool is_open = verified.certainty == Certainty::Unverifiable || verified.certainty == Certainty::SuspectedNoop;
        const Size extent = verified.changed.size();
        if (is_open && !extent.is_empty() && is_no_more_than_caret(extent)) {
            verified.certainty = Certainty::Unverifiable; // it blinks by itself, too
            verified.reason = "nothing but a text cursor changed";
        } else if (is_open && !extent.is_empty()) {
            verified.certainty = Certainty::Confirmed;
            verified.reason = "the screen changed";
        } else if (is_open && make_fact(step.parsed->action).expects_change) {
            verified.certainty = Certainty::SuspectedNoop;
            verified.reason = "the screen did not change";
        }
    }
    step.result.certainty = verified.certainty;
    step.result.reason = verified.reason;
    TRY(with_.log.emit(events::action_verified(at_, verified)));
    return go_on();
}

} // namespace handeye
