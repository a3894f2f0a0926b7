// SPDX-License-Identifier: Apache-2.0
// What a request holds its answer to, as the text of ChatRequest::grammar: a JSON Schema, a pattern, a choice, calls of tools.
// docs/grammar.md says what each can keep. Errors name what they cannot.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

Result<std::string> grammar_of_schema(std::string_view json_schema);
/// Any JSON object.
std::string grammar_of_json_object();
Result<std::string> grammar_of_regex(std::string_view pattern_utf8);
/// One of the texts. InvalidArgument: there is none, or one is empty.
Result<std::string> grammar_of_choices(std::span<const std::string> texts_utf8);
/// The same text when it is a grammar.
Result<std::string> checked_grammar(std::string_view gbnf);

struct CalledTool {
    std::string name;
    std::string schema_json; ///< of the arguments: an object
};
enum class CallNotation {
    Tags,        ///< "<tool_call>NAME\n<arg_key>K</arg_key>\n<arg_value>V</arg_value>\n...</tool_call>": texts as they are, other values as JSON
    NameAndJson, ///< "NAME\n{...}"
};
/// One call of one of them.
Result<std::string> grammar_of_calls(std::span<const CalledTool> tools, CallNotation notation);

} // namespace handeye
