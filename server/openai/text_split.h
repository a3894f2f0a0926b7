// SPDX-License-Identifier: Apache-2.0
// A model's text on its way to a client, piece by piece: cut at stop texts, taken apart into reasoning and answer. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Cuts a text before the first of some texts. What may be the beginning of one is kept back until it is clear.
class StopTrim {
public:
    explicit StopTrim(std::vector<std::string> stops) : stops_(std::move(stops)) {}
    /// What is safe to send now.
    std::string push(std::string_view text);
    /// What was kept back, when nothing more comes.
    std::string finish();

private:
    const std::vector<std::string> stops_;
    std::string pending_;
    bool is_stopped_ = false;
};

/// A text that begins with <think> is reasoning up to </think>, the rest is the answer. The tags themselves are in neither.
class ReasoningSplit {
public:
    struct Piece {
        std::string reasoning;
        std::string content;
        [[nodiscard]] bool is_empty() const { return reasoning.empty() && content.empty(); }
    };
    Piece push(std::string_view text);
    Piece finish();
    /// How many bytes of all that was pushed stand before the answer; nullopt: it has not begun.
    [[nodiscard]] std::optional<std::size_t> content_begin() const { return state_ == State::Content ? std::optional(before_) : std::nullopt; }

private:
    enum class State { Begin, Thinking, AfterThinking, Content };
    /// False: it needs more text.
    bool step(Piece& out);

    /// Of what is pending: not for the answer.
    void drop(std::size_t bytes) {
        before_ += bytes;
        pending_.erase(0, bytes);
    }

    State state_ = State::Begin;
    std::string pending_;
    std::size_t before_ = 0; ///< bytes that were pushed and are not of the answer
};

} // namespace handeye
