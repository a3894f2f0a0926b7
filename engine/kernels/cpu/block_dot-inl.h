// SPDX-License-Identifier: Apache-2.0
// A few rows of activations against weights in GGUF blocks, in whole numbers: 16 bits of each activation with a scale for 256 of them, the
// weights' codes with the scales of their groups. Sums over a group are exact; what is lost is the activations' rounding, 2^-16 of the
// largest of 256. Compiled once per instruction set; included by matmul.cpp only.
#if defined(HANDEYE_BLOCK_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANDEYE_BLOCK_DOT_INL_H_
#undef HANDEYE_BLOCK_DOT_INL_H_
#else
#define HANDEYE_BLOCK_DOT_INL_H_
#endif

#include "engine/kernels/ops.h"
#include "engine/quant/block_codes-inl.h"

#include <algorithm>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

namespace codes = handeye::blocks::HWY_NAMESPACE;

constexpr std::int64_t kGroups = codes::kSuper / codes::kGroup;
constexpr std::int64_t kAheadBytes = 8192; // what is fetched before it is needed: more than a page, since the processor's own prefetching ends with it

/// Rows of activations as whole numbers. Valid until the next ones are made by the same thread.
struct WholeRows {
    const std::int16_t* values = nullptr; ///< (rows, stride)
    const float* scales = nullptr;        ///< (rows, blocks): activation = scale * value
    const float* sums = nullptr;          ///< (rows, blocks, kGroups): of each 32 activations; zeros behind the last
    std::int64_t rows = 0;
    std::int64_t depth = 0;
    std::int64_t stride = 0;
    std::int64_t blocks = 0;              ///< of 256, the last one may be shorter
};

// Up to 256 activations, a multiple of 32. What is not finite makes the scale NaN, and with it every product.
inline float whole_block(const float* from, std::int64_t count, std::int16_t* to, float* sums) {
    constexpr float kMax = 32767;
    const hn::CappedTag<float, codes::kGroup> f;
    const hn::RebindToSigned<decltype(f)> whole;
    const hn::Rebind<std::int16_t, decltype(f)> narrow;
    constexpr std::int64_t kStep = HWY_MIN(codes::kGroup, HWY_LANES(float));
    auto largest = hn::Zero(f), poison = hn::Zero(f);
    for (std::int64_t i = 0; i < count; i += kStep) {
        const auto x = hn::LoadU(f, from + i);
        largest = hn::Max(largest, hn::Abs(x));
        poison = hn::MulAdd(x, hn::Zero(f), poison);
    }
    const float scale = hn::GetLane(hn::MaxOfLanes(f, largest)) / kMax + hn::GetLane(hn::SumOfLanes(f, poison));
    const auto inverse = hn::Set(f, scale > 0 ? 1 / scale : 0.0F);
    for (std::int64_t g = 0; g * codes::kGroup < count; ++g) {
        auto sum = hn::Zero(whole);
        for (std::int64_t i = g * codes::kGroup; i < (g + 1) * codes::kGroup; i += kStep) {
            const auto value = hn::NearestInt(hn::Mul(hn::LoadU(f, from + i), inverse));
            hn::StoreU(hn::DemoteTo(narrow, value), narrow, to + i); // saturates
            sum = hn::Add(sum, value);
        }
        sums[g] = scale * static_cast<float>(hn::GetLane(hn::SumOfLanes(whole, sum)));
    }
    return scale;
}

inline WholeRows whole_rows(ConstMatrix x) {
    thread_local std::vector<std::int16_t> values;
    thread_local std::vector<float> numbers;
    const std::int64_t blocks = (x.cols + codes::kSuper - 1) / codes::kSuper;
    const std::int64_t stride = blocks * codes::kSuper;
    values.resize(static_cast<std::size_t>(x.rows * stride));
    numbers.assign(static_cast<std::size_t>(x.rows * blocks * (1 + kGroups)), 0);
    float* const scales = numbers.data();
    float* const sums = scales + x.rows * blocks;
    for (std::int64_t row = 0; row < x.rows; ++row) {
        for (std::int64_t block = 0; block < blocks; ++block) {
            const std::int64_t first = block * codes::kSuper, at = row * blocks + block;
            scales[at] = whole_block(x.row(row) + first, std::min(codes::kSuper, x.cols - first), values.data() + row * stride + first, sums + at * kGroups);
        }
    }
    return {values.data(), scales, sums, x.rows, x.cols, stride, blocks};
}

using Sums = hn::Repartition<std::int32_t, codes::Codes>;
using Floats = hn::Rebind<float, Sums>;

/// What a row of weights says beside its codes, for each 32.
struct RowScales {
    const float* scale;
    const float* min;
};

