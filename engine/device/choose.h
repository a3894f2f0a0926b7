// SPDX-License-Identifier: Apache-2.0
// What is left of rows of logits for the host to choose a token from: the best ones, and how much all of them weigh. Pointers are memory of the device,
// as in ops.h.
#pragma once

#include "engine/device/ops.h"
#include "engine/sampling/row_candidates.h"

#include <cstdint>

namespace handeye::device {

/// What a block hands on of one row's piece; the order of keys means nothing.
struct LogitPiece {
    std::uint64_t keys[kCandidatesMost];
    std::int32_t found;
    float most, most_allowed;         ///< logits
    float sum, sum_allowed;           ///< of exp(logit - most), of exp(logit - most_allowed)
    float sum_scaled;                 ///< of exp((logit - most_allowed) * scale)
};

/// Of each row of logits (rows, vocabulary of up to kVocabularyMost): the `count` largest that are finite and allowed. A row's result does not depend on
/// the other rows, nor on `count` but for its length.
struct Candidates {
    Rows logits;
    const std::uint32_t* masks = nullptr;  ///< (masks, mask_words): bit id % 32 of word id / 32 is set: the id may come; ids beyond may not. Null: all may
    int mask_words = 0;
    const std::int32_t* mask_of = nullptr; ///< each row's mask, -1: none; null: row i has mask i
    const float* scales = nullptr;         ///< each row's 1 / temperature, finite and above 0; null: 1
    int count = 0;                         ///< 1 to kCandidatesMost
    LogitPiece* pieces = nullptr;          ///< room for rows * logit_pieces(vocabulary)
    RowCandidates* to = nullptr;           ///< (rows)
};

constexpr int logit_pieces(int vocabulary) { return (vocabulary + kLogitsOfPiece - 1) / kLogitsOfPiece; }

} // namespace handeye::device
