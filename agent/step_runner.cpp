// SPDX-License-Identifier: Apache-2.0
#include "agent/step_runner.h"

#include "agent/step_stage.h"

#include <algorithm>
#include <limits>
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

bool is_same_picture(const Image& a, const Image& b) {
    return !a.is_empty() && a.size() == b.size() && a.format() == b.format() && std::ranges::equal(a.bytes(), b.bytes());
}

std::vector<Rect> secret_boxes(const std::vector<Element>& elements) {
    std::vector<Rect> boxes;
    for (const Element& element : elements) {
        if (element.is_secret) {
            boxes.push_back(element.box);
        }
    }
    return boxes;
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
        return exceeded("steps", used, budget.steps_max, fmt::format("all {} steps are used", budget.steps_max));
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
    return with_.log.emit(events::action_proposed(at_, *step.parsed, proposal->found_json));
}

Result<Completion> StepRunner::ask_aside(ChatRequest request) {
    TRY(with_.log.emit(events::model_asked(at_, request)));
    request.thinking_budget = with_.options.thinking_budget;
    request.max_new_tokens = static_cast<int>(std::clamp<std::int64_t>(tokens_left(), 1, with_.options.max_new_tokens));
    const TimePoint begin = with_.clock.now();
    RepetitionWatcher watcher;
    Result<Completion> reply = generate(request, watcher);
    TRY(with_.log.emit(events::engine_finished(at_, reply, with_.clock.now() - begin)));
    if (reply) {
        tokens_ += reply->usage.prompt_tokens + reply->usage.completion_tokens;
    }
    return reply;
}

Result<Blob> StepRunner::keep_picture(std::optional<Rect> area) {
    Duration time{};
    std::vector<Element> elements;
    std::string withheld;
    const Screenshot shot = TRY(capture(time, elements, withheld));
    if (!withheld.empty()) {
        return Error{ErrorCode::Unavailable, withheld};
    }
    const Rect whole{0, 0, shot.image.size().width_px, shot.image.size().height_px};
    const Rect part = area ? area->intersected(whole) : whole;
    if (part.size().is_empty()) {
        return Error{ErrorCode::OutOfBounds, fmt::format("nothing of the {}x{} target lies in that region", whole.width_px, whole.height_px)};
    }
    return TRY(encoder_.encode(masked(shot.image, secret_boxes(elements)).cropped(part))).blob;
}

Result<Screenshot> StepRunner::capture(Duration& time, std::vector<Element>& elements, std::string& withheld) {
    const Stopwatch watch(with_.clock, time);
    Screenshot shot = TRY(with_.platform.capture());
    if (is_same_picture(shot.image, last_image_)) { // the programs behind it were asked a moment ago
        elements = last_elements_;
        return shot;
    }
    Result<std::vector<Element>> found = with_.platform.elements();
    last_image_ = found ? shot.image : Image();
    if (found) {
        elements = last_elements_ = *std::move(found);
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
        const std::vector<Rect> secrets = secret_boxes(elements);
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
    const std::stop_callback pass_on(halt(), [&stop_answer] { stop_answer.request_stop(); });
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
    if (step.parsed || is_taken() || tokens_left() <= 0 || is_out_of_time()) {
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
    request.max_new_tokens = static_cast<int>(std::min<std::int64_t>(with_.options.max_new_tokens, tokens_left()));

    const TimePoint begin = with_.clock.now();
    RepetitionWatcher watcher;
    Result<Completion> reply = generate(request, watcher);
    const Duration wall = with_.clock.now() - begin;
    step.timings.generate += wall;
    if (reply) {
        if (const Result<ParsedReply> parsed = parse_reply(reply->text_utf8, prompt.dialect, Sequence::LastOnly, ReplyEnd::Truncated)) {
            hide_password(step, parsed->action);
        }
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
void StepRunner::hide_password(const Step& step, const Action& action) {
    const auto* const typed = std::get_if<TypeText>(&action);
    if (typed == nullptr || std::none_of(elements_.begin(), elements_.end(), [](const Element& element) { return element.is_secret; })) {
        return;
    }
    const Result<Plan> plan = resolve(action, {picture_, step.seen.image.size(), elements_});
    const std::optional<Point> into = plan && !plan->points.empty() ? std::optional(plan->points.front().target.point) : clicked_;
    // A dialog may have taken the focus by itself, a key may have moved it: with a password field in sight only a text that goes
    // to another field for sure is no password.
    const bool is_for_another = std::any_of(elements_.begin(), elements_.end(), [&](const Element& element) {
        return !element.is_secret && element.mark > 0 && into && element.box.contains(*into);
    });
    const bool is_for_it = std::any_of(elements_.begin(), elements_.end(), [&](const Element& element) {
        return element.is_secret && into && element.box.contains(*into);
    });
    const bool is_password = is_for_it || !is_for_another;
    if (is_password) {
        with_.redactor.add_typed(typed->text_utf8);
    }
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
