// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/model_words.h"

#include "agent/taskrun/targets.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::taskrun {
namespace {

constexpr double kVoteTemperature = 0.8;
constexpr std::string_view kBoxOpen = "<|begin_of_box|>";
constexpr std::string_view kBoxClose = "<|end_of_box|>";

Attempt<std::string> answer_of(Context& context, const ModelQuestion& question) {
    const Result<Completion> reply = context.hands.ask_model(question);
    return reply ? Attempt<std::string>(visible_answer(reply->text_utf8)) : fail(FailureKind::Failed, "the model did not answer: " + reply.error().message);
}

Attempt<Image> seen_part(const Node* region, Context& context) {
    const Result<Look> look = context.hands.look();
    if (!look) {
        return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
    }
    if (region == nullptr) {
        return look->shot.image;
    }
    Attempt<Rect> area = region_of(*region, context, *look);
    if (auto* const failure = std::get_if<Failure>(&area)) {
        return *failure;
    }
    const Image part = look->shot.image.cropped(std::get<Rect>(area));
    return part.is_empty() ? Attempt<Image>(fail(FailureKind::Failed, "the region lies outside the screen")) : Attempt<Image>(part);
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// Four numbers in order, 0 to 1000 each.
std::optional<std::array<double, 4>> box_in(const std::string& text) {
    std::array<double, 4> out{};
    std::size_t count = 0;
    for (const char* at = text.c_str(); *at != '\0' && count < 4;) {
        if (std::isdigit(static_cast<unsigned char>(*at)) == 0) {
            ++at;
            continue;
        }
        char* end = nullptr;
        out[count++] = std::strtod(at, &end);
        at = end;
    }
    const bool is_box = count == 4 && out[0] <= out[2] && out[1] <= out[3] && out[2] <= 1000 && out[3] <= 1000;
    return is_box ? std::optional(out) : std::nullopt;
}

} // namespace

std::string visible_answer(const std::string& text_utf8) {
    std::string text = text_utf8;
    if (const std::size_t thought = text.rfind("</think>"); thought != std::string::npos) {
        text.erase(0, thought + 8);
    }
    if (const std::size_t open = text.rfind(kBoxOpen); open != std::string::npos) {
        text.erase(0, open + kBoxOpen.size());
        text.resize(std::min(text.size(), text.find(kBoxClose)));
    }
    for (const std::string_view tag : {std::string_view("<answer>"), std::string_view("</answer>"), std::string_view("<think>")}) {
        for (std::size_t at = text.find(tag); at != std::string::npos; at = text.find(tag)) {
            text.erase(at, tag.size());
        }
    }
    const std::size_t from = text.find_first_not_of(" \t\r\n");
    const std::size_t to = text.find_last_not_of(" \t\r\n");
    return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

Attempt<bool> ask_whether(const std::string& claim_utf8, int vote, const Node* region, Context& context) {
    Attempt<Image> seen = seen_part(region, context);
    if (auto* const failure = std::get_if<Failure>(&seen)) {
        return *failure;
    }
    ModelQuestion question{"whether", claim_utf8, std::get<Image>(seen)};
    if (vote > 0) {
        question.sampling.temperature = kVoteTemperature;
        question.sampling.seed = static_cast<std::uint64_t>(vote);
    }
    Attempt<std::string> answer = answer_of(context, question);
    if (auto* const failure = std::get_if<Failure>(&answer)) {
        return *failure;
    }
    const std::string word = lower(std::get<std::string>(answer));
    const bool is_yes = word.starts_with("yes");
    if (!is_yes && !word.starts_with("no")) {
        return fail(FailureKind::Failed, fmt::format("the model was asked whether \"{}\" and said neither yes nor no: \"{}\"", claim_utf8.substr(0, 120), word.substr(0, 120)));
    }
    return is_yes;
}

Attempt<std::string> ask_for(const std::string& question_utf8, Context& context) {
    Attempt<Image> seen = seen_part(nullptr, context);
    if (auto* const failure = std::get_if<Failure>(&seen)) {
        return *failure;
    }
    return answer_of(context, {"value", question_utf8, std::get<Image>(seen)});
}

Result<Rect> ask_where(Hands& hands, const Image& image, const std::string& description_utf8) {
    const Completion reply = TRY(hands.ask_model({"where", description_utf8, image}));
    const std::string answer = visible_answer(reply.text_utf8);
    const auto box = box_in(answer);
    if (!box) {
        return Error{ErrorCode::NotFound, fmt::format("the model sees no {}: \"{}\"", description_utf8.substr(0, 120), answer.substr(0, 120))};
    }
    const Size size = image.size();
    const auto x = [&](double value) { return static_cast<int>(value * size.width_px / 1000.0); };
    const auto y = [&](double value) { return static_cast<int>(value * size.height_px / 1000.0); };
    return Rect{x((*box)[0]), y((*box)[1]), std::max(1, x((*box)[2]) - x((*box)[0])), std::max(1, y((*box)[3]) - y((*box)[1]))};
}

} // namespace handeye::taskrun
