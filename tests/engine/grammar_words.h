// SPDX-License-Identifier: Apache-2.0
// Small vocabularies for grammars, and a walker that writes random sentences of one.
#pragma once

#include "engine/grammar/cache.h"
#include "engine/grammar/matcher.h"

#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {

/// Every byte as a token (id = byte), then `words`, then `added`; the stop id is the last one of all.
inline std::shared_ptr<const VocabularyTrie> byte_vocabulary(const std::vector<std::string>& words = {}, const std::vector<std::string>& added = {}) {
    std::vector<TokenEntry> tokens;
    for (int byte = 0; byte < 256; ++byte) {
        tokens.push_back({std::string(1, static_cast<char>(byte))});
    }
    for (const std::string& word : words) {
        tokens.push_back({word});
    }
    for (const std::string& word : added) {
        tokens.push_back({word, true});
    }
    tokens.push_back({"<|user|>", true});
    const auto stop = static_cast<TokenId>(tokens.size()) - 1;
    auto trie = VocabularyTrie::build(tokens, {stop});
    EXPECT_TRUE(trie.has_value()) << trie.error().message;
    return std::make_shared<const VocabularyTrie>(*std::move(trie));
}

/// A matcher at the beginning of a grammar, over bytes alone unless another vocabulary is given.
inline GrammarMatcher matcher_of(std::string_view gbnf, std::shared_ptr<const VocabularyTrie> vocabulary = byte_vocabulary(),
                                 AddedTokenUse added = AddedTokenUse::WhereNamed) {
    GrammarCache cache(std::move(vocabulary));
    auto grammar = cache.get(gbnf, added);
    if (!grammar) {
        ADD_FAILURE() << grammar.error().message << "\n" << gbnf.substr(0, 2000);
        std::abort();
    }
    auto matcher = GrammarMatcher::start(*grammar);
    if (!matcher) {
        ADD_FAILURE() << matcher.error().message;
        std::abort();
    }
    return *std::move(matcher);
}

/// Whether the grammar's language holds the text.
inline bool accepts(const GrammarMatcher& start, std::string_view text) {
    GrammarMatcher matcher = start;
    return matcher.accept_bytes(text).has_value() && matcher.may_end();
}

/// A sentence of random bytes that may come; where the text may end it does with one chance in `patience`, and from `bytes_max` on
/// wherever it can. nullopt: it did not come to an end within four times as many.
inline std::optional<std::string> random_sentence(GrammarMatcher matcher, std::mt19937_64& random, std::size_t bytes_max = 400,
                                                  unsigned patience = 8) {
    std::string sentence;
    const int stop = matcher.grammar().vocabulary().stop_ids().front();
    while (sentence.size() < 4 * bytes_max) {
        if (matcher.is_complete() || (matcher.may_end() && (sentence.size() >= bytes_max || random() % patience == 0))) {
            return sentence;
        }
        const auto mask = matcher.mask();
        if (!mask) {
            ADD_FAILURE() << mask.error().message;
            return std::nullopt;
        }
        std::vector<TokenId> ids;
        for (TokenId id = 0; id < matcher.grammar().vocabulary().vocabulary_size(); ++id) {
            if ((*mask)->allows(id) && id != stop) {
                ids.push_back(id);
            }
        }
        if (ids.empty()) {
            ADD_FAILURE() << "no way on after: " << sentence;
            return std::nullopt;
        }
        // Signs and whole words as often as other bytes: they decide where a sentence goes.
        std::vector<TokenId> signs;
        std::vector<TokenId> words;
        for (const TokenId id : ids) {
            if (id < 128 && std::isalnum(id) == 0 && id != ' ') {
                signs.push_back(id);
            } else if (id >= 256) {
                words.push_back(id);
            }
        }
        const auto kind = random() % 4;
        const std::vector<TokenId>& from = kind == 0 && !signs.empty() ? signs : kind == 1 && !words.empty() ? words : ids;
        const TokenId id = from[random() % from.size()];
        const auto accepted = matcher.accept(id);
        if (!accepted) {
            ADD_FAILURE() << accepted.error().message << " after: " << sentence;
            return std::nullopt;
        }
        sentence += matcher.grammar().vocabulary().bytes(id);
    }
    return std::nullopt;
}

} // namespace handeye
