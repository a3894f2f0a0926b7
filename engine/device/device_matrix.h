// SPDX-License-Identifier: Apache-2.0
// A matrix of weights as a device keeps it: the same codes and scales as in its file, laid out so that a warp reads whole lines and multiplies them without
// moving them. Products are made of strips of 16 rows and chunks of 64 inputs. In a chunk, lane 4g + t (g of 0..7, t of 0..3) has rows g and g + 8 of the strip and, for
// j of 0..3, inputs 16j + 4t + e, e of 0..3: four steps of mma_bf16() in which row g's inputs e = 0, 1 are a[0] and e = 2, 3 are a[2], row g + 8's a[1] and a[3].
// (The order of inputs inside a step is free as long as both sides have the same: SplitRows has it.)
#pragma once

#include "engine/device/ops.h"
#include "engine/quant/row_codes.h"

#include <cstdint>

namespace handeye::device {

enum class CodeKind : std::uint8_t { Bf16, F16, F32, Fp8, Whole };
enum class NumberKind : std::uint8_t { F16, Bf16, F32 };

inline constexpr int kStrip = 16;

/// Pointers are device memory (host memory while it is filled). (strip, chunk) has its codes together, chunks of a strip follow each other.
/// A plane of b bits holds b bits of each code, 32 codes of a lane in 4 b bytes, lane after lane in pieces of at most 16 bytes: (pieces, 32 lanes, bytes).
/// "Nibble n" of a word is its bits 4n..4n+3. Nibbles 0..7 hold first codes of a[0]..a[3], then second ones; with levels, a[0] first, a[0] second, a[1] first...
///   Whole, plane of 4 bits: word j of the lane's four is step j.
///   Whole, plane of 2 bits: word i of two has step 2i in the lower two bits of each nibble and step 2i+1 in the upper two.
///   Whole, plane of 1 bit: the one word has step j in bit j of each nibble.
///   Whole, 8 bits, and Fp8: word 2j + p / 2 of eight: bytes (a[p] first, a[p+1] first, a[p] second, a[p+1] second), p even.
///   Bf16, F16: word 4j + p is a[p]. F32: words 8j + 2p and 8j + 2p + 1.
/// 3 bits are a plane of 2 (the lower ones) and one of 1; 5 of 4 and 1; 6 of 4 and 2.
/// Scales are (strips, groups, 16 rows in the order 0, 8, 1, 9, ... 7, 15): numbers, or bytes where fine. Supers are (strips, cols / 256 rounded up, 16 rows so).
struct DeviceMatrix {
    int rows = 0;
    int cols = 0;
    int strips = 0;
    int chunks = 0;
    CodeKind kind = CodeKind::Bf16;
    int bits = 0;                                     ///< Whole
    int zero = 0;                                     ///< Whole: taken away from each code
    bool has_levels = false;                          ///< Whole of 2 to 4 bits: codes stand for levels
    std::int8_t levels[16] = {};
    bool has_scales = false;                          ///< else scale 1
    ScaleKind scales = ScaleKind::Number;
    NumberKind numbers = NumberKind::F32;
    int group = 0;                                    ///< inputs that share a scale, a multiple of 16; all: chunks * 64
    int groups = 0;                                   ///< of chunks * 64 inputs
    float factor = 1;
    const std::uint8_t* base = nullptr;               ///< the plane of the lower bits (or of all)
    const std::uint8_t* extra = nullptr;              ///< that of the one or two bits above, or null
    const void* scale = nullptr;                      ///< numbers, or super halves
    const void* offset = nullptr;                     ///< numbers; or super_min halves
    const std::uint8_t* fine = nullptr;               ///< or zeros (NumberAndZero)
    const std::uint8_t* fine_min = nullptr;
    const std::int32_t* inputs = nullptr;             ///< input at each place; null: in their order
};

/// One has the same kind of codes as the other: a kernel that multiplies the one multiplies the other.
inline bool same_codes(const DeviceMatrix& a, const DeviceMatrix& b) { return a.kind == b.kind && a.bits == b.bits && a.has_levels == b.has_levels; }

/// y (+)= x w^T + bias for up to kFewRows rows of x: the weights are read once, where they lie. x in kPartsMost planes. A row's result does not depend on
/// the other rows.
struct FewProduct {
    SplitRows x;
    DeviceMatrix w;
    const float* bias = nullptr; ///< (w.rows), or null
    Rows y;                      ///< (x.rows, w.rows)
    Into into = Into::Overwrite;
};
inline constexpr int kProductsMost = 3;
/// The same of several matrices with the same codes and the same x.
struct FewProducts {
    SplitRows x;
    struct Output {
        DeviceMatrix w;
        const float* bias = nullptr;
        Rows y;
    } of[kProductsMost];
    int count = 0;
    Into into = Into::Overwrite;
};
/// out = silu(x gate^T + bias) * (x up^T + bias), as FewProduct, for matrices with the same codes and shape.
struct GatedProduct {
    SplitRows x;
    DeviceMatrix gate, up;
    const float* gate_bias = nullptr;
    const float* up_bias = nullptr;
    SplitRows out; ///< in kPartsMost planes
};
/// The same for any number of rows and planes: tiles on tensor cores, weights unpacked in registers.
struct ManyProduct {
    SplitRows x;
    DeviceMatrix w;
    const float* bias = nullptr;
    Rows y;
    Into into = Into::Overwrite;
};
/// y row i = experts[chosen[i]] times row i / rows_share of x, for up to kFewRows * used rows: each expert is read where it lies. All experts have the layout of `like`.
struct ExpertProduct {
    SplitRows x;
    int rows_share = 1;
    const DeviceMatrix* experts = nullptr; ///< device memory
    const std::int32_t* chosen = nullptr;  ///< (y.rows)
    DeviceMatrix like;
    Rows y;
};
/// out row i = silu(gate) * up of experts chosen[i] and row i / rows_share of x; `gate` and `up` all have the layout of `like`.
struct GatedExperts {
    SplitRows x;
    int rows_share = 1;
    const DeviceMatrix* gate = nullptr;
    const DeviceMatrix* up = nullptr;
    const std::int32_t* chosen = nullptr; ///< (out.rows)
    DeviceMatrix like;
    SplitRows out; ///< in kPartsMost planes
};
/// to (w.rows, chunks * kChunk) = the weights, each rounded to bf16, in SplitRows' order of inputs: what a library multiplies.
struct Unpack {
    DeviceMatrix w;
    std::uint16_t* to = nullptr;
};

} // namespace handeye::device
