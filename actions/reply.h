// SPDX-License-Identifier: Apache-2.0
// The outer parts of a reply: thinking, answer, labelled fields, boxes, fences. Knows no action.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct SplitReply {
    std::string thinking;
    std::string answer;              ///< without answer tags and closing role tokens; CRLF is LF
    bool is_thinking_open = false;   ///< <think> without </think>: the answer never came
};
SplitReply split_reply(std::string_view reply);

/// Half-open range of bytes.
struct TextSpan {
    std::size_t begin = 0;
    std::size_t end = 0;
    [[nodiscard]] bool holds(std::size_t at) const { return at >= begin && at < end; }
    [[nodiscard]] bool is_inside(TextSpan outer) const { return begin >= outer.begin && end <= outer.end; }
};

enum class FieldName { Memory, Reason, Act, Thought, Observation };
/// "**Action:**" and the like; `begin` is the first character of the label itself or of what decorates it.
struct FieldLabel {
    FieldName name = FieldName::Act;
    std::size_t begin = 0;
    std::size_t value = 0; ///< first byte after the colon
};
/// Labels at line starts, and "Action:" and "Observation:" within a line after a space, in order.
std::vector<FieldLabel> find_labels(std::string_view answer);

struct BoxSpan {
    TextSpan outer; ///< tokens included
    TextSpan inner;
};
/// Boxes in order; one that is not closed ends at the next box, the next label, or the end.
std::vector<BoxSpan> find_boxes(std::string_view answer, const std::vector<FieldLabel>& labels);

/// Insides of ``` fences, the language's name excluded; the last may be open.
std::vector<TextSpan> find_fences(std::string_view answer);

/// The text without box tokens.
std::string without_box_tokens(std::string_view text);
std::string_view trim(std::string_view text);

} // namespace handeye
