// SPDX-License-Identifier: Apache-2.0
// What a device brings of a row of logits: the best ones, and how much all of them weigh.
#pragma once

#include <cstdint>

namespace handeye::device {

inline constexpr int kCandidatesMost = 64;  ///< of one row
inline constexpr int kLogitsOfPiece = 4096; ///< that one block looks at
inline constexpr int kLogitPiecesMost = 64;
inline constexpr int kVocabularyMost = kLogitsOfPiece * kLogitPiecesMost;

struct Candidate {
    std::int32_t id = -1;
    float logit = 0;
};
/// Logarithms of sums of exponentials are minus infinity where nothing is summed.
struct RowCandidates {
    std::int32_t found = 0;
    float log_sum = 0;                ///< over all finite logits, masked or not
    float log_sum_allowed = 0;        ///< over those that the mask allows
    float log_sum_scaled = 0;         ///< over those that the mask allows, each times the row's scale
    Candidate best[kCandidatesMost];  ///< the first `found`: higher logits first, lower ids first among equals; others (-1, -infinity)
};

} // namespace handeye::device
