// SPDX-License-Identifier: Apache-2.0
// The inner loops of matrix products, compiled once per instruction set. Included by the kernels' .cpp files only.
//
// A product C = A B^T is made of tiles of kRows x kPanel sums that stay in registers. B's rows are first widened to float and
// transposed into a panel [k][kPanel], so that one step of k is two vector loads and kRows broadcasts. Every sum runs over k in
// order, whatever the number of threads: results do not depend on it.
#if defined(HANDEYE_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANDEYE_GEMM_INL_H_
#undef HANDEYE_GEMM_INL_H_
#else
#define HANDEYE_GEMM_INL_H_
#endif

#include "engine/tensor/tensor.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using Vec = hn::Vec<FloatTag>;

constexpr std::int64_t kLanes = HWY_LANES(float);       // one where there is no vector unit
constexpr std::int64_t kPanel = 2 * kLanes;             // columns of a tile
constexpr std::int64_t kRows = kLanes >= 16 ? 12 : 6;   // 24 sums of 32 registers, 12 of 16

/// One vector of weights as float.
template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const float* p) {
    return hn::LoadU(d, p);
}
template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const hwy::bfloat16_t* p) {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::bfloat16_t, D>(), p));
}
template <class D>
HWY_INLINE hn::Vec<D> load_wide(D d, const hwy::float16_t* p) {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<hwy::float16_t, D>(), p));
}

/// One weight as float. Containers need not align their data, so nothing is read through a typed pointer.
inline float widen(const float* p) {
    float value = 0;
    std::memcpy(&value, p, sizeof value);
    return value;
}
inline float widen(const hwy::bfloat16_t* p) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, p, sizeof bits);
    return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}
inline float widen(const hwy::float16_t* p) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, p, sizeof bits);
    return half_as_float(bits);
}

/// panel[k][kPanel] = rows of B transposed; `valid` of the kPanel rows exist, the rest is zero.
template <class T>
void pack_panel(const T* b, std::int64_t stride, std::int64_t valid, std::int64_t depth, float* panel) {
    std::int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::CappedTag<float, 4> d4;
    for (; r + 4 <= valid; r += 4) {
        const T* b0 = b + r * stride;
        std::int64_t k = 0;
        for (; k + 4 <= depth; k += 4) {
            const auto v0 = load_wide(d4, b0 + k);
            const auto v1 = load_wide(d4, b0 + stride + k);
            const auto v2 = load_wide(d4, b0 + 2 * stride + k);
            const auto v3 = load_wide(d4, b0 + 3 * stride + k);
            const auto low02 = hn::InterleaveLower(d4, v0, v2);
            const auto low13 = hn::InterleaveLower(d4, v1, v3);
            const auto high02 = hn::InterleaveUpper(d4, v0, v2);
            const auto high13 = hn::InterleaveUpper(d4, v1, v3);
            float* to = panel + k * kPanel + r;
            hn::StoreU(hn::InterleaveLower(d4, low02, low13), d4, to);
            hn::StoreU(hn::InterleaveUpper(d4, low02, low13), d4, to + kPanel);
            hn::StoreU(hn::InterleaveLower(d4, high02, high13), d4, to + 2 * kPanel);
            hn::StoreU(hn::InterleaveUpper(d4, high02, high13), d4, to + 3 * kPanel);
        }
        for (; k < depth; ++k) {
            for (std::int64_t i = 0; i < 4; ++i) {
                panel[k * kPanel + r + i] = widen(b0 + i * stride + k);
            }
        }
    }
#endif
    for (; r < kPanel; ++r) {
        for (std::int64_t k = 0; k < depth; ++k) {
            panel[k * kPanel + r] = r < valid ? widen(b + r * stride + k) : 0.0F;
        }
    }
}

/// c[R][kPanel] (+)= a[R][depth] * panel[depth][kPanel]
template <int R>
HWY_INLINE void tile(const float* a, std::int64_t a_stride, const float* panel, std::int64_t panel_stride,
                     std::int64_t depth, float* c, std::int64_t c_stride, bool add) {
    const FloatTag d;
    Vec sum0[R];
    Vec sum1[R];
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i) {
        sum0[i] = add ? hn::LoadU(d, c + i * c_stride) : hn::Zero(d);
        sum1[i] = add ? hn::LoadU(d, c + i * c_stride + kLanes) : hn::Zero(d);
    }
    for (std::int64_t k = 0; k < depth; ++k) {
        const Vec b0 = hn::LoadU(d, panel + k * panel_stride);
        const Vec b1 = hn::LoadU(d, panel + k * panel_stride + kLanes);
#pragma GCC unroll 12
        for (int i = 0; i < R; ++i) {
            const Vec x = hn::Set(d, a[i * a_stride + k]);
            sum0[i] = hn::MulAdd(x, b0, sum0[i]);
            sum1[i] = hn::MulAdd(x, b1, sum1[i]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < R; ++i) {
        hn::StoreU(sum0[i], d, c + i * c_stride);
        hn::StoreU(sum1[i], d, c + i * c_stride + kLanes);
    }
}

/// c[rows][kPanel] (+)= a[rows][depth] * panel: any number of rows.
inline void tile_rows(std::int64_t rows, const float* a, std::int64_t a_stride, const float* panel,
                      std::int64_t panel_stride, std::int64_t depth, float* c, std::int64_t c_stride, bool add) {
    while (rows > 0) {
        std::int64_t step = 1;
        if (rows >= kRows) {
            step = kRows;
            tile<static_cast<int>(kRows)>(a, a_stride, panel, panel_stride, depth, c, c_stride, add);
        } else if (rows >= 4) {
            step = 4;
            tile<4>(a, a_stride, panel, panel_stride, depth, c, c_stride, add);
        } else if (rows >= 2) {
            step = 2;
            tile<2>(a, a_stride, panel, panel_stride, depth, c, c_stride, add);
        } else {
            tile<1>(a, a_stride, panel, panel_stride, depth, c, c_stride, add);
        }
        rows -= step;
        a += step * a_stride;
        c += step * c_stride;
    }
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
