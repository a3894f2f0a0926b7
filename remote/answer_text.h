// SPDX-License-Identifier: Apache-2.0
// The text of an answer put together from a server's pieces: thinking that comes apart goes back in front of the answer, as the local
// engine writes it and the parser reads it. Pure.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "remote/chunk.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct AnswerTextOptions {
    std::vector<std::string> stop_texts;
    std::size_t bytes_max = 0; ///< of the whole text
    bool number_chances = false;
    std::string begun;         ///< an earlier part that the server goes on with; it is part of the text
    bool is_answer_begun = false; ///< the thought of `begun` is closed: what a server files under reasoning now is the answer
};

class AnswerText {
public:
    explicit AnswerText(AnswerTextOptions options);

    enum class Grown { GoesOn, StopText };
    /// LimitExceeded beyond bytes_max.
    Result<Grown> add(const AnswerChunk& chunk);
    /// Nothing more comes. Where a server filed a finished answer under reasoning, as happens without a `</think>`, that is the answer.
    void finish(bool is_complete);

    [[nodiscard]] const std::string& text() const { return text_; }
    /// Something of it came, a blank too.
    [[nodiscard]] bool has_new() const { return text_.size() > begun_bytes_; }
    /// `<think>` without `</think>`.
    [[nodiscard]] bool is_thought_open() const;
    [[nodiscard]] bool was_reasoning_apart() const { return was_apart_; }
    [[nodiscard]] std::vector<NumberSpread>& numbers() { return numbers_; }

private:
    void append_reasoning(const std::string& piece);
    void append_content(const std::string& piece);
    void note_numbers(std::size_t from, std::span<const TokenLogprobs> tokens);

    const AnswerTextOptions options_;
    const std::size_t begun_bytes_;
    std::string text_;
    std::string blanks_;      ///< of content that has not begun: between two pieces of reasoning they are nobody's
    bool is_open_ = false;    ///< `<think>` was put in here and is not closed
    bool was_apart_ = false;
    bool has_content_ = false;
    std::vector<NumberSpread> numbers_;
};

/// Where a text may be cut: not within a character. The largest such place up to `at`.
std::size_t character_border(std::string_view text, std::size_t at);

} // namespace handeye
