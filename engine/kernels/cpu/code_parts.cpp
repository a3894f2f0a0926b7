// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/code_parts.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/cpu/code_parts.h"
#include "engine/quant/block_codes-inl.h"
#include "engine/quant/blocks.h"

#include <algorithm>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR

CodeParts code_parts_here(const WeightMatrix& /*w*/) { return {}; }

#else

namespace hn = hwy::HWY_NAMESPACE;
namespace codes = handeye::blocks::HWY_NAMESPACE;

constexpr std::int64_t kPartBytes = kCodeRows * kCodeDepth;

template <class Format>
const std::byte* row_of(const WeightMatrix& w, std::int64_t row) { return w.codes + (w.first_row + row) * (w.cols / Format::kElements * Format::kBytes); }

/// The bytes of 16-bit numbers: their low halves with a sign, and what is left of them.
HWY_INLINE void split(codes::CodeVec numbers, std::int8_t* high, std::int8_t* low) {
    const codes::Codes d;
    const hn::RebindToUnsigned<codes::Codes> u;
    const hn::Rebind<std::uint8_t, codes::Codes> bytes;
    const codes::CodeVec rest = hn::ShiftRight<8>(hn::Add(numbers, hn::Set(d, 128)));
    hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(u, numbers)), bytes, reinterpret_cast<std::uint8_t*>(low));
    hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(u, rest)), bytes, reinterpret_cast<std::uint8_t*>(high));
}

template <class Format>
void unpack(const WeightMatrix& w, std::int64_t row, std::int64_t count, std::int64_t block, std::int8_t* out, float* scales) {
    static_assert(Format::kElements == kCodeBlock);
    if (count < kCodeRows) {
        std::fill_n(out, 2 * kCodeRows * kCodeBlock, std::int8_t{0});
        std::fill_n(scales, kCodeRows, 0.0F);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const std::byte* const at = row_of<Format>(w, row + i) + block * Format::kBytes;
        for (std::int64_t ahead = Format::kBytes; ahead < 2 * Format::kBytes; ahead += 64) {
            __builtin_prefetch(at + ahead);
        }
        std::int16_t factors[kCodeBlock / kMinGroup];
        Format::factors(at, factors);
        scales[i] = Format::block_scale(at);
        for (std::int64_t g = 0; g < kCodeBlock / codes::kGroup; ++g) {
            std::int8_t* const to = out + g / 2 * 2 * kPartBytes + i * kCodeDepth + g % 2 * codes::kGroup;
            for (std::int64_t part = 0; part < codes::kParts; ++part) {
                const codes::CodeVec numbers = hn::Mul(codes::whole_codes<Format>(at, g, part), hn::Set(codes::Codes(), factors[g]));
                split(numbers, to + part * codes::kCodes, to + kPartBytes + part * codes::kCodes);
            }
        }
    }
}

template <class Format>
void unpack_groups(const WeightMatrix& w, std::int64_t row, std::int64_t count, std::int64_t block, std::int8_t* out, float* scales) {
    static_assert(Format::kElements == codes::kGroup);
    constexpr std::int64_t kGroups = kCodeBlock / codes::kGroup;
    const std::int64_t groups = std::min(kGroups, w.cols / codes::kGroup - block * kGroups);
    if (count < kCodeRows || groups < kGroups) {
        std::fill_n(out, kCodeRows * kCodeBlock, std::int8_t{0});
        std::fill_n(scales, kCodeRows * kGroups, 0.0F);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const std::byte* const at = row_of<Format>(w, row + i) + block * kGroups * Format::kBytes;
        for (std::int64_t ahead = kGroups * Format::kBytes; ahead < 2 * kGroups * Format::kBytes; ahead += 64) {
            __builtin_prefetch(at + ahead);
        }
        float scale[kGroups], unused[kGroups];
        Format::scales(at, groups, scale, unused);
        for (std::int64_t g = 0; g < groups; ++g) {
            scales[g * kCodeRows + i] = scale[g];
            for (std::int64_t part = 0; part < codes::kParts; ++part) {
                std::int8_t* const to = out + i * kCodeBlock + g * codes::kGroup + part * codes::kCodes;
                hn::StoreU(hn::DemoteTo(hn::Rebind<std::int8_t, codes::Codes>(), codes::whole_codes<Format>(at, g, part)), hn::Rebind<std::int8_t, codes::Codes>(), to);
            }
        }
    }
}

template <class Format>
void negative_mins(const WeightMatrix& w, std::int64_t row, float* out) {
    thread_local std::vector<float> memory;
    const std::int64_t groups = w.cols / kMinGroup, written = groups + 3; // scales come four at a time
    memory.resize(static_cast<std::size_t>(2 * written));
    const float* const mins = memory.data() + written;
    Format::scales(row_of<Format>(w, row), groups, memory.data(), memory.data() + written);
    std::transform(mins, mins + groups, out, [](float min) { return -min; });
}

CodeParts code_parts_here(const WeightMatrix& w) {
    switch (w.blocks == nullptr ? 0 : w.blocks->gguf_type) {
    case 2: return {nullptr, unpack_groups<codes::Q4_0>, nullptr};
    case 3: return {nullptr, unpack_groups<codes::Q4_1>, negative_mins<codes::Q4_1>};
    case 6: return {nullptr, unpack_groups<codes::Q5_0>, nullptr};
    case 7: return {nullptr, unpack_groups<codes::Q5_1>, negative_mins<codes::Q5_1>};
    case 8: return {nullptr, unpack_groups<codes::Q8_0>, nullptr};
    case 12: return {unpack<codes::Q4_K>, nullptr, negative_mins<codes::Q4_K>};
    case 13: return {unpack<codes::Q5_K>, nullptr, negative_mins<codes::Q5_K>};
    case 14: return {unpack<codes::Q6_K>, nullptr, nullptr};
    default: return {};
    }
}

#endif

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
HWY_EXPORT(code_parts_here);
CodeParts code_parts(const WeightMatrix& w) { return HWY_DYNAMIC_DISPATCH(code_parts_here)(w); }
} // namespace handeye::kernels
#endif
