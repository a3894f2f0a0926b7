// SPDX-License-Identifier: Apache-2.0
// Cuts text into the pieces that byte-pair encoding works on, by a checkpoint's regular expression.
#pragma once

#include "base/result.h"

#include <memory>
#include <string_view>
#include <vector>

namespace handeye {

/// The GLM family's pattern: contractions, words, up to three digits, punctuation, line ends, white space.
extern const std::string_view kGlmSplitPattern;

/// Immutable; any thread may use it.
class Splitter {
public:
    /// Errors: ParseFailed for a pattern that does not compile, or that uses \S inside a class.
    static Result<Splitter> compile(std::string_view pattern);

    /// Appends the pieces of `text`, which must be UTF-8: every match, and every stretch between matches. Together they are
    /// the text. A pattern that runs into the match limit gives the rest of the text as one piece.
    void split(std::string_view text, std::vector<std::string_view>& pieces) const;

private:
    struct Compiled;
    std::shared_ptr<const Compiled> compiled_;
};

} // namespace handeye
