// SPDX-License-Identifier: Apache-2.0
// Splitting a reply along its tags and labels; one pass each.
#include "actions/reply.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <span>

namespace handeye {
namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";
constexpr std::array<std::string_view, 2> kBoxBegin{"<|begin_of_box|>", "<|start_of_box|>"};
constexpr std::string_view kBoxEnd = "<|end_of_box|>";
constexpr std::array<std::string_view, 2> kTurnEnds{"<|user|>", "<|observation|>"};
constexpr std::array<std::string_view, 4> kTrailers{"<|endoftext|>", "<|assistant|>", "[EOS]", "<eop>"};

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string without(std::string_view text, std::span<const std::string_view> parts) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '<') {
            const auto part = std::ranges::find_if(parts, [&](std::string_view p) { return text.substr(i).starts_with(p); });
            if (part != parts.end()) {
                i += part->size();
                continue;
            }
        }
        if (!(text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) {
            out += text[i];
        }
        ++i;
    }
    return out;
}

struct LabelWord {
    std::string_view word; ///< lower case
    FieldName name;
};
// Longer words first where one begins another.
constexpr std::array kLabelWords{
    LabelWord{"memory_updated", FieldName::Memory}, LabelWord{"memory", FieldName::Memory},
    LabelWord{"reason", FieldName::Reason},         LabelWord{"action", FieldName::Act},
    LabelWord{"grounded operation", FieldName::Act}, LabelWord{"thought", FieldName::Thought},
    LabelWord{"observation", FieldName::Observation},
};

bool matches_word(std::string_view text, std::string_view lower_word) {
    return text.size() >= lower_word.size() &&
           std::equal(lower_word.begin(), lower_word.end(), text.begin(),
                      [](char a, char b) { return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b))); });
}

/// Length of a colon, ASCII or full-width, with the bold markers around it; 0: none.
std::size_t colon_length(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && at < 6 && (text[at] == '*' || text[at] == ' ' || text[at] == '_' || text[at] == '`')) {
        ++at;
    }
    if (text.substr(at).starts_with(':')) {
        ++at;
    } else if (text.substr(at).starts_with("\xEF\xBC\x9A")) {
        at += 3;
    } else {
        return 0;
    }
    while (at < text.size() && text[at] == '*') {
        ++at;
    }
    return at;
}

/// A label whose word begins at `at`, whose decoration begins at `begin`.
std::optional<FieldLabel> label_at(std::string_view text, std::size_t begin, std::size_t at) {
    for (const LabelWord& label : kLabelWords) {
        if (matches_word(text.substr(at), label.word)) {
            const std::size_t colon = colon_length(text.substr(at + label.word.size()));
            if (colon > 0) {
                return FieldLabel{label.name, begin, at + label.word.size() + colon};
            }
        }
    }
    return std::nullopt;
}

/// Past list numbers, bullets, bold and heading marks.
std::size_t skip_decoration(std::string_view text, std::size_t at) {
    const std::size_t most = std::min(text.size(), at + 16);
    while (at < most && (std::string_view("*#-_>`. )").find(text[at]) != std::string_view::npos ||
                         std::isdigit(static_cast<unsigned char>(text[at])) != 0)) {
        ++at;
    }
    return at;
}

} // namespace

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string without_box_tokens(std::string_view text) {
    const std::array<std::string_view, 3> tokens{kBoxBegin[0], kBoxBegin[1], kBoxEnd};
    return without(text, tokens);
}

