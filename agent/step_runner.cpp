// SPDX-License-Identifier: Apache-2.0
#include "agent/step_runner.h"

#include "agent/step_stage.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

bool is_whole(StopReason reason) { return reason == StopReason::StopToken || reason == StopReason::StopText; }

std::string describe_secrets(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += fmt::format("{}{}", out.empty() ? "Secret values you can type without knowing them, as text of a type action: " : ", ", secret_reference(name));
    }
    return out;
}

std::string describe_policy(const Policy& policy) {
    std::string out;
    for (const std::string& verb : policy.deny_verbs) {
        out += fmt::format("{}{}", out.empty() ? "Not allowed in this task: " : ", ", verb);
    }
    std::string allowed;
    for (const std::string& verb : policy.allow_verbs) {
        allowed += fmt::format("{}{}", allowed.empty() ? "Only allowed in this task: " : ", ", verb);
    }
    return out.empty() || allowed.empty() ? out + allowed : allowed + ". " + out;
}

} // namespace

Result<void> EventLog::emit(SessionEvent event) {
    const Stopwatch watch(clock_, time_);
    event.mono = clock_.now();
    event.wall = clock_.wall_now();
    TRY(sink_.on_event(redactor_.redacted(std::move(event))));
    return {};
}

StepRunner::StepRunner(Borrowed borrowed, PolicyGate gate, int task, std::string goal_utf8, std::stop_token stop)
    : with_(borrowed), gate_(std::move(gate)), at_{task, 0, 1}, goal_(std::move(goal_utf8)), start_(borrowed.clock.now()), stop_(std::move(stop)) {}

bool StepRunner::is_out_of_time() const { return with_.clock.now() - start_ >= with_.options.budget.wall_max; }

StageResult StepRunner::check_limits() {
    const Budget& budget = with_.options.budget;
    if (stop_.stop_requested()) {
        return end(TaskOutcome::Stopped, "stopped");
    }
    const auto exceeded = [this](std::string_view name, double used, double limit, std::string message) -> StageResult {
        TRY(with_.log.emit(events::budget_exceeded(at_, name, used, limit)));
        return end(TaskOutcome::BudgetExceeded, std::move(message));
    };
    if (at_.step >= budget.steps_max) {
        return exceeded("steps", at_.step, budget.steps_max, fmt::format("all {} steps are used", budget.steps_max));
    }
    if (tokens_ >= budget.tokens_max) {
        return exceeded("tokens", static_cast<double>(tokens_), static_cast<double>(budget.tokens_max),
                        fmt::format("{} tokens are used, the limit is {}", tokens_, budget.tokens_max));
    }
    if (is_out_of_time()) {
        const auto ms = [](Duration d) { return std::chrono::duration<double, std::milli>(d).count(); };
        const Duration used = with_.clock.now() - start_;
        return exceeded("wall_ms", ms(used), ms(budget.wall_max),
                        fmt::format("{:.1f} s are used, the limit is {:.1f} s", ms(used) / 1e3, ms(budget.wall_max) / 1e3));
    }
    return go_on();
}

StageResult StepRunner::run_step() {
    for (const auto gate : {&StepRunner::wait_for_turn, &StepRunner::check_limits}) {
        if (std::optional<TaskEnd> over = TRY((this->*gate)())) {
            return over;
        }
    }
    ++at_.step;
    approval_ = {};
    focus_.reset();
    drop_.reset();
    encode_time_ = {};
    [[maybe_unused]] const Duration earlier = with_.log.take_time(); // belongs to the step before
    Step step;
    step.index = at_.step;
    TRY(with_.log.emit(events::task_step_started(at_)));
    for (const auto stage : {&StepRunner::observe, &StepRunner::ask, &StepRunner::act}) {
        if (std::optional<TaskEnd> over = TRY((this->*stage)(step))) {
            return finish(step, std::move(over));
        }
        if (is_taken()) {
            step.interrupted = hold_name(with_.options.control->hold());
            return finish(step, std::nullopt); // what was seen is old: look again when it is the agent's turn
        }
    }
    return finish(step, conclude(step));
}

Result<Screenshot> StepRunner::capture(Duration& time, std::vector<Element>& elements, std::string& withheld) {
    const Stopwatch watch(with_.clock, time);
    Screenshot shot = TRY(with_.platform.capture());
    Result<std::vector<Element>> found = with_.platform.elements();
    if (found) {
        elements = *std::move(found);
    } else {
        elements.clear();
        withheld = "where passwords are shown is unknown: " + found.error().message; // stored unmasked is worse than not stored
    }
    return shot;
}

