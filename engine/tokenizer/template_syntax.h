// SPDX-License-Identifier: Apache-2.0
// A chat template as tokens and as a tree.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/template_value.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye::jinja {

enum class TokenKind { Text, VariableBegin, VariableEnd, BlockBegin, BlockEnd, Name, String, Integer, Float, Operator, End };

struct Token {
    TokenKind kind = TokenKind::End;
    std::string text; ///< a string's value, without quotes and escapes
    int line = 0;
};

/// White space control, trim_blocks and lstrip_blocks are applied here; comments and raw blocks are gone.
Result<std::vector<Token>> tokenize(std::string_view source);

enum class ExprKind {
    Constant, Name, Sequence, Mapping, // Mapping: key, value, key, value, ...
    Attribute, Subscript, Slice, Call,
    Filter, Test, // name; args[0] is the operand
    Not, Negate, Plus,
    And, Or, Compare, // Compare: a op b op c ...; operators in `operators`
    Binary, Choice,   // Choice: value, condition, otherwise (may be missing)
    Missing,          // an absent bound of a slice
};

struct NamedExpr;
struct Expr {
    ExprKind kind = ExprKind::Missing;
    int line = 0;
    int height = 0;   ///< of the tree below: bounded, because evaluation and destruction recurse
    std::string name; ///< of a variable, attribute, filter, test or binary operator
    Value constant;
    std::vector<Expr> args;
    std::vector<NamedExpr> named; ///< keyword arguments of a call or filter
    std::vector<std::string> operators;
};
struct NamedExpr {
    std::string name;
    Expr value;
};

enum class StatementKind { Text, Print, If, For, Set, SetBlock, Macro, Group, Break, Continue };

struct Branch;
struct Statement {
    StatementKind kind = StatementKind::Text;
    int line = 0;
    std::string text;                    ///< literal text, or a macro's name
    std::vector<std::string> targets;    ///< names that For and Set bind; {"ns", "field"} when `to_field`
    bool to_field = false;
    std::vector<Expr> exprs;             ///< the printed, iterated or assigned expression; For: then its `if`
    std::vector<Statement> body;
    std::vector<Statement> otherwise;    ///< For: else
    std::vector<Branch> branches;        ///< If
    std::vector<NamedExpr> parameters;   ///< Macro; Missing: no default
};
struct Branch {
    Expr condition; ///< Missing: else
    std::vector<Statement> body;
};

/// Errors name the line and the construct that is not supported; nesting deeper than `depth_max` is refused.
Result<std::vector<Statement>> parse_tokens(std::vector<Token> tokens, int depth_max);

} // namespace handeye::jinja
