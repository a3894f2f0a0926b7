// SPDX-License-Identifier: Apache-2.0
// The two row kernels of the resize, compiled for several instruction sets; the best one is picked at run time. All of them
// compute in the same integers, so the pixels do not depend on the machine.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/vision/resize_kernels.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/vision/resize.h"

#include <algorithm>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

inline std::uint8_t finished(int sum, int precision) {
    return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

inline void column_down(const ResizePass& pass, const std::int16_t* weights, const std::uint8_t* const* rows, std::size_t x,
                        std::uint8_t* out) {
    int sum = 1 << (pass.precision - 1);
    for (int k = 0; k < pass.taps; ++k) {
        sum += weights[k] * rows[k][x];
    }
    out[x] = finished(sum, pass.precision);
}

#if HWY_TARGET == HWY_SCALAR // no vectors: the rule as it is written down

void row_across(const ResizePass& pass, const std::uint8_t* row, std::uint8_t* out) {
    const std::int16_t* weights = pass.weights.data();
    for (const int start : pass.first) {
        for (std::ptrdiff_t channel = 0; channel < 3; ++channel) {
            int sum = 1 << (pass.precision - 1);
            for (std::ptrdiff_t k = 0; k < pass.taps; ++k) {
                sum += weights[k] * row[(start + k) * 3 + channel];
            }
            *out++ = finished(sum, pass.precision);
        }
        weights += pass.taps;
    }
}

void rows_down(const ResizePass& pass, int out_index, const std::uint8_t* const* rows, std::size_t bytes, std::uint8_t* out) {
    const std::int16_t* weights = &pass.weights[static_cast<std::size_t>(out_index) * static_cast<std::size_t>(pass.taps)];
    for (std::size_t x = 0; x < bytes; ++x) {
        column_down(pass, weights, rows, x, out);
    }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

// Two neighbouring weights in every pair of lanes.
template <class D16>
hn::VFromD<D16> weight_pairs(D16 d16, const std::int16_t* weights) {
    std::int32_t both = 0;
    std::memcpy(&both, weights, sizeof both);
    return hn::BitCast(d16, hn::Set(hn::RepartitionToWide<D16>(), both));
}

// One pixel at a time: its three sums lie in the lanes of one vector, and two taps are multiplied at once.
void row_across(const ResizePass& pass, const std::uint8_t* row, std::uint8_t* out) {
    const hn::FixedTag<std::uint8_t, 16> d8;
    const hn::FixedTag<std::int16_t, 8> d16;
    const hn::FixedTag<std::int32_t, 4> d32;
    // 16-bit lanes r0 r1 g0 g1 b0 b1 0 0 of two pixels that lie as r0 g0 b0 r1 g1 b1.
    alignas(16) static constexpr std::uint8_t kFirst[16] = {0, 128, 3, 128, 1, 128, 4, 128, 2, 128, 5, 128, 128, 128, 128, 128};
    alignas(16) static constexpr std::uint8_t kSecond[16] = {6, 128, 9, 128, 7, 128, 10, 128, 8, 128, 11, 128, 128, 128, 128, 128};
    const auto first = hn::Load(d8, kFirst);
    const auto second = hn::Load(d8, kSecond);
    const auto half = hn::Set(d32, 1 << (pass.precision - 1));
    const std::int16_t* weights = pass.weights.data();
    for (const int start : pass.first) {
        const std::uint8_t* from = row + static_cast<std::ptrdiff_t>(start) * 3;
        auto even = half;
        auto odd = hn::Zero(d32);
        for (int k = 0; k < pass.taps; k += 4, from += 12) {
            const auto bytes = hn::LoadU(d8, from);
            even = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, hn::TableLookupBytesOr0(bytes, first)),
                                                 weight_pairs(d16, weights + k), even, odd);
            if (k + 2 < pass.taps) {
                even = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, hn::TableLookupBytesOr0(bytes, second)),
                                                     weight_pairs(d16, weights + k + 2), even, odd);
            }
        }
        const auto sums = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(even, odd), pass.precision);
        hn::StoreU(hn::DemoteTo(hn::FixedTag<std::uint8_t, 4>(), sums), hn::FixedTag<std::uint8_t, 4>(), out);
        out += 3;
        weights += pass.taps;
    }
}

// `count` bytes from x on, all lanes at once: rows are interleaved in pairs, summed, and packed back.
template <class D16>
void block_down(D16 d16, const ResizePass& pass, const std::int16_t* weights, const std::uint8_t* const* rows, std::size_t x,
                std::uint8_t* out) {
    const hn::RepartitionToWide<D16> d32;
    const hn::Rebind<std::uint8_t, D16> d8;
    auto low_even = hn::Set(d32, 1 << (pass.precision - 1));
    auto high_even = low_even;
    auto low_odd = hn::Zero(d32);
    auto high_odd = low_odd;
    for (int k = 0; k < pass.taps; k += 2) {
        const auto above = hn::PromoteTo(d16, hn::LoadU(d8, rows[k] + x));
        const auto below = hn::PromoteTo(d16, hn::LoadU(d8, rows[k + 1] + x));
        const auto pair = weight_pairs(d16, weights + k);
        low_even = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveLower(d16, above, below), pair, low_even, low_odd);
        high_even = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveUpper(d16, above, below), pair, high_even, high_odd);
    }
    const auto low = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(low_even, low_odd), pass.precision);
    const auto high = hn::ShiftRightSame(hn::RearrangeToOddPlusEven(high_even, high_odd), pass.precision);
    hn::StoreU(hn::DemoteTo(d8, hn::ReorderDemote2To(d16, low, high)), d8, out + x);
}

void rows_down(const ResizePass& pass, int out_index, const std::uint8_t* const* rows, std::size_t bytes, std::uint8_t* out) {
    const hn::ScalableTag<std::int16_t> d16;
    const std::size_t lanes = hn::Lanes(d16);
    const std::int16_t* weights = &pass.weights[static_cast<std::size_t>(out_index) * static_cast<std::size_t>(pass.taps)];
    std::size_t x = 0;
    for (; x + lanes <= bytes; x += lanes) {
        block_down(d16, pass, weights, rows, x, out);
    }
    if (x < bytes && bytes >= lanes) {
        block_down(d16, pass, weights, rows, bytes - lanes, out);
        return;
    }
    for (; x < bytes; ++x) {
        column_down(pass, weights, rows, x, out);
    }
}

#endif

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {

HWY_EXPORT(row_across);
HWY_EXPORT(rows_down);

void resize_row_across(const ResizePass& pass, const std::uint8_t* row, std::uint8_t* out) {
    HWY_DYNAMIC_DISPATCH(row_across)(pass, row, out);
}

void resize_rows_down(const ResizePass& pass, int out_index, std::span<const std::uint8_t* const> rows, std::size_t bytes,
                      std::uint8_t* out) {
    HWY_DYNAMIC_DISPATCH(rows_down)(pass, out_index, rows.data(), bytes, out);
}

} // namespace handeye
#endif
