// SPDX-License-Identifier: Apache-2.0
#include "agent/training_text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::training {
namespace {

constexpr std::string_view kBegin = "<|begin_of_box|>";
constexpr std::string_view kEnd = "<|end_of_box|>";
constexpr std::string_view kOtherBegin = "<|start_of_box|>"; // the other name of the same token
constexpr std::string_view kPicture = "<picture ";

enum class Boxes { Keep, Alter };

// "<" here starts something that a trainer or a tokenizer takes for more than text.
bool is_special(std::string_view rest, Boxes boxes) {
    constexpr std::array<std::string_view, 9> kWords{"<image>", "<video>", "<audio>", "<sop>", "<eop>", "<think>", "</think>", "<answer>", "</answer>"};
    if (std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) { return rest.starts_with(word); })) {
        return true;
    }
    if (boxes == Boxes::Keep && (rest.starts_with(kBegin) || rest.starts_with(kEnd))) {
        return false;
    }
    constexpr std::size_t kNameMax = 64;
    const std::size_t end = rest.starts_with("<|") ? rest.substr(0, kNameMax).find("|>", 2) : std::string_view::npos;
    return end != std::string_view::npos && std::all_of(rest.begin() + 2, rest.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
        return c == '_' || c == '/' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
}

std::string altered(std::string_view text, Boxes boxes) {
    std::string out;
    out.reserve(text.size() + 16);
    for (std::size_t at = 0; at < text.size(); ++at) {
        out += text[at];
        if (text[at] == '<' && is_special(text.substr(at), boxes)) {
            out += ' ';
        }
    }
    return out;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

std::string without(std::string_view text, std::string_view part, std::string_view instead = "") {
    std::string out;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part)) {
        out.append(text.substr(0, at)).append(instead);
        text.remove_prefix(at + part.size());
    }
    return out.append(text);
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlank);
    return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string without_stop_tokens(std::string_view text) {
    text = trimmed(text);
    for (const std::string_view stop : {"<|user|>", "<|observation|>", "<|endoftext|>"}) {
        if (text.ends_with(stop)) {
            return without_stop_tokens(text.substr(0, text.size() - stop.size()));
        }
    }
    return std::string(text);
}

// Each box is closed before the next one opens.
bool is_balanced(std::string_view text) {
    std::size_t at = 0;
    for (;;) {
        const std::size_t begin = text.find(kBegin, at);
        const std::size_t end = text.find(kEnd, at);
        if (begin == std::string_view::npos || end == std::string_view::npos) {
            return begin == end;
        }
        const std::size_t inner = text.find(kBegin, begin + kBegin.size());
        if (end < begin || inner < end) {
            return false;
        }
        at = end + kEnd.size();
    }
}

} // namespace

std::string plain_text(std::string_view text_utf8) { return altered(text_utf8, Boxes::Alter); }

Result<std::string> question_text(std::string_view prompt, const std::vector<Size>& pictures) {
    const std::size_t places = count_of(prompt, kPicture);
    if (places != pictures.size()) { // a screen's or a person's own words may look like one
        return Error{ErrorCode::ParseFailed, fmt::format("its prompt names {} pictures and was given {}", places, pictures.size())};
    }
    std::string out;
    for (const Size& size : pictures) {
        const std::string mark = fmt::format("{}{}x{}>", kPicture, size.width_px, size.height_px);
        const std::size_t at = prompt.find(kPicture);
        if (!prompt.substr(at).starts_with(mark)) {
            return Error{ErrorCode::ParseFailed, fmt::format("its prompt has no place for a picture of {}x{} where one is due", size.width_px, size.height_px)};
        }
        out += altered(prompt.substr(0, at), Boxes::Alter) + "<image>";
        prompt.remove_prefix(at + mark.size());
    }
    return out + altered(prompt, Boxes::Alter);
}

Result<std::string> answer_text(std::string_view raw, AnswerForm form) {
    constexpr std::string_view kThinkEnd = "</think>";
    const std::size_t end = raw.rfind(kThinkEnd);
    const bool has_thought = end != std::string_view::npos;
    if (!has_thought && trimmed(raw).starts_with("<think>")) {
        return Error{ErrorCode::ParseFailed, "its answer was cut off while thinking"};
    }
    std::string thought = without(without(raw.substr(0, has_thought ? end : 0), "<think>"), kThinkEnd);
    thought = altered(trimmed(thought), Boxes::Alter);
    std::string said = std::string(has_thought ? raw.substr(end + kThinkEnd.size()) : raw);
    said = without_stop_tokens(without(without(without(said, "<answer>"), "</answer>"), kOtherBegin, kBegin));
    if (said.empty()) {
        return Error{ErrorCode::ParseFailed, "its answer says nothing"};
    }
    if (!is_balanced(said)) {
        return Error{ErrorCode::ParseFailed, "the box tokens of its answer do not balance"};
    }
    said = altered(said, Boxes::Keep);
    return form == AnswerForm::Glm41V ? fmt::format("<think>\n{}</think>\n<answer>{}</answer>", thought, said) : fmt::format("<think>\n{}</think>\n{}", thought, said);
}

} // namespace handeye::training