Result<void> StepRunner::record_frame(const Screenshot& shot, const std::vector<Element>& elements, const std::string& withheld,
                                      std::string_view when, Duration capture_time) {
    events::Captured captured{&shot, std::nullopt, withheld, 0, capture_time, {}};
    if (withheld.empty()) {
        const Stopwatch watch(with_.clock, captured.encode_time);
        std::vector<Rect> secrets;
        for (const Element& element : elements) {
            if (element.is_secret) {
                secrets.push_back(element.box);
            }
        }
        captured.masks = static_cast<int>(secrets.size());
        captured.frame = TRY(encoder_.encode(masked(shot.image, secrets)));
    }
    if (when == "before") {
        frame_sha256_ = captured.frame ? captured.frame->blob.sha256_hex : "";
    }
    encode_time_ += captured.encode_time;
    return with_.log.emit(events::observation_captured(at_, when, captured));
}

StageResult StepRunner::observe(Step& step) {
    std::string withheld;
    Result<Screenshot> shot = capture(step.timings.capture, elements_, withheld);
    if (!shot) {
        return end(TaskOutcome::Failed, "the screen could not be read: " + shot.error().message);
    }
    step.seen = *std::move(shot);
    TRY(record_frame(step.seen, elements_, withheld, "before", step.timings.capture));
    return go_on();
}

Result<Completion> StepRunner::generate(const ChatRequest& request, RepetitionWatcher& watcher) {
    std::stop_source stop_answer;
    const std::stop_callback pass_on(halt_->token(), [&stop_answer] { stop_answer.request_stop(); });
    const auto on_text = [&](std::string_view text_utf8) {
        if (watcher.add(text_utf8) || is_out_of_time()) {
            stop_answer.request_stop();
        }
        if (with_.options.on_text) {
            with_.options.on_text(text_utf8);
        }
    };
    const TimePoint begin = with_.clock.now();
    Result<Completion> reply = with_.model.generate(request, on_text, stop_answer.get_token());
    if (reply || reply.error().code != ErrorCode::EngineLost || stop_answer.stop_requested()) {
        return reply;
    }
    // A lost engine is started again. The same question once more; the record shows both answers.
    TRY(with_.log.emit(events::engine_finished(at_, reply, with_.clock.now() - begin)));
    watcher = RepetitionWatcher();
    return with_.model.generate(request, on_text, stop_answer.get_token());
}

StageResult StepRunner::ask(Step& step) {
    for (const std::string& note : with_.options.take_notes ? with_.options.take_notes() : std::vector<std::string>()) {
        goal_ += "\nNote: " + note;
    }
    PromptInput input;
    input.prompt = with_.options.prompt;
    input.surface = with_.options.surface;
    input.goal_utf8 = goal_;
    input.screenshot = step.seen.image;
    input.history = history_.steps();
    input.memory = history_.memory();
    input.policy_text = describe_policy(with_.options.policy);
    if (const std::string secrets = with_.options.secrets ? describe_secrets(with_.options.secrets->names()) : ""; !secrets.empty()) {
        input.policy_text += (input.policy_text.empty() ? "" : ". ") + secrets;
    }
    for (const Element& element : elements_) {
        if (element.mark > 0) {
            input.elements.push_back({element.mark, element.role, element.label_utf8, ""});
        }
    }
    const TimePoint begin = with_.clock.now();
    Result<RenderedPrompt> prompt = render_prompt(input, with_.options.render);
    if (!prompt) {
        return end(TaskOutcome::Failed, "the prompt could not be built: " + prompt.error().message);
    }
    picture_ = prompt->picture;
    step.prompt_text = events::prompt_text(prompt->request);
    step.timings.render = with_.clock.now() - begin;

    at_.attempt = 1;
    SamplingOptions sampling = with_.options.sampling;
    if (std::optional<TaskEnd> over = TRY(ask_once(step, *prompt, sampling))) {
        return over;
    }
    if (step.parsed || is_taken() || tokens_ >= with_.options.budget.tokens_max || is_out_of_time()) {
        return go_on();
    }
    at_.attempt = 2;
    sampling = with_.options.retry_sampling;
    sampling.seed += static_cast<std::uint64_t>(at_.step); // another answer at each step, the same at each run
    return ask_once(step, *prompt, sampling);
}

