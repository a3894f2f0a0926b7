// SPDX-License-Identifier: Apache-2.0
// Words in what was read, with what readers mistake for one another allowed for. Pure. Inside this folder only.
#pragma once

#include "agent/locate/screen_text.h"

namespace handeye::locate {

struct Phrase {
    Rect box;
    std::string text_utf8; ///< as it was read
    double score = 0;      ///< 0..1
};

/// Where `wanted` may stand, good or bad; at most 200, the best first. Letters that look alike (l and 1, O and 0, rn and m) cost
/// little; any other difference fits only where the reader itself was unsure and the word is long: "Unable" is never "Enable".
/// With `is_exact` letter case, every letter and the whole line count.
std::vector<Phrase> find_phrases(const std::vector<TextLine>& lines, const std::string& wanted, bool is_exact);

/// What changing `read` to `wanted` costs: 1 for each letter, less for those that look alike; pairs (rn and m) look alike only to
/// a reader that was unsure.
double reading_cost(const std::u32string& wanted, const std::u32string& read, bool is_unsure);

} // namespace handeye::locate
