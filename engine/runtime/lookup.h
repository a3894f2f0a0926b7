// SPDX-License-Identifier: Apache-2.0
// Guesses the next tokens without a model: what followed the last time that the same few tokens stood here, in the prompt or in the
// answer (Saxena 2023, "Prompt Lookup Decoding"). A guess costs nothing but the rows that check it. Pure.
#pragma once

#include "base/clock.h"
#include "engine/models/model.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace handeye {

/// The tokens of one sequence by their last few. One thread at a time.
class PromptLookup {
public:
    void append(std::span<const TokenId> ids);
    /// What followed the latest earlier place that ends in the same kTokens as the sequence; at most `count`, empty without such a place.
    [[nodiscard]] std::vector<TokenId> guess(std::size_t count) const;

    static constexpr std::size_t kTokens = 3; ///< fewer match by chance, more match too late

private:
    [[nodiscard]] std::uint64_t key_at(std::size_t end) const;

    std::vector<TokenId> ids_;
    std::unordered_map<std::uint64_t, std::uint32_t> after_; // what stands before a place, to the place; the latest
};

/// The newest answers of each session, to guess from: an agent's steps begin and end alike. Within bounds; the session that has been quiet
/// for longest is forgotten first. Any thread.
class AnswerMemory {
public:
    void remember(const std::string& session, std::span<const TokenId> answer);
    /// Oldest first, kBetween after each.
    [[nodiscard]] std::vector<TokenId> recall(const std::string& session) const;

    static constexpr std::size_t kSessionsMax = 32;
    static constexpr std::size_t kTokensMax = 2048; ///< of one session
    static constexpr TokenId kBetween = -1;         ///< no token: nothing is guessed from one answer into the next

private:
    struct Session {
        std::string name;
        std::vector<TokenId> ids;
    };
    mutable std::mutex mutex_;
    std::list<Session> sessions_; ///< newest first
};

/// Whether checking guesses pays on this machine at the moment: what a pass with guesses brings and costs beside one without.
class GuessPolicy {
public:
    /// How many tokens may be guessed now; 0: none for a while.
    [[nodiscard]] std::size_t allowed() const { return pause_ > 0 ? 0 : kGuessMax; }
    /// A pass over one sequence: `guessed` tokens were checked, `gained` new ones came.
    void note(std::size_t guessed, std::size_t gained, Duration took);

    static constexpr std::size_t kGuessMax = 7; ///< one pass computes the token that is due and these

private:
    double plain_s_ = 0; // of a pass without guesses; 0: none was seen
    double gain_ = 1.15; // tokens for the time of one, with guesses
    int pause_ = 0;      // tokens until guessing is tried again
    int next_pause_ = 32;
};

} // namespace handeye
