// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/answer_guide.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

namespace handeye {
namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";
constexpr std::string_view kWhite = " \t\r\n";
constexpr std::size_t kPromptTail = 16; // tokens in which a template opens a thought
constexpr std::size_t kForcedBytesMax = 512;

/// Whether the prompt's last word opens a thought, which a model without a token for it spells out.
bool opens_thought(const Tokenizer& tokenizer, std::span<const TokenId> prompt) {
    std::string text;
    for (const TokenId id : prompt.last(std::min(kPromptTail, prompt.size()))) {
        text += tokenizer.token_bytes(id);
    }
    text.resize(text.find_last_not_of(kWhite) + 1);
    return text.ends_with(kThink);
}

/// It is the grammar that is too much, not the prompt.
template <class Value>
Result<Value> of_grammar(Result<Value> made) {
    if (!made && made.error().code == ErrorCode::LimitExceeded) {
        return Error{ErrorCode::InvalidArgument, "the answer's grammar: " + made.error().message};
    }
    return made;
}

} // namespace

Result<AnswerGuide> AnswerGuide::start(GrammarCache& grammars, const Tokenizer& tokenizer, const AnswerGrammar& grammar, std::span<const TokenId> prompt) {
    const auto added = grammar.added_tokens_as_text ? AddedTokenUse::ForItsText : AddedTokenUse::WhereNamed;
    const std::shared_ptr<TokenGrammar> compiled = TRY(of_grammar(grammars.get(grammar.gbnf, added)));
    const GrammarMatcher matcher = TRY(of_grammar(GrammarMatcher::start(compiled)));
    AnswerGuide guide(tokenizer, matcher);
    guide.added_ = grammar.added_tokens_as_text ? AddedTokens::Recognised : AddedTokens::AsText;
    guide.think_ = tokenizer.added_token(kThink);
    guide.phase_ = opens_thought(tokenizer, prompt) ? Phase::Thinking : guide.think_ ? Phase::Beginning : Phase::Answering;
    return guide;
}

Result<AllowedIds> AnswerGuide::allowed() const {
    if (phase_ == Phase::Thinking) {
        return AllowedIds();
    }
    std::shared_ptr<const TokenMask> mask = TRY(of_grammar(matcher_.mask()));
    const TokenId thought = phase_ == Phase::Beginning ? *think_ : -1;
    if (thought < 0 && std::ranges::all_of(mask->words(), [](std::uint64_t word) { return word == 0; })) {
        return Error{ErrorCode::InvalidArgument, "no token of this model's vocabulary fits the grammar here"};
    }
    return AllowedIds(std::move(mask), thought);
}

void AllowedIds::mask(std::span<float> logits) const {
    const std::span<const std::uint64_t> words = are_all() ? std::span<const std::uint64_t>() : mask_->words();
    for (std::size_t word = 0; word < words.size(); ++word) {
        const std::size_t end = words[word] == ~std::uint64_t{0} ? 0 : std::min(logits.size(), (word + 1) * 64);
        for (std::size_t id = word * 64; id < end; ++id) {
            if ((words[word] >> (id % 64) & 1U) == 0 && static_cast<TokenId>(id) != thought_) {
                logits[id] = -std::numeric_limits<float>::infinity();
            }
        }
    }
}

std::vector<std::uint32_t> AllowedIds::bits() const {
    std::vector<std::uint32_t> out;
    for (const std::uint64_t word : mask_->words()) {
        out.push_back(static_cast<std::uint32_t>(word));
        out.push_back(static_cast<std::uint32_t>(word >> 32U));
    }
    if (const auto id = static_cast<std::size_t>(thought_); thought_ >= 0 && id / 32 < out.size()) {
        out[id / 32] |= 1U << (id % 32);
    }
    return out;
}

std::optional<AnswerGuide::Ahead> AnswerGuide::ahead() const {
    if (phase_ == Phase::Thinking) {
        return std::nullopt;
    }
    auto key = matcher_.mask_key();
    return key ? std::optional(Ahead{matcher_.shared_grammar(), *std::move(key)}) : std::nullopt;
}

Result<void> AnswerGuide::accept(TokenId id) {
    TRY(step(id));
    last_ = id;
    return {};
}

Result<void> AnswerGuide::step(TokenId id) {
    const std::string_view bytes = tokenizer_->token_bytes(id);
    if (phase_ == Phase::Beginning && (id == think_ || bytes == kThinkEnd)) {
        phase_ = Phase::Thinking;
        matcher_ = start_; // what white space came belongs to the thought
    }
    if (phase_ == Phase::Thinking) {
        return accept_thought(id);
    }
    TRY(matcher_.accept(id));
    if (phase_ == Phase::Beginning && bytes.find_first_not_of(kWhite) != std::string_view::npos) {
        phase_ = Phase::Answering;
    }
    return {};
}

// A thought ends with its tag, be it a token or spelled out; the token that ends it may hold the answer's first bytes, too.
Result<void> AnswerGuide::accept_thought(TokenId id) {
    tail_ += tokenizer_->token_bytes(id);
    const std::size_t end = tail_.find(kThinkEnd);
    if (end == std::string::npos) {
        tail_.erase(0, tail_.size() - std::min(tail_.size(), kThinkEnd.size() - 1));
        return {};
    }
    phase_ = Phase::Answering;
    const std::string rest = tail_.substr(end + kThinkEnd.size());
    return rest.empty() ? Result<void>() : matcher_.accept_bytes(rest);
}

std::vector<TokenId> AnswerGuide::forced() const {
    if (phase_ != Phase::Answering) {
        return {};
    }
    const ForcedText text = matcher_.forced(kForcedBytesMax);
    const VocabularyTrie& vocabulary = matcher_.grammar().vocabulary();
    std::vector<TokenId> ids = continuation(text.bytes);
    std::size_t at = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!text.ends_whole && has_longer(vocabulary, std::string_view(text.bytes).substr(at))) {
            ids.resize(i);
            return ids;
        }
        at += tokenizer_->token_bytes(ids[i]).size();
    }
    if (text.token && at == text.bytes.size()) {
        ids.push_back(*text.token);
    }
    return ids;
}

bool AnswerGuide::has_longer(const VocabularyTrie& vocabulary, std::string_view rest) const {
    const auto is_longer = [rest](const VocabularyTrie::AddedToken& token) { return token.text.size() > rest.size() && token.text.starts_with(rest); };
    return vocabulary.has_longer(rest) || (added_ == AddedTokens::Recognised && std::ranges::any_of(vocabulary.added(), is_longer));
}

// Models know texts as their tokenizer cuts them: one that is cut otherwise is another text to them.
std::vector<TokenId> AnswerGuide::continuation(const std::string& text) const {
    if (text.empty()) {
        return {};
    }
    const std::string_view before = tokenizer_->added_token(tokenizer_->token_bytes(last_)) ? std::string_view() : tokenizer_->token_bytes(last_);
    std::vector<TokenId> ids = tokenizer_->encode(std::string(before) + text, added_);
    if (before.empty()) {
        return ids;
    }
    if (ids.front() != last_) {
        return {}; // both together would be cut elsewhere
    }
    ids.erase(ids.begin());
    return ids;
}

} // namespace handeye
