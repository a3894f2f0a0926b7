// SPDX-License-Identifier: Apache-2.0
// Any bytes as a grammar, a JSON Schema or a regular expression: an error or a grammar in bounded time, and a grammar's masks always
// leave a way on that can be taken and taken back.
#include "engine/grammar/cache.h"
#include "engine/grammar/json_schema.h"
#include "engine/grammar/matcher.h"
#include "engine/grammar/regex.h"

#include <cstdint>
#include <cstdlib>

namespace handeye {
namespace {

constexpr int kStepsMax = 24;

std::shared_ptr<const VocabularyTrie> vocabulary() {
    std::vector<TokenEntry> tokens;
    for (int byte = 0; byte < 256; ++byte) {
        tokens.push_back({std::string(1, static_cast<char>(byte))});
    }
    for (const char* word : {"tr", "ue", "{\"", "\": ", "aaaaaaaaaaaaaaaaaaaaaaaa"}) {
        tokens.push_back({word});
    }
    tokens.push_back({"<a>", true});
    tokens.push_back({"<|user|>", true});
    return std::make_shared<const VocabularyTrie>(*VocabularyTrie::build(tokens, {static_cast<TokenId>(tokens.size()) - 1}));
}

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// The text as a grammar; nullopt: it was refused, with words.
std::optional<std::string> grammar_of(std::uint8_t kind, std::string_view text) {
    if (kind % 3 == 0) {
        return std::string(text);
    }
    const Result<std::string> gbnf = kind % 3 == 1 ? schema_grammar(text, kind < 128 ? JsonSpacing::Flexible : JsonSpacing::Compact) : regex_grammar(text);
    require(gbnf.has_value() || !gbnf.error().message.empty());
    return gbnf ? std::optional(*gbnf) : std::nullopt;
}

void walk(GrammarMatcher matcher, std::size_t seed) {
    for (int step = 0; step < kStepsMax && !matcher.has_ended(); ++step) {
        const auto mask = matcher.mask();
        if (!mask) {
            require(mask.error().code == ErrorCode::LimitExceeded);
            return;
        }
        require((*mask)->count() > 0);
        static_cast<void>(matcher.forced(64));
        TokenId id = static_cast<TokenId>((seed = seed * 6364136223846793005ULL + 1442695040888963407ULL) >> 33U) % 263;
        while (!(*mask)->allows(id)) {
            id = (id + 1) % 263;
        }
        const auto accepted = matcher.accept(id);
        if (!accepted) {
            require(accepted.error().code == ErrorCode::LimitExceeded);
            return;
        }
        if (step % 5 == 4) {
            require(matcher.rollback(2).has_value());
        }
    }
}

} // namespace
} // namespace handeye

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    static const auto kVocabulary = vocabulary();
    if (size == 0 || size > 8192) {
        return 0;
    }
    const auto gbnf = grammar_of(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    if (!gbnf) {
        return 0;
    }
    GrammarCache cache(kVocabulary, {.masks_bytes = 64U << 10U});
    const auto grammar = cache.get(*gbnf);
    if (!grammar) {
        require(!grammar.error().message.empty());
        return 0;
    }
    const auto matcher = GrammarMatcher::start(*grammar);
    if (matcher) {
        walk(*matcher, size);
    }
    return 0;
}
