// SPDX-License-Identifier: Apache-2.0
// What masks cost in processor time on a vocabulary of 151,552 tokens, printed and not judged. HANDEYE_GLM4_TOKENIZER names the real
// tokenizer.model; without it the vocabulary is made up: words and their pieces from a seeded generator, of the real one's size and lengths.
#pragma once

#include "tests/engine/grammar_words.h"

#include <algorithm>
#include <ctime>
#include <set>

#include <fmt/format.h>

namespace handeye {

inline constexpr int kVocabulary = 151'552;
/// Time of this thread on a processor, in microseconds: other programs of the machine do not count.
struct ThreadClock {
    static double now() {
        timespec t{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
    }
};
inline double microseconds(double begin) {
    return ThreadClock::now() - begin;
}

/// Words of four scripts, with and without a space before, and runs of blanks and signs.
inline std::vector<TokenEntry> made_up_tokens() {
    std::vector<TokenEntry> tokens;
    std::set<std::string> known;
    const auto add = [&](const std::string& bytes) {
        if (known.insert(bytes).second && tokens.size() + 20 < kVocabulary) {
            tokens.push_back({bytes});
        }
    };
    for (int byte = 0; byte < 256; ++byte) {
        add(std::string(1, static_cast<char>(byte)));
    }
    for (std::size_t n = 1; n <= 128; ++n) {
        for (const char c : std::string_view(" \t\n=-*#_/.")) {
            add(std::string(n, c));
        }
    }
    std::mt19937_64 random(151'552);
    const std::vector<std::string> syllables{"in", "er", "tion", "al", "re", "con", "st", "ment", "un", "de", "ly", "o", "a", "e", "s", "ing", "pro", "ch", "ver", "ab"};
    while (tokens.size() + 20 < kVocabulary) {
        std::string word = random() % 2 == 0 ? " " : "";
        const auto kind = random() % 10;
        if (kind < 6) {
            for (auto n = 1 + random() % 4; n > 0; --n) {
                word += syllables[random() % syllables.size()];
            }
        } else if (kind < 9) {
            word.clear();
            for (auto n = 1 + random() % 4; n > 0; --n) { // U+4E00 to U+9FFF
                const auto code = 0x4E00 + random() % 0x5200;
                word += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)), static_cast<char>(0x80 | (code & 0x3F))};
            }
        } else {
            for (auto n = 1 + random() % 3; n > 0; --n) {
                word += "\"'(){}[]:;,<>\\/=+-_.!?0123456789"[random() % 32];
            }
        }
        add(word);
    }
    return tokens;
}

struct FullVocabulary {
    std::shared_ptr<const VocabularyTrie> vocabulary;
    std::string name;
    double build_us = 0;
};
inline FullVocabulary vocabulary_of_full_size() {
    const std::vector<std::string> tags{"<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
                                        "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_box|>", "<|end_of_box|>", "<think>", "</think>", "<answer>", "</answer>"};
    FullVocabulary source;
    const char* const path = std::getenv("HANDEYE_GLM4_TOKENIZER");
    if (path != nullptr) {
        const auto tokenizer = Tokenizer::from_tiktoken_file(path, tags);
        EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
        const auto begin = ThreadClock::now();
        source.vocabulary = std::make_shared<const VocabularyTrie>(*VocabularyTrie::build(*tokenizer, kVocabulary, {*tokenizer->added_token("<|user|>")}));
        source.build_us = microseconds(begin);
        source.name = "GLM-4";
    } else {
        std::vector<TokenEntry> tokens = made_up_tokens();
        std::ranges::transform(tags, std::back_inserter(tokens), [](const std::string& tag) { return TokenEntry{tag, true}; });
        const auto stop = static_cast<TokenId>(tokens.size()) - 11;
        tokens.resize(kVocabulary);
        const auto begin = ThreadClock::now();
        source.vocabulary = std::make_shared<const VocabularyTrie>(*VocabularyTrie::build(tokens, {stop}));
        source.build_us = microseconds(begin);
        source.name = "made up";
    }
    return source;
}

inline double at_share(std::vector<double>& times, double share) {
    std::ranges::sort(times);
    return times.empty() ? 0 : times[std::min(times.size() - 1, static_cast<std::size_t>(share * static_cast<double>(times.size())))];
}

/// Walks sentences of a grammar token by token, as a sampler would, and times each mask.
inline void measure(const FullVocabulary& source, const char* name, std::string_view gbnf) {
    GrammarCache cache(source.vocabulary);
    const auto compiled_at = ThreadClock::now();
    const auto grammar = cache.get(gbnf);
    ASSERT_TRUE(grammar.has_value()) << grammar.error().message;
    const double compile_us = microseconds(compiled_at);
    std::mt19937_64 random(3);
    std::vector<double> first, warm, accepts;
    for (int round = 0; round < 20; ++round) {
        GrammarMatcher matcher = *GrammarMatcher::start(*grammar);
        for (int step = 0; step < 150 && !matcher.is_complete(); ++step) {
            const auto misses = cache.mask_counts().misses;
            const auto begin = ThreadClock::now();
            const auto mask = matcher.mask();
            const double took = microseconds(begin);
            ASSERT_TRUE(mask.has_value());
            (cache.mask_counts().misses > misses ? first : warm).push_back(took);
            TokenId id = static_cast<TokenId>(random() % kVocabulary);
            for (int tries = 0; !(*mask)->allows(id) || source.vocabulary->is_stop(id); ++tries) {
                id = (id + 1) % kVocabulary;
            }
            const auto accept_at = ThreadClock::now();
            ASSERT_TRUE(matcher.accept(id));
            accepts.push_back(microseconds(accept_at));
        }
    }
    std::vector<double> all = first;
    all.insert(all.end(), warm.begin(), warm.end());
    fmt::print("grammar {:<10} vocabulary {} ({}): compile {:.0f} us; mask first n {} p50 {:.0f} p99 {:.0f} max {:.0f} us; again n {} p50 {:.1f} p99 {:.1f} max {:.0f} us; "
               "all p99 {:.0f} us; accept p50 {:.1f} p99 {:.1f} us; masks {} KiB\n",
               name, source.name, kVocabulary, compile_us, first.size(), at_share(first, 0.5), at_share(first, 0.99), at_share(first, 1), warm.size(),
               at_share(warm, 0.5), at_share(warm, 0.99), at_share(warm, 1), at_share(all, 0.99), at_share(accepts, 0.5), at_share(accepts, 0.99),
               cache.mask_counts().bytes >> 10U);
}

} // namespace handeye
