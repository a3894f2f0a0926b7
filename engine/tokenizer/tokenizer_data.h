// SPDX-License-Identifier: Apache-2.0
// What a loaded tokenizer consists of. Only engine/tokenizer/ includes it.
#pragma once

#include "engine/tokenizer/splitter.h"
#include "engine/tokenizer/vocabulary.h"

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

namespace handeye {

struct AddedToken {
    std::string text;
    TokenId id = 0;
    bool is_special = true;
};

struct Tokenizer::Data {
    Vocabulary vocabulary;
    MergeRules rules;
    Splitter splitter;
    bool whole_pieces = true; ///< ignore_merges: a piece that is a token is emitted as it is
    std::vector<AddedToken> added;
    std::array<std::vector<std::size_t>, 256> added_by_first_byte; ///< indices into added, longest text first
    std::unordered_map<TokenId, std::size_t> added_by_id;                  ///< to indices into added
};

/// Collects the parts; build() checks them and makes the tokenizer.
class TokenizerBuilder {
public:
    Vocabulary vocabulary;
    MergeRules rules;
    std::string pattern{kGlmSplitPattern};
    bool whole_pieces = true;
    std::vector<AddedToken> added;

    /// `vocabulary` must be finished.
    Result<Tokenizer> build() &&;
};

} // namespace handeye
