// SPDX-License-Identifier: Apache-2.0
// What is asked of an answer beyond its words: that it keeps to the grammar, that it tells how certain it is, and a closer look where it
// is not.
#include "actions/grammar.h"
#include "agent/click_confidence.h"
#include "agent/step_stage.h"
#include "agent/zoom.h"
#include "base/log.h"

#include <numeric>
#include <utility>

namespace handeye {
namespace {

constexpr int kMarksMax = 999;

} // namespace

/// Asks for what click_confidence() reads.
void tell_places(ChatRequest& request) {
    request.number_chances = true;
    request.top_logprobs = 0;
}

// The form alone. What a policy denies and labels that are not shown stay in it: taken away, the next likely action would come in their
// place, a drag for a click, and be done. So the model's wish is seen, refused, and it is told why.
std::optional<AnswerGrammar> StepRunner::answer_grammar_of(Dialect dialect) {
    if (!with_.options.constrains_answers) {
        return std::nullopt;
    }
    AnswerGrammarOptions options;
    options.marks.resize(kMarksMax);
    std::iota(options.marks.begin(), options.marks.end(), 1);
    Result<std::string> gbnf = answer_grammar(dialect, options);
    if (!gbnf) {
        log::info("session", "the answer is free: " + gbnf.error().message);
        return std::nullopt;
    }
    return AnswerGrammar{.gbnf = *std::move(gbnf)};
}

// The same question about the part of the screen where the action would go. What is surer counts; an answer that is none, or less
// certain, changes nothing.
StageResult StepRunner::look_closer(Step& step, PromptInput input) {
    const Spot* const place = first_spot(step.parsed->action);
    if (place == nullptr) {
        return go_on();
    }
    const Rect area = zoom_area(input.screenshot.size(), *place);
    const Size whole = input.screenshot.size();
    Result<Image> closer = zoomed(input.screenshot, area);
    Result<RenderedPrompt> prompt = closer ? (input.screenshot = *std::move(closer), render_prompt(input, with_.options.render)) : Result<RenderedPrompt>(closer.error());
    if (!prompt) {
        log::info("session", "no closer look: " + prompt.error().message);
        return go_on();
    }
    ChatRequest request = prompt->request;
    request.sampling = with_.options.sampling;
    request.grammar = answer_grammar_of(prompt->dialect);
    tell_places(request);
    const Result<Completion> reply = ask_beside("zoom", std::move(request));
    if (!reply) {
        return is_taken() || stop_.stop_requested() ? go_on() : end(TaskOutcome::Failed, "the model did not answer: " + reply.error().message);
    }
    Result<ParsedReply> parsed = parse_reply(reply->text_utf8, prompt->dialect, Sequence::LastOnly, is_whole(reply->stop_reason) ? ReplyEnd::Complete : ReplyEnd::Truncated);
    const std::optional<double> confidence = parsed ? click_confidence(*reply, parsed->action) : std::nullopt;
    if (!confidence || *confidence <= *step.confidence || verb_name(parsed->action) != verb_name(step.parsed->action)) {
        return go_on();
    }
    parsed->action = seen_from_afar(std::move(parsed->action), area, whole);
    hide_password(step, parsed->action);
    step.parsed->action = std::move(parsed->action);
    step.confidence = confidence;
    TRY(with_.log.emit(events::action_proposed(at_, *step.parsed, {}, step.confidence)));
    return go_on();
}

} // namespace handeye
