// SPDX-License-Identifier: Apache-2.0
// Rows of keys and values (one head of one token) where they lie: their addresses, and four numbers of one at a time in each format.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/ops.h"

namespace handeye::HANDEYE_DEVICE {

struct alignas(16) Floats4 {
    float at[4];
};
__device__ inline Floats4 load_floats4(const float* from) { return *static_cast<const Floats4*>(checked(from, 16)); }
__device__ inline void store_floats4(float* to, const Floats4& four) { *static_cast<Floats4*>(const_cast<void*>(checked(to, 16))) = four; }

/// Rows one after the other.
struct StridedRows {
    const std::uint8_t* first;
    std::int64_t stride_bytes;

    __device__ const std::uint8_t* row(int token) const { return first + token * stride_bytes; }
    __device__ StridedRows from(int token) const { return {row(token), stride_bytes}; }
};
/// Rows of one head of one sequence, scattered over pages.
struct PagedRows {
    const std::uint8_t* first; ///< of page 0
    const std::int32_t* pages;
    std::int64_t page_bytes;
    int row_bytes;

    /// `token` and those after it in its page.
    __device__ StridedRows from(int token) const {
        return {first + pages[token / device::kPageTokens] * page_bytes + static_cast<std::int64_t>(token % device::kPageTokens) * row_bytes, row_bytes};
    }
};
/// From the start of a page to the keys (part 0) or values (part 1) of a head.
__device__ inline std::int64_t kv_offset(const device::KvPages& kv, int layer, int part, int head) {
    return ((static_cast<std::int64_t>(layer) * 2 + part) * kv.kv_heads + head) * device::kPageTokens * kv.row_bytes;
}
__device__ inline PagedRows paged_rows(const device::KvPages& kv, const device::SequenceSpan& span, int layer, int part, int head) {
    return {kv.pool + kv_offset(kv, layer, part, head), span.pages, kv.page_bytes, kv.row_bytes};
}

/// Whether every row starts where a device reads 16 bytes at once.
inline bool rows_are_aligned(const device::KvPages& kv) {
    return reinterpret_cast<std::uintptr_t>(kv.pool) % 16 == 0 && kv.page_bytes % 16 == 0 && kv.row_bytes % 16 == 0;
}

/// Four numbers of a row as they are kept.
template <KvFormat kFormat>
struct KeptFour {
    Words4 floats;
};
template <>
struct KeptFour<KvFormat::F16> {
    Words2 halves;
};
template <>
struct KeptFour<KvFormat::Q8> {
    std::uint32_t codes;
    std::uint16_t scale;
};

/// Numbers 4 i .. 4 i + 3. `aligned`: rows_are_aligned().
template <KvFormat kFormat>
__device__ inline KeptFour<kFormat> load_kept(const std::uint8_t* row, int i, int head_dim, bool aligned) {
    if constexpr (kFormat == KvFormat::Q8) {
        return {load_once4(row + 4 * i), *static_cast<const std::uint16_t*>(checked(row + head_dim + 4 * i / kKvGroup * 2, 2))};
    } else if constexpr (kFormat == KvFormat::F16) {
        const std::uint8_t* const from = row + 8 * i;
        return {aligned ? load_once8(from) : Words2{load_once4(from), load_once4(from + 4)}};
    } else {
        const std::uint8_t* const from = row + 16 * i;
        return {aligned ? load_once(from) : Words4{load_once4(from), load_once4(from + 4), load_once4(from + 8), load_once4(from + 12)}};
    }
}

__device__ inline float code_float(std::uint32_t codes, int i) { return static_cast<float>(static_cast<std::int8_t>(codes >> 8U * static_cast<unsigned>(i) & 0xFFU)); }

template <KvFormat kFormat>
__device__ inline Floats4 kept_floats(const KeptFour<kFormat>& kept) {
    if constexpr (kFormat == KvFormat::Q8) {
        const float scale = half_float(kept.scale);
        return {{code_float(kept.codes, 0) * scale, code_float(kept.codes, 1) * scale, code_float(kept.codes, 2) * scale, code_float(kept.codes, 3) * scale}};
    } else if constexpr (kFormat == KvFormat::F16) {
        return {{half_float(static_cast<std::uint16_t>(kept.halves.x)), half_float(static_cast<std::uint16_t>(kept.halves.x >> 16U)),
                 half_float(static_cast<std::uint16_t>(kept.halves.y)), half_float(static_cast<std::uint16_t>(kept.halves.y >> 16U))}};
    } else {
        return {{bits_float(kept.floats.x), bits_float(kept.floats.y), bits_float(kept.floats.z), bits_float(kept.floats.w)}};
    }
}

} // namespace handeye::HANDEYE_DEVICE
