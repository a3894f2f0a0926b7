// SPDX-License-Identifier: Apache-2.0
// The frame around an action, as each dialect was trained: what stands before it, its box, and the memory behind it.
#include "actions/grammar.h"

#include "actions/grammar_rules.h"

#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kNamesMax = 10'000;
constexpr std::size_t kNameBytesMax = 400;

// What the parser would read as structure may not stand in words before an action: "(", "{" and "<" can begin one, a label is another
// part, and an Observation ends the answer. Full-width forms count as the ASCII ones.
constexpr std::string_view kNotInWords = R"(\x00-\x1F\x7F({<（｛)";
constexpr std::array<std::string_view, 3> kLabelsWithinALine{"Action:", "Observation:", "```"};
constexpr std::array<std::string_view, 1> kFence{"```"}; // what stands in a fence comes before what does not
constexpr std::array<std::string_view, 6> kNotInMemory{"</think>", "<think>", "<|", "```", "Action:", "Observation:"};

/// Surrogates only in pairs, as strict readers of JSON want them.
constexpr std::string_view kStrictEscapes =
    R"("\\" (["\\/bfnrt] | "u" ([0-9abcefABCEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2} | [dD] [89abAB] [0-9a-fA-F]{2} "\\u" [dD] [c-fC-F] [0-9a-fA-F]{2})))";

/// A JSON value on one line.
std::string json_rules() {
    return rules_of({"memory-text", R"(\"\\\x00-\x1F\x7F)", R"("\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))", kNotInMemory}) +
           R"G(memory-string ::= "\"" memory-text "\""
memory-number ::= "-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,14})?
memory-value ::= memory-string | memory-number | "true" | "false" | "null" | memory-list | memory-object
memory-pair ::= memory-string ":" " "? memory-value
memory-list ::= "[" (memory-value ("," " "? memory-value)*)? "]"
memory-object ::= "{" (memory-pair ("," " "? memory-pair)*)? "}"
)G";
}

/// A sentence or more before a bare call, on one line: no colon, since with one it could be a label. It may not begin with a verb of the
/// numbered web form that takes all that follows for its text ("Answer, ...", "Type 2, ...").
std::string explanation_rules() {
    return fmt::format("{}explanation ::= explanation-start explanation-rest [.!?。！？…] (\" \" | \"\\n\" \"\\n\"?)\n"
                       "explanation-start ::= [^ \\t*`>\\-aAtT:：{}] | [aA] [^nN`:：{}] | [tT] [^yY`:：{}]\n",
                       rules_of({"explanation-rest", R"(\x00-\x1F\x7F({<（｛:：)", {}, kFence}), kNotInWords, kNotInWords, kNotInWords);
}

/// Words before a labelled action.
std::string words_rules() {
    return rules_of({"words", kNotInWords, {}, kLabelsWithinALine});
}

constexpr std::string_view kFrame = R"G(root ::= "\n"? (<answer> "\n"?)? answer "\n"? </answer>?
boxed ::= action | <|begin_of_box|> action <|end_of_box|>
)G";

std::string frame_of(Dialect dialect) {
    switch (dialect) {
    case Dialect::Canonical:
        return "root ::= \"\\n\"? (<answer> \"\\n\"?)? boxed \"\\n\"? </answer>?\nboxed ::= action | <|begin_of_box|> action <|end_of_box|>\n";
    case Dialect::GlmDesktop:
        return std::string(kFrame) + explanation_rules() + json_rules() +
               "answer ::= explanation? boxed (\"\\n\"{1,2} \"Memory:\" [ \\n]? memory-list)?\n";
    case Dialect::GlmMobile:
        return std::string(kFrame) + words_rules() + "answer ::= (\"Memory: \" words \"\\n\" \"Reason: \" words \"\\n\" \"Action: \")? boxed\n";
    case Dialect::GlmWebMarks:
    case Dialect::GlmWebPoints:
        return std::string(kFrame) + words_rules() + json_rules() +
               "answer ::= (\"Thought: \" words \"\\n\")? \"Action: \" boxed (\"\\n\" \"Memory_Updated: \" memory-object)?\n";
    case Dialect::AutoGlm:
        return "root ::= \"\\n\"? (<answer> \"\\n\"?)? action \"\\n\"? </answer>?\n";
    }
    return {};
}

Result<void> check(const AnswerGrammarOptions& options) {
    for (const std::string& verb : options.verbs) {
        if (find_verb(verb) == nullptr) {
            return Error{ErrorCode::NotFound, fmt::format("an answer's grammar: there is no verb '{}'", verb.substr(0, 40))};
        }
    }
    if (options.marks.size() > kNamesMax || options.apps.size() > kNamesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("an answer's grammar: {} labels and {} apps, at most {} of each", options.marks.size(),
                                                           options.apps.size(), kNamesMax)};
    }
    for (const std::string& app : options.apps) {
        if (app.empty() || app.size() > kNameBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("an answer's grammar: an app's name of {} bytes, from 1 to {}", app.size(), kNameBytesMax)};
        }
    }
    return {};
}

} // namespace

Result<std::string> answer_grammar(Dialect dialect, const AnswerGrammarOptions& options) {
    TRY(check(options));
    const std::vector<std::string> forms = dialect == Dialect::Canonical ? canonical_forms(options) : forms_of(dialect, options);
    if (forms.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("an answer's grammar: {} has none of the verbs that may be used{}", dialect_name(dialect),
                                                             dialect == Dialect::GlmWebMarks && options.marks.empty() ? ", and no labels are shown" : "")};
    }
    std::string gbnf = frame_of(dialect) + form_rules(dialect, options);
    if (dialect == Dialect::Canonical) {
        gbnf += rules_of({"strict", R"(\"\\\x00-\x1F\x7F)", kStrictEscapes, kNotInMemory}) + R"G(strict-string ::= "\"" strict "\""
strict-string-some ::= "\"" strict-some "\""
pixel ::= ("0" | [1-9] [0-9]{0,4}) ("." [0-9]{1,18})?
mille ::= ("0" | [1-9] [0-9]{0,2}) ("." [0-9]{1,18})? | "1000"
mark-number ::= [1-9] [0-9]{0,4}
key-name ::= "\"" ("ctrl" | "alt" | "shift" | "super") "\""
)G";
    }
    gbnf += "action ::= ";
    for (std::size_t i = 0; i < forms.size(); ++i) {
        gbnf += (i == 0 ? "" : "\n  | ") + forms[i];
    }
    return gbnf + "\n";
}

} // namespace handeye
