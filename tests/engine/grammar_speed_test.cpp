// SPDX-License-Identifier: Apache-2.0
// What masks of common grammars cost: docs/grammar.md has the figures.
#include "tests/engine/grammar_speed.h"

namespace handeye {
namespace {

TEST(GrammarSpeed, IsPrinted) {
    const FullVocabulary source = vocabulary_of_full_size();
    fmt::print("vocabulary {}: {} tree nodes, longest token {} bytes, built in {:.0f} ms\n", source.name, source.vocabulary->short_nodes().size() + source.vocabulary->long_nodes().size(),
               source.vocabulary->longest_bytes(), source.build_us / 1000);
    measure(source, "text", R"G(root ::= [^\x00-\x08]*)G");
    measure(source, "string", R"G(root ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"")G");
    measure(source, "counted", R"G(root ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\/bfnrt]){0,2000} "\"")G");
    measure(source, "short", R"G(root ::= "\"" [^"\\\x00-\x1F]{3,40} "\"")G");
    measure(source, "json", R"G(
root   ::= object
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
array  ::= "[" ws (value ("," ws value)*)? "]" ws
string ::= "\"" ([^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
ws     ::= " "?)G");
}

} // namespace
} // namespace handeye
