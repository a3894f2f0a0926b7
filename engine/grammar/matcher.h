// SPDX-License-Identifier: Apache-2.0
// One sequence under a grammar: what may come next, what must come next, and back again. One thread at a time; copies are cheap and
// independent. Masks are shared by all sequences of a grammar.
//
//     const auto grammar = TRY(cache.get(gbnf));
//     GrammarMatcher matcher = TRY(GrammarMatcher::start(grammar));
//     for (;;) {
//         const auto mask = TRY(matcher.mask());          // ids that keep the answer possible; stop ids where it may end
//         const TokenId id = sample(logits, mask->words());
//         TRY(matcher.accept(id));
//         if (matcher.has_ended()) break;                 // a stop id was accepted
//     }
#pragma once

#include "engine/grammar/token_grammar.h"

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace handeye {

/// Text that is the only way on. A caller may append its tokens without asking the model; its last token is better left to the model
/// where `ends_whole` is false, since the model may have a longer token that begins like it.
struct ForcedText {
    std::string bytes;
    std::optional<TokenId> token; ///< after the bytes this added token must come
    bool ends_whole = false;      ///< after the bytes only `token` or the end can come
};

class GrammarMatcher {
public:
    /// Steps that can be taken back.
    static constexpr std::size_t kRollbackMax = 256;

    /// LimitExceeded: the grammar's very beginning is too ambiguous.
    static Result<GrammarMatcher> start(std::shared_ptr<TokenGrammar> grammar);

    /// InvalidArgument: the token may not come here; nothing changes then. A stop id where the grammar may end, ends it.
    Result<void> accept(TokenId id);
    /// Text as one step, whatever its tokens.
    Result<void> accept_bytes(std::string_view bytes);
    /// Takes the last accept() and accept_bytes() back, the newest first. InvalidArgument: there were fewer, or more than kRollbackMax.
    Result<void> rollback(std::size_t steps);

    /// The mask for the next token.
    [[nodiscard]] Result<std::shared_ptr<const TokenMask>> mask() const;
    /// For another thread: `grammar().mask(key)`.
    [[nodiscard]] Result<MaskKey> mask_key() const { return grammar_->key(frames_, positions_); }
    [[nodiscard]] TokenGrammar& grammar() const { return *grammar_; }
    [[nodiscard]] const std::shared_ptr<TokenGrammar>& shared_grammar() const { return grammar_; }

    /// At most `bytes_max` of it.
    [[nodiscard]] ForcedText forced(std::size_t bytes_max = 4096) const;
    /// What stands is a whole answer; more may be possible.
    [[nodiscard]] bool may_end() const { return handeye::may_end(positions_); }
    /// What stands is a whole answer, and nothing can follow but a stop id.
    [[nodiscard]] bool is_complete() const { return may_end() && positions_.size() == 1; }
    [[nodiscard]] bool has_ended() const { return has_ended_; }

private:
    explicit GrammarMatcher(std::shared_ptr<TokenGrammar> grammar) : grammar_(std::move(grammar)) {}
    /// Empty: not possible.
    Result<Positions> after(std::string_view bytes);
    void move_to(Positions positions);
    void compact();

    struct Past {
        Positions positions;
        bool has_ended = false;
    };
    std::shared_ptr<TokenGrammar> grammar_;
    FrameStore frames_;
    std::size_t compact_at_ = 1024; ///< frames
    Positions positions_;
    bool has_ended_ = false;
    std::deque<Past> past_;
};

} // namespace handeye
