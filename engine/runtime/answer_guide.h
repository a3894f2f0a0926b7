// SPDX-License-Identifier: Apache-2.0
// Holds one answer to its grammar, token by token: thinking passes freely, then only what the grammar allows is left to choose from.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/grammar/cache.h"
#include "engine/grammar/matcher.h"
#include "engine/tokenizer/tokenizer.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace handeye {

/// The ids that may come next.
class AllowedIds {
public:
    AllowedIds() = default; ///< all
    /// `thought`: an id that may come, too; -1: none.
    AllowedIds(std::shared_ptr<const TokenMask> mask, TokenId thought) : mask_(std::move(mask)), thought_(thought) {}

    [[nodiscard]] bool are_all() const { return mask_ == nullptr; }
    [[nodiscard]] bool has(TokenId id) const { return are_all() || mask_->allows(id) || (id == thought_ && id >= 0); }
    /// Makes the logits of all other ids minus infinity.
    void mask(std::span<float> logits) const;
    /// As device::Candidates::masks has them; not of all.
    [[nodiscard]] std::vector<std::uint32_t> bits() const;

private:
    std::shared_ptr<const TokenMask> mask_;
    TokenId thought_ = -1;
};

/// One thread at a time.
class AnswerGuide {
public:
    /// `prompt`: one that ends in `<think>` has begun the thought already. Errors: those of the grammar's text, LimitExceeded.
    static Result<AnswerGuide> start(GrammarCache& grammars, const Tokenizer& tokenizer, const AnswerGrammar& grammar, std::span<const TokenId> prompt);

    /// InvalidArgument: none.
    [[nodiscard]] Result<AllowedIds> allowed() const;
    /// What stands now has its mask computed ahead, on whatever thread calls this. Null: nothing is to be done.
    struct Ahead {
        std::shared_ptr<TokenGrammar> grammar;
        MaskKey key;
    };
    [[nodiscard]] std::optional<Ahead> ahead() const;

    /// InvalidArgument: the id may not come here; nothing changes then.
    Result<void> accept(TokenId id);
    /// The tokens that must come now, whatever the model thinks of them: as the tokenizer would cut them after the last one, and none
    /// where the model has a longer one to choose. They are not accepted yet.
    [[nodiscard]] std::vector<TokenId> forced() const;
    [[nodiscard]] bool is_thinking() const { return phase_ == Phase::Thinking; }
    [[nodiscard]] bool is_answering() const { return phase_ == Phase::Answering; }
    /// Nothing can follow but the end.
    [[nodiscard]] bool is_complete() const { return phase_ == Phase::Answering && matcher_.is_complete(); }

private:
    enum class Phase {
        Beginning, ///< white space so far: a thought may begin, or the answer
        Thinking,
        Answering,
    };
    AnswerGuide(const Tokenizer& tokenizer, const GrammarMatcher& matcher) : tokenizer_(&tokenizer), start_(matcher), matcher_(matcher) {}
    Result<void> step(TokenId id);
    Result<void> accept_thought(TokenId id);
    [[nodiscard]] bool has_longer(const VocabularyTrie& vocabulary, std::string_view rest) const;
    [[nodiscard]] std::vector<TokenId> continuation(const std::string& text) const;

    const Tokenizer* tokenizer_; ///< not null
    GrammarMatcher start_; ///< before anything came
    GrammarMatcher matcher_;
    Phase phase_ = Phase::Beginning;
    std::optional<TokenId> think_;
    AddedTokens added_ = AddedTokens::AsText; ///< whether one may stand for its text
    std::string tail_; ///< the thought's last bytes
    TokenId last_ = -1; ///< that was accepted
};

} // namespace handeye