SplitReply split_reply(std::string_view reply) {
    SplitReply split;
    const std::array<std::string_view, 1> think{kThink};
    const std::size_t close = reply.rfind(kThinkEnd);
    std::string_view answer = reply;
    if (close != std::string_view::npos) {
        split.thinking = trim(without(reply.substr(0, close), think));
        answer.remove_prefix(close + kThinkEnd.size());
    } else if (const std::size_t open = reply.find(kThink); open != std::string_view::npos) {
        split.thinking = trim(without(reply.substr(open), think));
        split.is_thinking_open = true;
        return split;
    }
    for (const std::string_view turn : kTurnEnds) { // the model went on to play the other side
        answer = answer.substr(0, answer.find(turn));
    }
    for (bool again = true; again;) {
        again = false;
        answer = trim(answer);
        for (const std::string_view trailer : kTrailers) {
            if (answer.ends_with(trailer)) {
                answer.remove_suffix(trailer.size());
                again = true;
            }
        }
    }
    const std::array<std::string_view, 3> tags{"<answer>", "</answer>", kThink};
    split.answer = trim(without(answer, tags));
    return split;
}

std::vector<FieldLabel> find_labels(std::string_view answer) {
    std::vector<FieldLabel> labels;
    bool is_line_start = true;
    for (std::size_t i = 0; i < answer.size(); ++i) {
        if (is_line_start && answer[i] != ' ' && answer[i] != '\t') {
            is_line_start = false;
            if (const auto label = label_at(answer, i, skip_decoration(answer, i))) {
                labels.push_back(*label);
                i = label->value - 1;
                continue;
            }
        } else if ((answer[i] == 'A' || answer[i] == 'O') && i > 0 && is_space(answer[i - 1])) {
            // "Thought: ... Action: ... Observation: ..." on one line
            const std::string_view rest = answer.substr(i);
            if (rest.starts_with("Action:")) {
                labels.push_back({FieldName::Act, i, i + std::string_view("Action:").size()});
            } else if (rest.starts_with("Observation:")) {
                labels.push_back({FieldName::Observation, i, i + std::string_view("Observation:").size()});
            }
        }
        is_line_start = is_line_start || answer[i] == '\n';
    }
    return labels;
}

std::vector<BoxSpan> find_boxes(std::string_view answer, const std::vector<FieldLabel>& labels) {
    std::vector<BoxSpan> boxes;
    bool is_open = false;
    const auto close_at = [&](std::size_t inner_end, std::size_t outer_end) {
        if (is_open) {
            boxes.back().inner.end = inner_end;
            boxes.back().outer.end = outer_end;
        }
        is_open = false;
    };
    const auto close_before = [&](std::size_t stop) { // no closing token came: a memory part ends the box as well
        if (is_open) {
            auto label = std::ranges::lower_bound(labels, boxes.back().inner.begin, {}, &FieldLabel::begin);
            while (label != labels.end() && label->begin < stop && label->name != FieldName::Memory) {
                ++label;
            }
            stop = label != labels.end() ? std::min(stop, label->begin) : stop;
        }
        close_at(stop, stop);
    };
    for (std::size_t at = answer.find("<|"); at != std::string_view::npos; at = answer.find("<|", at + 2)) {
        const std::string_view rest = answer.substr(at);
        if (rest.starts_with(kBoxEnd)) {
            close_at(at, at + kBoxEnd.size());
        } else if (rest.starts_with(kBoxBegin[0]) || rest.starts_with(kBoxBegin[1])) {
            close_before(at);
            const std::size_t inner = at + kBoxBegin[0].size(); // both tokens have one length
            boxes.push_back({{at, inner}, {inner, inner}});
            is_open = true;
        }
    }
    close_before(answer.size());
    return boxes;
}

std::vector<TextSpan> find_fences(std::string_view answer) {
    std::vector<TextSpan> fences;
    constexpr std::string_view kFence = "```";
    std::size_t open = answer.find(kFence);
    while (open != std::string_view::npos) {
        std::size_t begin = open + kFence.size();
        while (begin < answer.size() && begin < open + 16 && std::isalpha(static_cast<unsigned char>(answer[begin])) != 0) {
            ++begin; // the language
        }
        const std::size_t close = answer.find(kFence, begin);
        fences.push_back({begin, std::min(close, answer.size())});
        open = close == std::string_view::npos ? close : answer.find(kFence, close + kFence.size());
    }
    return fences;
}

} // namespace handeye
