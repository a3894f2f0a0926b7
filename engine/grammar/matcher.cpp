// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/matcher.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

/// The one byte or token that all positions take: a symbol as in Stepper; nullopt: there are several, or the text may end.
std::optional<std::uint32_t> only_symbol(const Network& net, const Positions& positions) {
    std::optional<std::uint32_t> only;
    for (const Position position : positions) {
        const Node& node = net.nodes[position.node];
        if (node.kind != NodeKind::Bytes && node.kind != NodeKind::Token) {
            return std::nullopt;
        }
        const bool is_token = node.kind == NodeKind::Token;
        for (std::uint32_t i = node.first; i < (is_token ? node.first + 1 : node.first + node.second); ++i) {
            if (!is_token && net.edges[i].low != net.edges[i].high) {
                return std::nullopt;
            }
            const std::uint32_t symbol = is_token ? 256 + node.first : net.edges[i].low;
            if (only.value_or(symbol) != symbol) {
                return std::nullopt;
            }
            only = symbol;
        }
    }
    return only;
}

} // namespace

Result<GrammarMatcher> GrammarMatcher::start(std::shared_ptr<TokenGrammar> grammar) {
    GrammarMatcher matcher(std::move(grammar));
    Stepper stepper(matcher.grammar_->network());
    if (!stepper.start(matcher.frames_, matcher.positions_)) {
        return too_ambiguous();
    }
    return matcher;
}

Result<Positions> GrammarMatcher::after(std::string_view bytes) {
    Stepper stepper(grammar_->network());
    Positions now = positions_;
    Positions next;
    for (const char c : bytes) {
        if (!stepper.step(frames_, now, static_cast<unsigned char>(c), next)) {
            return too_ambiguous();
        }
        std::swap(now, next);
        if (now.empty()) {
            break;
        }
    }
    return now;
}

void GrammarMatcher::move_to(Positions positions) {
    past_.push_back({std::move(positions_), has_ended_});
    if (past_.size() > kRollbackMax) {
        past_.pop_front();
    }
    positions_ = std::move(positions);
    compact();
}

/// Keeps the stacks that now and the past still use.
void GrammarMatcher::compact() {
    if (frames_.size() < compact_at_) {
        return;
    }
    constexpr std::uint32_t kWhole = 0xFFFFFFFF;
    FrameStore kept;
    const auto copy = [&](Positions& positions) {
        for (Position& p : positions) {
            p.frame = copy_frame(frames_, p.frame, kept, kWhole);
        }
        std::ranges::sort(positions);
    };
    copy(positions_);
    for (Past& past : past_) {
        copy(past.positions);
    }
    frames_ = std::move(kept);
    compact_at_ = std::max<std::size_t>(1024, 2 * frames_.size());
}

Result<void> GrammarMatcher::accept(TokenId id) {
    const auto refuse = [&] {
        return Error{ErrorCode::InvalidArgument, fmt::format("token {} ('{}') may not come here: the grammar has other ways on", id,
                                                             grammar_->vocabulary().bytes(id).substr(0, 40))};
    };
    if (has_ended_) {
        return Error{ErrorCode::InvalidArgument, fmt::format("token {} comes after the end of the answer", id)};
    }
    if (const auto symbol = grammar_->symbol_of(id)) {
        Positions next;
        if (!Stepper(grammar_->network()).step(frames_, positions_, *symbol, next)) {
            return too_ambiguous();
        }
        if (!next.empty()) {
            move_to(std::move(next));
            return {};
        }
    }
    const VocabularyTrie& vocabulary = grammar_->vocabulary();
    if (may_end() && vocabulary.is_stop(id)) {
        move_to(positions_);
        has_ended_ = true;
        return {};
    }
    const std::string_view bytes = vocabulary.bytes(id);
    if (bytes.empty() || (vocabulary.is_added(id) && grammar_->added_token_use() == AddedTokenUse::WhereNamed)) {
        return refuse();
    }
    Positions next = TRY(after(bytes));
    if (next.empty()) {
        return refuse();
    }
    move_to(std::move(next));
    return {};
}

Result<void> GrammarMatcher::accept_bytes(std::string_view bytes) {
    Positions next = TRY(after(bytes));
    if (next.empty() || has_ended_) {
        return Error{ErrorCode::InvalidArgument, fmt::format("'{}' may not come here: the grammar has other ways on", bytes.substr(0, 80))};
    }
    move_to(std::move(next));
    return {};
}

Result<void> GrammarMatcher::rollback(std::size_t steps) {
    if (steps > past_.size()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} steps cannot be taken back: {} are remembered", steps, past_.size())};
    }
    if (steps > 0) {
        Past& back_to = past_[past_.size() - steps];
        positions_ = std::move(back_to.positions);
        has_ended_ = back_to.has_ended;
        past_.resize(past_.size() - steps);
    }
    return {};
}

Result<std::shared_ptr<const TokenMask>> GrammarMatcher::mask() const {
    if (has_ended_) {
        return std::make_shared<const TokenMask>(grammar_->vocabulary().vocabulary_size());
    }
    const MaskKey key = TRY(mask_key());
    return grammar_->mask(key);
}

ForcedText GrammarMatcher::forced(std::size_t bytes_max) const {
    ForcedText forced;
    if (has_ended_ || !only_symbol(grammar_->network(), positions_)) {
        forced.ends_whole = is_complete();
        return forced;
    }
    GrammarMatcher ahead(grammar_);
    ahead.frames_ = frames_;
    ahead.positions_ = positions_;
    Stepper stepper(grammar_->network());
    Positions next;
    for (auto symbol = only_symbol(grammar_->network(), ahead.positions_); symbol;
         symbol = only_symbol(grammar_->network(), ahead.positions_)) {
        if (*symbol >= 256) {
            forced.token = grammar_->token_of(*symbol);
            forced.ends_whole = true;
            return forced;
        }
        if (forced.bytes.size() >= bytes_max || !stepper.step(ahead.frames_, ahead.positions_, *symbol, next)) {
            return forced;
        }
        forced.bytes += static_cast<char>(*symbol);
        std::swap(ahead.positions_, next);
    }
    forced.ends_whole = ahead.is_complete();
    return forced;
}

} // namespace handeye
