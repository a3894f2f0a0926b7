// SPDX-License-Identifier: Apache-2.0
// The expressions of task files: comparisons, arithmetic and a few words over named values. They always end, and what they look
// at can be told without evaluating them.
//
//   or      = and { "or" and }            compare = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "matches" ) sum ]
//   and     = not { "and" not }           sum     = term { ( "+" | "-" ) term }         term = factor { ( "*" | "/" ) factor }
//   not     = [ "not" ] compare           factor  = NUMBER | 'TEXT' | "TEXT" | true | false | null | "[" [ or { "," or } ] "]"
//                                                 | "len" "(" or ")" | NAME { "." NAME } | "(" or ")" | "-" factor
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::taskfile {

constexpr std::size_t kExpressionBytesMax = 4096;
constexpr int kExpressionDepthMax = 64;
constexpr int kOperatorsMax = 200;

struct Expression {
    enum class Op { Literal, List, Name, Not, Minus, Len, Or, And, Equal, Unequal, Less, LessEqual, Greater, GreaterEqual, In, Matches, Add, Subtract, Multiply, Divide };
    Op op = Op::Literal;
    std::variant<std::monostate, bool, double, std::string> literal; ///< monostate: null
    std::vector<std::string> path;                                   ///< of Name: {"outputs", "total"}
    std::vector<Expression> arguments;
    std::size_t offset = 0;                                          ///< of its first byte
};

/// ParseFailed says what was expected and after which byte; `offset`, where given, gets that byte. A pattern after `matches` that
/// is a literal is compiled here already.
Result<Expression> parse_expression(std::string_view text, std::size_t* offset = nullptr);
/// `names` is the object that holds vars, outputs, steps and loop items. NotFound: a name that is not there. InvalidArgument: values
/// that cannot be compared or computed with, a division by zero.
Result<nlohmann::json> evaluate(const Expression& expression, const nlohmann::json& names);
/// Null, false, 0, "" and the empty list are false.
bool is_true(const nlohmann::json& value);
/// Every Name in it.
std::vector<const Expression*> names_in(const Expression& expression);

} // namespace handeye::taskfile
