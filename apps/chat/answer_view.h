// SPDX-License-Identifier: Apache-2.0
// An answer on its way to the terminal: thoughts dimmed, boxes bold, control characters harmless; and lines about it.
#pragma once

#include "apps/chat/spoken.h"
#include "engine/chat.h"

#include <string>
#include <string_view>

namespace handeye::chat {

struct ViewStyle {
    bool has_colours = false;    ///< a terminal, and NO_COLOR does not say otherwise
    bool shows_thoughts = false; ///< apart from the answer they are of no use in a pipe
};

class AnswerView {
public:
    explicit AnswerView(ViewStyle style);
    /// A piece of the model's text, shown at once.
    void put(std::string_view text);
    /// The text is at its end: colours off, a line ended.
    void end();
    [[nodiscard]] bool has_begun() const { return has_begun_; }

private:
    void show(Speech kind, std::string_view text);

    ViewStyle style_;
    SpeechSplitter splitter_;
    Speech shown_ = Speech::Answer;
    bool has_begun_ = false;
    bool is_at_line_start_ = true;
};

/// "31 tokens, 412 tokens/s; 180 of 212 prompt tokens reused", and why it ended where that was not by itself.
std::string usage_line(const Completion& completion);

/// The text dimmed where there are colours; control characters in it are shown, not obeyed.
std::string dimmed(std::string_view text, const ViewStyle& style);

} // namespace handeye::chat
