// SPDX-License-Identifier: Apache-2.0
// A grammar over bytes: what a constrained answer may be. Context-free, parsed from GBNF (the notation of llama.cpp and XGrammar),
// compiled once, then immutable: any thread may use it. docs/grammar.md describes the notation.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct Network;

/// What a grammar's text is read with.
struct GrammarOptions {
    /// Full texts of added tokens ("<|end_of_box|>"): a `<name>` of the grammar that is one of these matches that token alone.
    /// Any other `<name>` matches the bytes of its text, brackets included.
    std::vector<std::string> added_tokens = {};
};

class Grammar {
public:
    explicit Grammar(std::shared_ptr<const Network> network) : network_(std::move(network)) {}
    /// The compiled form: for engine/grammar/ alone.
    [[nodiscard]] const Network& network() const { return *network_; }

private:
    std::shared_ptr<const Network> network_;
};

/// Errors name line and column: ParseFailed for the notation, for a rule that is missing, that begins with itself (left recursion) or
/// that nothing can match; LimitExceeded for size, rules, nesting and repeats. Time is linear in the text times its nesting.
Result<std::shared_ptr<const Grammar>> parse_grammar(std::string_view gbnf, const GrammarOptions& options = {});

/// The text as a GBNF literal, quotes included. Bytes that are not UTF-8 become U+FFFD.
std::string gbnf_literal(std::string_view text_utf8);

} // namespace handeye