StageResult StepRunner::ask_once(Step& step, const RenderedPrompt& prompt, const SamplingOptions& sampling) {
    TRY(with_.log.emit(events::prompt_built(at_, prompt, step.prompt_text, with_.options.prompt, with_.options.surface, sampling)));
    ChatRequest request = prompt.request;
    request.sampling = sampling;
    request.thinking_budget = with_.options.thinking_budget;
    const std::int64_t left = with_.options.budget.tokens_max - tokens_;
    request.max_new_tokens = static_cast<int>(std::min<std::int64_t>(with_.options.max_new_tokens, left));

    const TimePoint begin = with_.clock.now();
    RepetitionWatcher watcher;
    Result<Completion> reply = generate(request, watcher);
    const Duration wall = with_.clock.now() - begin;
    step.timings.generate += wall;
    if (reply) {
        hide_password(step, reply->text_utf8, prompt.dialect);
    }
    TRY(with_.log.emit(events::engine_finished(at_, reply, wall)));
    if (stop_.stop_requested()) {
        return end(TaskOutcome::Stopped, "stopped while the model was answering");
    }
    if (is_taken()) {
        return go_on(); // half an answer about a screen that is no longer the agent's
    }
    if (!reply) {
        return end(TaskOutcome::Failed, "the model did not answer: " + reply.error().message);
    }
    step.reply = *std::move(reply);
    tokens_ += step.reply.usage.prompt_tokens + step.reply.usage.completion_tokens;
    if (watcher.is_repeating()) {
        TRY(with_.log.emit(events::loop_suspected(
            at_, {StuckLevel::Suspected, "repetition", "the answer repeated one passage and was cut off"})));
    }

    const Stopwatch watch(with_.clock, step.timings.parse);
    Result<ParsedReply> parsed = parse_reply(step.reply.text_utf8, prompt.dialect, Sequence::LastOnly,
                                             is_whole(step.reply.stop_reason) ? ReplyEnd::Complete : ReplyEnd::Truncated);
    if (parsed) {
        step.parsed = *std::move(parsed);
        TRY(with_.log.emit(events::action_proposed(at_, *step.parsed)));
        return go_on();
    }
    step.parse_error = parsed.error().message; // names the forms that would have been understood
    TRY(with_.log.emit(events::action_not_recognised(at_, step.parse_error)));
    return go_on();
}

// Before the answer is written down anywhere: words for a password field stay out of every event from here on.
void StepRunner::hide_password(const Step& step, const std::string& reply, Dialect dialect) {
    if (std::none_of(elements_.begin(), elements_.end(), [](const Element& element) { return element.is_secret; })) {
        return;
    }
    const Result<ParsedReply> parsed = parse_reply(reply, dialect, Sequence::LastOnly, ReplyEnd::Truncated);
    const auto* const typed = parsed ? std::get_if<TypeText>(&parsed->action) : nullptr;
    if (typed == nullptr) {
        return;
    }
    const Result<Plan> plan = resolve(parsed->action, {picture_, step.seen.image.size(), elements_});
    const std::optional<Point> into = plan && !plan->points.empty() ? std::optional(plan->points.front().target.point) : clicked_;
    const bool is_password = std::any_of(elements_.begin(), elements_.end(), [&](const Element& element) {
        return element.is_secret && into && element.box.contains(*into);
    });
    if (is_password) {
        with_.redactor.add_typed(typed->text_utf8);
    }
}

// What the finished step means for the task; unset: go on.
std::optional<TaskEnd> StepRunner::conclude(const Step& step) {
    if (!step.parsed) {
        const int limit = with_.options.budget.parse_failures_max;
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

StageResult StepRunner::finish(Step& step, std::optional<TaskEnd> over) {
    StuckVerdict verdict;
    if (!over && step.parsed && step.interrupted.empty()) {
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
    if (verdict.level == StuckLevel::Stuck) {
        over = TaskEnd{TaskOutcome::Stuck, verdict.message};
    }
    const std::string observation = describe_effect(step, verdict.message);
    if (step.interrupted.empty() || step.result.events_sent > 0) {
        const Stopwatch watch(with_.clock, step.timings.render); // its half-size picture belongs to the next prompt
        history_.add(step, observation);
    }
    step.timings.record = with_.log.take_time() + encode_time_;
    TRY(with_.log.emit(events::task_step_finished(at_, step, observation, tokens_)));
    return over;
}

} // namespace handeye
