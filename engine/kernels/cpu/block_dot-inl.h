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
#include "engine/tensor/aligned_vector.h"

#include <algorithm>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Rows of activations as whole numbers. Valid until the next ones are made by the same thread.
struct WholeRows {
    const std::int16_t* values = nullptr; ///< (rows, stride), in the order of kIsSplit
    const float* scales = nullptr;        ///< (rows, blocks): activation = scale * value
    const float* sums = nullptr;          ///< (rows, blocks, kGroups): of each 32 activations; zeros behind the last
    std::int64_t rows = 0;
    std::int64_t depth = 0;
    std::int64_t stride = 0;
    std::int64_t blocks = 0;              ///< of 256, the last one may be shorter
};

using BlockDots = void (*)(const WeightMatrix& w, const WholeRows& x, std::int64_t begin, std::int64_t count, Matrix sums);

#if HWY_TARGET == HWY_SCALAR

inline WholeRows whole_rows(ConstMatrix /*x*/) { return {}; }
inline BlockDots block_dots(const WeightMatrix& /*w*/) { return nullptr; }

#else

namespace codes = handeye::blocks::HWY_NAMESPACE;

constexpr std::int64_t kGroups = codes::kSuper / codes::kGroup;
constexpr std::int64_t kAheadBytes = 8192; // what is fetched before it is needed: more than a page, since the processor's own prefetching ends with it

/// Where a vector of bytes is as long as one of 16-bit numbers, it becomes two of them: those at even places and those at odd ones. Activations
/// are laid down in that order.
constexpr bool kIsSplit = codes::kCodes != codes::kBytes;

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
        for (std::int64_t i = g * codes::kGroup; kIsSplit && i < (g + 1) * codes::kGroup; i += codes::kBytes) {
            const codes::Codes d;
            const codes::CodeVec low = hn::LoadU(d, to + i), high = hn::LoadU(d, to + i + codes::kCodes);
            hn::StoreU(hn::ConcatEven(d, high, low), d, to + i);
            hn::StoreU(hn::ConcatOdd(d, high, low), d, to + i + codes::kCodes);
        }
        sums[g] = scale * static_cast<float>(hn::GetLane(hn::SumOfLanes(whole, sum)));
    }
    return scale;
}

