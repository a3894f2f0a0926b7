// SPDX-License-Identifier: Apache-2.0
// Regular expressions as grammars: alternation, groups, classes, quantifiers, \d \w \s (ASCII) and their opposites, the dot (anything
// but a line feed), ^ and $ at the ends. What a grammar cannot do (look-around, back-references) or is not done here is refused by name.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace handeye {

enum class RegexScope {
    WholeText, ///< the pattern describes all of the text, with or without ^ and $
    Anywhere,  ///< it may occur anywhere unless ^ or $ says otherwise: as JSON Schema's `pattern` means it
};
enum class RegexText {
    Plain,
    JsonString, ///< what is matched is the value of a JSON string: quotes, backslashes and controls are written as escapes
};

/// A GBNF expression that needs no rules. ParseFailed, Unsupported and LimitExceeded name the place in the pattern.
Result<std::string> regex_expression(std::string_view pattern_utf8, RegexScope scope, RegexText text);
/// A whole grammar for a whole text.
Result<std::string> regex_grammar(std::string_view pattern_utf8);


} // namespace handeye