// sums[0..R) += even groups, sums[R..2R) += odd ones, of up to 256 weights.
template <class Format, int R>
HWY_INLINE void add_groups(const std::byte* at, const float* scale, const std::int16_t* values, std::int64_t stride, std::int64_t groups, hn::Vec<Floats>* sums) {
    const Floats f;
#pragma GCC unroll 8
    for (std::int64_t g = 0; g < groups; ++g) {
        const hn::Vec<Floats> factor = hn::Set(f, scale[g]);
#pragma GCC unroll 4
        for (std::int64_t part = 0; part < codes::kParts; ++part) {
            const codes::CodeVec weights = Format::codes(at, g, part);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) {
                const codes::CodeVec x = hn::LoadU(codes::Codes(), values + r * stride + g * codes::kGroup + part * codes::kCodes);
                hn::Vec<Sums> other = hn::Zero(Sums());
                const hn::Vec<Sums> dot = hn::ReorderWidenMulAccumulate(Sums(), weights, x, hn::Zero(Sums()), other);
                hn::Vec<Floats>& sum = sums[g % 2 * R + r];
                sum = hn::MulAdd(hn::ConvertTo(f, hn::Add(dot, other)), factor, sum);
            }
        }
    }
}

// Rows row..row+R of x against one row of weights. Each row's sums are made in the same order for every R.
template <class Format, int R>
HWY_INLINE void dot_blocks(const std::byte* w, const RowScales& of, const WholeRows& x, std::int64_t row, float* out) {
    constexpr std::int64_t kSuperBytes = codes::kSuper / Format::kElements * Format::kBytes;
    const Floats f;
    hn::Vec<Floats> total[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
        total[r] = hn::Zero(f);
    }
    for (std::int64_t block = 0; block < x.blocks; ++block) {
        const std::byte* const at = w + block * kSuperBytes;
        for (std::int64_t i = 0; i < kSuperBytes; i += 64) {
            __builtin_prefetch(at + kAheadBytes + i, 0, 2); // into the second cache: the first would be asked for more lines than it waits for at once
        }
        hn::Vec<Floats> sums[2 * R];
#pragma GCC unroll 8
        for (int r = 0; r < 2 * R; ++r) {
            sums[r] = hn::Zero(f);
        }
        const std::int16_t* const values = x.values + row * x.stride + block * codes::kSuper;
        const std::int64_t groups = std::min(kGroups, x.depth / codes::kGroup - block * kGroups);
        if (groups == kGroups) {
            add_groups<Format, R>(at, of.scale + block * kGroups, values, x.stride, kGroups, sums);
        } else {
            add_groups<Format, R>(at, of.scale + block * kGroups, values, x.stride, groups, sums);
        }
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            total[r] = hn::MulAdd(hn::Add(sums[r], sums[R + r]), hn::Set(f, x.scales[(row + r) * x.blocks + block]), total[r]);
        }
    }
    for (int r = 0; r < R; ++r) {
        out[r] = hn::GetLane(hn::SumOfLanes(f, total[r]));
        if constexpr (Format::kHasMin) {
            const hn::CappedTag<float, kGroups> eight;
            const float* const sums = x.sums + (row + r) * x.blocks * kGroups;
            hn::Vec<decltype(eight)> taken = hn::Zero(eight);
            for (std::int64_t g = 0; g < x.blocks * kGroups; g += HWY_MIN(kGroups, HWY_LANES(float))) {
                taken = hn::MulAdd(hn::LoadU(eight, of.min + g), hn::LoadU(eight, sums + g), taken);
            }
            out[r] -= hn::GetLane(hn::SumOfLanes(eight, taken));
        }
    }
}

/// sums[row][i] = x_row . w_(begin + i) for all rows of x, i < count.
template <class Format>
void block_dots_of(const WeightMatrix& w, const WholeRows& x, std::int64_t begin, std::int64_t count, Matrix sums) {
    constexpr int kTogether = 4;
    thread_local std::vector<float> memory;
    memory.assign(static_cast<std::size_t>(2 * x.blocks * kGroups), 0); // scales behind the last stay zero
    float* const scale = memory.data();
    float* const min = scale + x.blocks * kGroups;
    const std::int64_t row_bytes = w.cols / Format::kElements * Format::kBytes;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::byte* const from = w.codes + (w.first_row + begin + i) * row_bytes;
        Format::scales(from, w.cols / codes::kGroup, scale, min);
        std::int64_t row = 0;
        for (; row + kTogether <= x.rows; row += kTogether) {
            float out[kTogether];
            dot_blocks<Format, kTogether>(from, {scale, min}, x, row, out);
            for (int r = 0; r < kTogether; ++r) {
                sums.row(row + r)[i] = out[r];
            }
        }
        for (; row < x.rows; ++row) {
            dot_blocks<Format, 1>(from, {scale, min}, x, row, sums.row(row) + i);
        }
    }
}

using BlockDots = void (*)(const WeightMatrix& w, const WholeRows& x, std::int64_t begin, std::int64_t count, Matrix sums);

/// Null for weights that are multiplied as floats.
inline BlockDots block_dots([[maybe_unused]] const WeightMatrix& w) {
#if HWY_TARGET == HWY_SCALAR
    return nullptr;
#else
    switch (w.blocks == nullptr ? 0 : w.blocks->gguf_type) {
    case 2: return block_dots_of<codes::Q4_0>;
    case 3: return block_dots_of<codes::Q4_1>;
    case 6: return block_dots_of<codes::Q5_0>;
    case 7: return block_dots_of<codes::Q5_1>;
    case 8: return block_dots_of<codes::Q8_0>;
    case 12: return block_dots_of<codes::Q4_K>;
    case 13: return block_dots_of<codes::Q5_K>;
    case 14: return block_dots_of<codes::Q6_K>;
    default: return nullptr;
    }
#endif
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