inline WholeRows whole_rows(ConstMatrix x) {
    thread_local AlignedVector<std::int16_t> values;
    thread_local AlignedVector<float> numbers;
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

template <class Format, class Vec>
HWY_INLINE codes::CodeVec even_codes(Vec bytes) {
    const codes::CodeVec both = hn::BitCast(codes::Codes(), bytes);
    if constexpr (Format::kHasSign) {
        return hn::ShiftRight<8>(hn::ShiftLeft<8>(both));
    } else {
        return hn::And(both, hn::Set(codes::Codes(), 0xFF));
    }
}
template <class Format, class Vec>
HWY_INLINE codes::CodeVec odd_codes(Vec bytes) {
    const codes::CodeVec both = hn::BitCast(codes::Codes(), bytes);
    if constexpr (Format::kHasSign) {
        return hn::ShiftRight<8>(both);
    } else {
        const hn::RebindToUnsigned<codes::Codes> u;
        return hn::BitCast(codes::Codes(), hn::ShiftRight<8>(hn::BitCast(u, both)));
    }
}

// Of vector `part` of group g's products.
template <class Format>
HWY_INLINE hn::Vec<Floats> factor_of(const float* scale, std::int64_t g, [[maybe_unused]] std::int64_t part) {
    const Floats f;
    if constexpr (Format::kScales == 1) {
        return hn::Set(f, scale[g]);
    } else if constexpr (codes::kByteParts == 1) {
        return hn::ConcatLowerLower(f, hn::Set(f, scale[2 * g + 1]), hn::Set(f, scale[2 * g]));
    } else {
        return hn::Set(f, scale[2 * g + part]);
    }
}

/// The codes of a vector of bytes as those 16-bit vectors that activations lie in the order of.
template <class Format, bool IsSplit>
struct Unpacked {
    explicit HWY_INLINE Unpacked(codes::ByteVec bytes) : all(codes::widened<Format>(bytes)) {}
    HWY_INLINE hn::Vec<Floats> dot(const std::int16_t* x) const {
        hn::Vec<Sums> other = hn::Zero(Sums());
        const hn::Vec<Sums> sum = hn::ReorderWidenMulAccumulate(Sums(), all, hn::LoadU(codes::Codes(), x), hn::Zero(Sums()), other);
        return hn::ConvertTo(Floats(), hn::Add(sum, other));
    }
    codes::CodeVec all;
};
template <class Format>
struct Unpacked<Format, true> {
    template <class Vec>
    explicit HWY_INLINE Unpacked(Vec bytes) : even(even_codes<Format>(bytes)), odd(odd_codes<Format>(bytes)) {}
    HWY_INLINE hn::Vec<Floats> dot(const std::int16_t* x) const {
        hn::Vec<Sums> other = hn::Zero(Sums());
        hn::Vec<Sums> sum = hn::ReorderWidenMulAccumulate(Sums(), even, hn::LoadU(codes::Codes(), x), hn::Zero(Sums()), other);
        sum = hn::ReorderWidenMulAccumulate(Sums(), odd, hn::LoadU(codes::Codes(), x + codes::kCodes), sum, other);
        return hn::ConvertTo(Floats(), hn::Add(sum, other));
    }
    codes::CodeVec even, odd;
};

// sums[r] += the products of groups first..first+Groups with row r. Two groups are added to each other first: a sum that waits for all eight in turn
// takes longer than they do.
template <class Format, int R, int Groups>
HWY_INLINE void add_groups(const std::byte* at, const float* scale, const std::int16_t* values, std::int64_t stride, std::int64_t first, hn::Vec<Floats>* sums) {
    hn::Vec<Floats> some[R];
#pragma GCC unroll 4
    for (int i = 0; i < Groups * codes::kByteParts; ++i) {
        const std::int64_t g = first + i / codes::kByteParts, part = i % codes::kByteParts;
        const Unpacked<Format, kIsSplit> weights(Format::bytes(at, g, part));
        const hn::Vec<Floats> factor = factor_of<Format>(scale, g, part);
        const std::int16_t* const x = values + g * codes::kGroup + part * codes::kBytes;
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            const hn::Vec<Floats> dot = weights.dot(x + r * stride);
            some[r] = i == 0 ? hn::Mul(dot, factor) : hn::MulAdd(dot, factor, some[r]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
        sums[r] = hn::Add(sums[r], some[r]);
    }
}

// Rows row..row+R of x against one row of weights. Each row's sums are made in the same order for every R.
template <class Format, int R>
HWY_INLINE void dot_blocks(const std::byte* w, const WholeRows& x, std::int64_t row, float* out) {
    constexpr std::int64_t kSuperBytes = codes::kSuper / Format::kElements * Format::kBytes;
    const Floats f;
    const codes::Eight eight;
    hn::Vec<Floats> total[R];
    hn::Vec<codes::Eight> taken[R][kGroups / codes::kEight];
    for (int r = 0; r < R; ++r) {
        total[r] = hn::Zero(f);
        for (auto& some : taken[r]) {
            some = hn::Zero(eight);
        }
    }
    // Of this block and of the next one: they take longer to come than a block's products.
    alignas(32) float scales[2][kGroups * Format::kScales], mins[2][kGroups];
    const auto groups_of = [&](std::int64_t block) { return Format::kElements == codes::kSuper ? kGroups : std::min(kGroups, x.depth / codes::kGroup - block * kGroups); };
    const auto read_scales = [&](std::int64_t block) HWY_ATTR {
        if (groups_of(block) == kGroups) { // of a known number it makes no loop
            Format::scales(w + block * kSuperBytes, kGroups, scales[block % 2], mins[block % 2]);
        } else {
            std::fill_n(mins[block % 2], kGroups, 0.0F);
            Format::scales(w + block * kSuperBytes, groups_of(block), scales[block % 2], mins[block % 2]);
        }
    };
    read_scales(0);
    for (std::int64_t block = 0; block < x.blocks; ++block) {
        const std::byte* const at = w + block * kSuperBytes;
        if (block + 1 < x.blocks) {
            read_scales(block + 1);
        }
        for (std::int64_t i = 0; i < kSuperBytes; i += 64) {
            __builtin_prefetch(at + kAheadBytes + i, 0, 2); // into the second cache: the first would be asked for more lines than it waits for at once
        }
        const std::int16_t* const values = x.values + row * x.stride + block * codes::kSuper;
        const float* const scale = scales[block % 2];
        const float* const min = mins[block % 2];
        hn::Vec<Floats> sums[R];
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            sums[r] = hn::Zero(f);
        }
        if (groups_of(block) == kGroups) {
#pragma GCC unroll 4
            for (std::int64_t g = 0; g < kGroups; g += 2) {
                add_groups<Format, R, 2>(at, scale, values, x.stride, g, sums);
            }
        } else {
            for (std::int64_t g = 0; g < groups_of(block); ++g) {
                add_groups<Format, R, 1>(at, scale, values, x.stride, g, sums);
            }
        }
        for (int r = 0; r < R; ++r) {
            const std::int64_t here = (row + r) * x.blocks + block;
            total[r] = hn::MulAdd(sums[r], hn::Set(f, x.scales[here]), total[r]);
            for (std::int64_t g = 0; Format::kHasMin && g < kGroups; g += codes::kEight) {
                taken[r][g / codes::kEight] = hn::MulAdd(hn::LoadU(eight, min + g), hn::LoadU(eight, x.sums + here * kGroups + g), taken[r][g / codes::kEight]);
            }
        }
    }
    for (int r = 0; r < R; ++r) {
        out[r] = hn::GetLane(hn::SumOfLanes(f, total[r]));
        for (const auto& some : taken[r]) {
            out[r] -= Format::kHasMin ? hn::GetLane(hn::SumOfLanes(eight, some)) : 0.0F;
        }
    }
}

/// sums[row][i] = x_row . w_(begin + i) for all rows of x, i < count.
template <class Format>
void block_dots_of(const WeightMatrix& w, const WholeRows& x, std::int64_t begin, std::int64_t count, Matrix sums) {
    constexpr int kTogether = 4;
    const std::int64_t row_bytes = w.cols / Format::kElements * Format::kBytes;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::byte* const from = w.codes + (w.first_row + begin + i) * row_bytes;
        std::int64_t row = 0;
        for (; row + kTogether <= x.rows; row += kTogether) {
            float out[kTogether];
            dot_blocks<Format, kTogether>(from, x, row, out);
            for (int r = 0; r < kTogether; ++r) {
                sums.row(row + r)[i] = out[r];
            }
        }
        for (; row < x.rows; ++row) {
            dot_blocks<Format, 1>(from, x, row, sums.row(row) + i);
        }
    }
}

/// Null for weights that are multiplied as floats.
inline BlockDots block_dots(const WeightMatrix& w) {
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
}

#endif

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
