// SPDX-License-Identifier: Apache-2.0
// A tree held against the grammar: all its mistakes with their places, and its normal form, in which every shorthand is written
// out and every list is a list.
#pragma once

#include "agent/taskfile/grammar.h"
#include "agent/taskfile/tree.h"

#include <vector>

namespace handeye::taskfile {

constexpr std::size_t kMistakesMax = 100; ///< more are not looked for

/// What is wrong in `node` as an object of this shape is appended to `mistakes`; what could be understood is returned.
Node checked(const Node& node, ShapeId shape, std::vector<Mistake>& mistakes);

} // namespace handeye::taskfile
