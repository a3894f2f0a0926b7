// SPDX-License-Identifier: Apache-2.0
// What a model may write as its answer, as a grammar (GBNF) made from the verb table. Under it every answer parses, every place lies on
// the screen, every label is one that is shown, and every verb is one that the platform has. Thinking stays free.
#pragma once

#include "actions/vocabulary.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// After this text the grammar begins: a model that thinks closes its thoughts with it. Without thinking it begins at once.
inline constexpr std::string_view kAnswerBegins = "</think>";

struct AnswerGrammarOptions {
    std::vector<std::string> verbs = {}; ///< canonical names of those that may be used; empty: all of the dialect
    std::vector<int> marks = {};         ///< GlmWebMarks: the labels that are shown; empty: none, and verbs that need one fall away
    std::vector<std::string> apps = {};  ///< names that can be opened; empty: any. One with controls or tags in it is left out
};

/// From the answer's first byte, an opening <answer> included, to its last before a stop token. Tags are named as `<tag>`, so that they
/// match the vocabulary's tokens where it has them, and their text elsewhere.
/// Errors: NotFound, a verb is none of the table; InvalidArgument, nothing is left that may be written; LimitExceeded, too many names.
Result<std::string> answer_grammar(Dialect dialect, const AnswerGrammarOptions& options = {});

} // namespace handeye
