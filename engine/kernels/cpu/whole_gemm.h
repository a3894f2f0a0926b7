// SPDX-License-Identifier: Apache-2.0
// GGUF blocks times many rows in whole numbers, where the processor multiplies twice as many 16-bit numbers as floats at a time. The weights
// are taken as the numbers they are. Activations are rounded by blocks of 128 inputs to 16 bits, or as many as keep the sum of a block's
// products within 32: at least 13, where all are as large and so are the weights (Q5_K).
#pragma once

#include "engine/kernels/cpu/matmul_job.h"
#include "engine/kernels/thread_pool.h"

namespace handeye::kernels {

/// Whether these weights can be multiplied so and this machine gains by it.
bool takes_whole_gemm(const WeightMatrix& w);
/// As matmul(), for more than a few rows of weights that it takes. A row's result does not depend on what is computed beside it.
void whole_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w);

} // namespace handeye::kernels
