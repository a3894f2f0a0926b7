// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/kernels/ops.h"

#include <cstddef>
#include <span>
#include <vector>

namespace handeye {

/// Rows of `width` floats as a cache of that format keeps them.
inline std::vector<std::byte> kept(KvFormat format, std::span<const float> rows, int width) {
    const auto row_bytes = static_cast<std::size_t>(kernels::kv_row_bytes(format, width));
    const auto row_floats = static_cast<std::size_t>(width);
    std::vector<std::byte> bytes(rows.size() / row_floats * row_bytes);
    for (std::size_t i = 0; i < rows.size() / row_floats; ++i) {
        kernels::store_kv_row(format, rows.subspan(i * row_floats, row_floats), bytes.data() + i * row_bytes);
    }
    return bytes;
}

} // namespace handeye
