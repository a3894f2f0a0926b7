// SPDX-License-Identifier: Apache-2.0
// Makes packed weights of plain ones: symmetric 4- or 8-bit codes with a scale for each group of inputs, in the layout of
// compressed-tensors ("pack-quantized"), which engine/quant/compressed_tensors.cpp reads.
#pragma once

#include "engine/quant/weight_matrix.h"

#include <cstdint>
#include <span>

namespace handeye {

/// Inputs that share a scale: 32 for 4 bits; for 8 bits the most of 128, 64 and 32 that divides `cols`. 0: such rows cannot be packed.
std::int64_t pack_group(int bits, std::int64_t cols);

/// The packed matrix of `plain` with its sizes, and no data yet. `bits` is 4 or 8, and pack_group() not 0.
WeightMatrix packed_shape(const WeightMatrix& plain, int bits);
/// Bytes of its codes (I32 words) and of its scales (BF16), one after the other in stored_bytes.
std::int64_t packed_code_bytes(const WeightMatrix& packed);

/// Packs rows first..first+count of `plain` into `bytes`, which hold codes and then scales of the whole matrix. Rows that do not
/// overlap may be packed by several threads. Scales are chosen for the least squared error; numbers that are not finite become 0.
void pack_rows(const WeightMatrix& plain, const WeightMatrix& packed, std::int64_t first, std::int64_t count, std::span<std::byte> bytes);

/// `packed` with its data in `bytes`, which it owns from now on.
WeightMatrix with_bytes(WeightMatrix packed, std::vector<std::byte> bytes);

} // namespace handeye
