// SPDX-License-Identifier: Apache-2.0
// How certain a model was of the place that its action goes to: read from the chances that it gave to each number it wrote.
#pragma once

#include "actions/action.h"
#include "engine/chat.h"

#include <optional>

namespace handeye {

/// Numbers this near to the written one, in thousandths of the picture, are as good as it.
inline constexpr int kSamePlace = 30;

/// The words before a place in which it was decided what is meant.
inline constexpr std::size_t kDecidingTokens = 32;

/// Where the answer holds the coordinates twice the least certain ones count. Two things can be wrong: where, and what. Where: the probability that the model would put the place within kSamePlace of where it did, the
/// product over both axes (of a box the geometric mean of its two edges on each). What: the probability of the least certain of the kDecidingTokens
/// before it. The product of both, 0 to 1. Unset: the action goes to no coordinates, or the answer does not tell of them (ChatRequest::number_chances
/// and ::top_logprobs).
std::optional<double> click_confidence(const Completion& reply, const Action& action);

/// Where an action's pointer goes first; null: nowhere by coordinates.
const Spot* first_spot(const Action& action);

} // namespace handeye
