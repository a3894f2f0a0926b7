// SPDX-License-Identifier: Apache-2.0
// What a model says, told apart as it comes: its thoughts, its answer, and the boxes in that. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace handeye::chat {

enum class Speech { Thought, Answer, Box };
using OnSpeech = std::function<void(Speech kind, std::string_view text)>;

/// `<think>` at the beginning to `</think>` is a thought; `<answer>` tags and the markers of boxes are left out of what is handed on, as
/// are empty lines where a part begins. A tag may come in pieces.
class SpeechSplitter {
public:
    explicit SpeechSplitter(OnSpeech on_speech) : on_speech_(std::move(on_speech)) {}
    void put(std::string_view text);
    /// Hands on what was held back: the beginning of a tag that never came.
    void end();
    /// Whether a thought was begun and not ended.
    [[nodiscard]] bool is_thinking() const { return kind_ == Speech::Thought; }

private:
    void say(std::string_view text);
    void enter(Speech kind);
    bool take_tag(std::string_view tag);

    OnSpeech on_speech_;
    std::string held_;
    Speech kind_ = Speech::Answer;
    bool is_fresh_ = true;     ///< nothing of this part was said yet
    bool has_answered_ = false;
};

struct Spoken {
    std::string thought;
    std::string answer;           ///< boxes without their markers
    std::string for_history;      ///< the answer as it goes back to the model: boxes with their markers, no thought, no tags
    bool is_thought_open = false; ///< it never came to an answer
};
Spoken take_apart(std::string_view text);

} // namespace handeye::chat
