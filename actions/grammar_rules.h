// SPDX-License-Identifier: Apache-2.0
// Pieces of GBNF that answers are made of. Inside this folder only.
#pragma once

#include "actions/grammar.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// `text` as a GBNF literal, quotes included.
std::string quoted(std::string_view text);
/// ("a" | "b"); the texts are not empty as a list.
std::string any_of(std::span<const std::string> texts);

/// A text that may hold anything but some characters and some words.
struct FreeText {
    std::string_view name;                        ///< of its rule; `<name>-some` is the same and not empty
    std::string_view without;                     ///< characters, as the inside of a GBNF class
    std::string_view escapes = {};                ///< GBNF of what may stand for a character: R"("\\" ["\\/nrt])"
    std::span<const std::string_view> no_words = {}; ///< ASCII; none of them may occur
};
/// The rules of a text: one for each beginning of a forbidden word, so that what was written decides what may follow.
std::string rules_of(const FreeText& text);

/// How a dialect writes its verbs: the alternatives, each one GBNF; of `options`, only what may be used.
std::vector<std::string> forms_of(Dialect dialect, const AnswerGrammarOptions& options);
/// The same for canonical JSON.
std::vector<std::string> canonical_forms(const AnswerGrammarOptions& options);
/// The rules that the alternatives use.
std::string form_rules(Dialect dialect, const AnswerGrammarOptions& options);

[[nodiscard]] bool is_allowed(std::string_view verb, const AnswerGrammarOptions& options);

} // namespace handeye
