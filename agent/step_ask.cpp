// SPDX-License-Identifier: Apache-2.0
// The questions to the model, and its answers.
#include "agent/click_confidence.h"
#include "agent/marks.h"
#include "agent/step_stage.h"
#include "base/log.h"

#include <algorithm>
#include <array>
#include <clocale>
#include <ctime>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

std::string describe_secrets(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += fmt::format("{}{}", out.empty() ? "Secret values you can type without knowing them, as text of a type action: " : ", ", secret_reference(name));
    }
    return out;
}

std::tm local_time(WallTime now) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
    std::tm local{};
    localtime_r(&seconds, &local);
    return local;
}

/// As strftime() writes it, in English whatever the locale is: the models were shown that.
std::string in_words(const std::tm& time, const char* format) {
    static const locale_t english = ::newlocale(LC_ALL_MASK, "C", nullptr);
    std::array<char, 64> text{};
    return {text.data(), ::strftime_l(text.data(), text.size(), format, &time, english)};
}

} // namespace

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

Result<Completion> StepRunner::generate(ChatRequest request, RepetitionWatcher& watcher) {
    request.session = with_.options.session_id;
    std::stop_source stop_answer;
    const std::stop_callback pass_on(halt(), [&stop_answer] { stop_answer.request_stop(); });
    const auto on_text = [&](const TextPiece& piece) {
        if (watcher.add(piece.text_utf8) || is_out_of_time()) {
            stop_answer.request_stop();
        }
        if (with_.options.on_text) {
            with_.options.on_text(piece);
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

/// Asked once in a task: the list takes a moment, and a prompt that changes has to be read again by the model from there on.
const std::vector<std::string>& StepRunner::app_names() {
    if (!app_names_) {
        Result<std::vector<std::string>> names = with_.platform.app_names();
        if (!names) {
            log::info("session", "the prompt names no apps: " + names.error().message); // open_app works all the same
        }
        app_names_ = names ? *std::move(names) : std::vector<std::string>();
    }
    return *app_names_;
}

PromptInput StepRunner::prompt_input(const std::string& goal_utf8, const Image& screenshot, const std::vector<Element>& elements) {
    PromptInput input;
    input.prompt = with_.options.prompt;
    input.surface = with_.options.surface.value_or(Surface::Desktop);
    input.goal_utf8 = goal_utf8;
    input.screenshot = screenshot;
    const std::tm today = local_time(with_.clock.wall_now());
    input.today_text = in_words(today, "%Y-%m-%d, %A");
    input.now_text = in_words(today, "%Y-%m-%d %H:%M, %A");
    input.policy_text = describe_policy(with_.options.policy);
    if (const std::string secrets = with_.options.secrets ? describe_secrets(with_.options.secrets->names()) : ""; !secrets.empty()) {
        input.policy_text += (input.policy_text.empty() ? "" : ". ") + secrets;
    }
    for (const Element& element : elements) {
        if (element.mark > 0) {
            input.elements.push_back(marked(element));
        }
    }
    if (input.surface == Surface::Web && input.elements.empty() && has_template(input.prompt, Surface::WebPoints, with_.options.render)) {
        input.surface = Surface::WebPoints; // a canvas, or nothing that could be numbered
    } else if (input.surface == Surface::Web) {
        input.screenshot = with_marks(screenshot, elements);
    } else if (input.surface == Surface::Mobile) {
        input.current_app = with_.platform.focused_window().value_or(WindowInfo{}).app;
        input.app_names = app_names();
    }
    return input;
}

StageResult StepRunner::ask(Step& step) {
    for (const std::string& note : with_.options.take_notes ? with_.options.take_notes() : std::vector<std::string>()) {
        goal_ += "\nNote: " + note;
    }
    PromptInput input = prompt_input(goal_, step.seen.image, elements_);
    input.history = history_.steps();
    input.memory = history_.memory();
    step.app = input.current_app;
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
    if (!step.parsed && !is_taken() && tokens_left() > 0 && !is_out_of_time()) {
        at_.attempt = 2;
        sampling = with_.options.retry_sampling;
        sampling.seed += static_cast<std::uint64_t>(at_.step); // another answer at each step, the same at each run
        if (std::optional<TaskEnd> over = TRY(ask_once(step, *prompt, sampling))) {
            return over;
        }
    }
    const bool is_unsure = step.parsed && step.confidence && *step.confidence < with_.options.zoom_below;
    return is_unsure && !is_taken() && tokens_left() > 0 && !is_out_of_time() ? look_closer(step, std::move(input)) : go_on();
}

StageResult StepRunner::ask_once(Step& step, const RenderedPrompt& prompt, const SamplingOptions& sampling) {
    TRY(with_.log.emit(events::prompt_built(at_, prompt, step.prompt_text, with_.options.prompt, prompt.surface, sampling)));
    ChatRequest request = prompt.request;
    request.sampling = sampling;
    request.thinking_budget = with_.options.thinking_budget;
    request.max_new_tokens = static_cast<int>(std::min<std::int64_t>(with_.options.max_new_tokens, tokens_left()));
    request.grammar = answer_grammar_of(prompt.dialect);
    tell_places(request);

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
        step.confidence = click_confidence(step.reply, step.parsed->action);
        TRY(with_.log.emit(events::action_proposed(at_, *step.parsed, {}, step.confidence)));
        return go_on();
    }
    step.parse_error = parsed.error().message; // names the forms that would have been understood
    TRY(with_.log.emit(events::action_not_recognised(at_, step.parse_error)));
    return go_on();
}

// Before the answer is written down anywhere: words for a password field stay out of every event from here on.
void StepRunner::hide_password(const Step& step, const Action& action) {
    const auto* const typed = std::get_if<TypeText>(&action);
    if (typed == nullptr || (are_elements_known_ && std::none_of(elements_.begin(), elements_.end(), [](const Element& element) { return element.is_secret; }))) {
        return;
    }
    const Result<Plan> plan = resolve(action, {picture_, step.seen.image.size(), elements_});
    const std::optional<Point> into = plan && !plan->points.empty() ? std::optional(plan->points.front().target.point) : clicked_;
    // A dialog may have taken the focus by itself, a key may have moved it: with a password field in sight, or perhaps in sight, only a
    // text that goes to another field for sure is no password.
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

Result<Completion> StepRunner::ask_aside(const ModelQuestion& question) {
    ChatRequest request = TRY(render_question(question.prompt, question.words_utf8, question.picture, with_.options.render));
    request.sampling = question.sampling;
    return ask_beside("questions/" + question.prompt, std::move(request));
}

Result<Completion> StepRunner::ask_beside(const std::string& prompt_name, ChatRequest request) {
    TRY(with_.log.emit(events::model_asked(at_, prompt_name, request)));
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

Result<Suggestion> StepRunner::suggest(const std::string& goal_utf8, Look look) {
    RenderedPrompt prompt = TRY(render_prompt(prompt_input(goal_utf8, look.shot.image, look.elements), with_.options.render));
    prompt.request.sampling = with_.options.sampling;
    prompt.request.grammar = answer_grammar_of(prompt.dialect);
    const Completion reply = TRY(ask_beside(with_.options.prompt, std::move(prompt.request)));
    const ParsedReply parsed = TRY(parse_reply(reply.text_utf8, prompt.dialect, Sequence::LastOnly, is_whole(reply.stop_reason) ? ReplyEnd::Complete : ReplyEnd::Truncated));
    const Plan plan = TRY(resolve(parsed.action, {prompt.picture, look.shot.image.size(), look.elements}));
    const std::optional<Point> at = plan.points.empty() ? std::nullopt : std::optional(plan.points.front().target.point);
    const auto* const click = std::get_if<Click>(&parsed.action);
    const auto* const hover = std::get_if<Hover>(&parsed.action);
    const auto* const typed = std::get_if<TypeText>(&parsed.action);
    const std::string called = click != nullptr ? click->element_info : hover != nullptr ? hover->element_info : typed != nullptr ? typed->element_info : "";
    return Suggestion{std::move(look), at, parsed.call, called};
}

} // namespace handeye
