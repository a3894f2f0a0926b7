// SPDX-License-Identifier: Apache-2.0
// The arguments of one matrix product beside its weights, the same type for every instruction set.
#pragma once

#include "engine/kernels/ops.h"

#include <span>

namespace handeye::kernels {

struct MatmulJob {
    ConstMatrix x;               // (m, k)
    std::span<const float> bias; // (n) or empty
    Matrix y;                    // (m, n)
    Into into;
};

} // namespace handeye::kernels
