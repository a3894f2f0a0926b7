// SPDX-License-Identifier: Apache-2.0
// A grammar as written: expressions in one arena, so that deep ones need no deep destructor. Inside engine/grammar/ only.
#pragma once

#include "base/result.h"
#include "engine/grammar/grammar.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Code points, both ends included.
struct CodeRange {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    bool operator==(const CodeRange&) const = default;
};
inline constexpr std::uint32_t kCodeMax = 0x10FFFF;
/// Sorted, without overlaps, without surrogates.
std::vector<CodeRange> normalized(std::vector<CodeRange> ranges);
/// Every code point that is in none of them.
std::vector<CodeRange> complement(const std::vector<CodeRange>& ranges);

/// The code point of one valid UTF-8 character.
std::uint32_t code_point_of(std::string_view character);

using ExpressionId = std::uint32_t;
struct Expression {
    enum class Kind { Literal, Class, Token, Rule, Sequence, Choice, Repeat };
    static constexpr std::uint32_t kForever = 0xFFFFFFFF;

    Kind kind = Kind::Sequence;
    std::string bytes = {};                ///< Literal
    std::vector<CodeRange> ranges = {};    ///< Class, normalized and not empty
    std::uint32_t index = 0;               ///< Token, Rule
    std::uint32_t min = 0;                 ///< Repeat
    std::uint32_t max = 0;                 ///< Repeat; kForever: no end
    std::vector<ExpressionId> parts = {};  ///< Sequence, Choice; Repeat has one
};

struct SyntaxRule {
    std::string name;
    ExpressionId body = 0;
    int line = 0; ///< of its definition, or of its first use while it has none
    int column = 0;
    bool is_defined = false;
};

struct Syntax {
    std::vector<Expression> expressions;
    std::vector<SyntaxRule> rules;
    std::vector<std::string> tokens; ///< texts of added tokens
    std::uint32_t root = 0;
    std::vector<bool> is_nullable;   ///< by expression; filled by check_syntax
};

/// The text's structure; rules that are used are all defined.
Result<Syntax> parse_gbnf(std::string_view text, const GrammarOptions& options);
/// Fills is_nullable; refuses left recursion and rules that match nothing.
Result<void> check_syntax(Syntax& syntax);

} // namespace handeye
