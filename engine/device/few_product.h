// SPDX-License-Identifier: Apache-2.0
// The product of decoding: few rows of x, and every weight is read once, as fast as memory gives it. A block takes the strips of 16 outputs that its eight
// warps have room for; the warps of a strip share its chunks in turns. What a warp will need is on its way several chunks ahead. Columns of a tensor core's
// tile are (row of x, plane), so that one tile serves two rows: 1 tile 2 rows, 2 tiles 5, 3 tiles 8, 6 tiles 16. How sums are made depends on the
// matrix's shape alone: a row's result is the same bits whatever stands beside it.
#pragma once

#include "engine/device/kernels.h"
#include "engine/device/lane_scales.h"
#include "engine/device/split_store.h"
#include "engine/device/unpack_codes.h"

namespace handeye::HANDEYE_DEVICE {

using FewOutput = device::FewProducts::Output;

/// What one launch multiplies: products beside each other share out its blocks; a gate and what it lets through have halves of each.
struct FewLaunch {
    device::SplitRows x;
    FewOutput of[device::kProductsMost];
    int first_block[device::kProductsMost]; ///< beyond the last: more than there are
    int warps[device::kProductsMost];       ///< of a strip
    device::Into into;
    device::SplitRows gated;                ///< with parts: of[0] is its gate and of[1] what it lets through
};

/// The same of experts: each row of y, or of the gate's result, has its own.
struct ExpertLaunch {
    device::SplitRows x;
    int rows_share;
    const device::DeviceMatrix* experts[2]; ///< the second: up, or null
    const std::int32_t* chosen;
    device::DeviceMatrix like;
    int warps; ///< of a strip
    device::Rows y;
    device::SplitRows gated;
};

// Launches for some of the codes; false: not for these. Each in a file of its own, so that they are compiled side by side.
bool few_product_plain(Stream stream, const FewLaunch& op, int blocks);
bool few_product_whole(Stream stream, const FewLaunch& op, int blocks);
bool few_product_levels(Stream stream, const FewLaunch& op, int blocks);
bool few_product_plain(Stream stream, const ExpertLaunch& op, dim3 grid);
bool few_product_whole(Stream stream, const ExpertLaunch& op, dim3 grid);
bool few_product_levels(Stream stream, const ExpertLaunch& op, dim3 grid);

namespace {

using device::kChunk;
using device::kPartsMost;
using device::kStrip;

constexpr int kTileColumns = 8;
constexpr int kFewWarps = 8;             // of a block

constexpr int rows_of_tiles(int tiles) { return tiles * kTileColumns / kPartsMost; }
/// Chunks that a warp has on their way: about four loads of 16 bytes in each lane.
constexpr int chunks_ahead(Code code) { return base_bits(code) >= 16 ? 2 : 4; }

/// Lane 4g + t: sums of rows g and g + 8 of a strip in columns 2t and 2t + 1 of each tile, and its share of what offsets add to each row of x.
template <int Tiles>
struct StripSums {
    float total[Tiles][4] = {};
    float offsets[2][rows_of_tiles(Tiles)] = {};
};

/// Chunks of one strip for one warp. Columns and rows that do not exist are the last one again: what becomes of them nobody reads.
template <Code C, int Tiles>
class FewStrip {
public:
    __device__ FewStrip(const device::SplitRows& x, const device::DeviceMatrix& w, int strip, int lane)
        : codes_(w, strip), scales_(w, strip, lane), decoder_(w), x_(x), x_sums_(x.sums + lane % 4), chunks_(w.chunks), lane_(lane) {
        HANDEYE_UNROLL
        for (int tile = 0; tile < Tiles; ++tile) {
            const int n = tile * kTileColumns + lane / 4;
            const int row = n / kPartsMost < x.rows ? n / kPartsMost : x.rows - 1;
            column_[tile] = x.parts + static_cast<std::int64_t>(n % kPartsMost * x.rows_max + row) * x.chunks * kChunk + 16 * (lane % 4);
        }
    }

    /// Chunks first, first + every, ...
    __device__ void add_chunks(int first, int every, StripSums<Tiles>& sums) const {
        constexpr int kAhead = chunks_ahead(C);
        Loaded ring[kAhead];
        HANDEYE_UNROLL
        for (int i = 0; i < kAhead; ++i) {
            load(first + i * every, ring[i]);
        }
        for (int chunk = first; chunk < chunks_; chunk += kAhead * every) {
            HANDEYE_UNROLL
            for (int i = 0; i < kAhead; ++i) {
                const int now = chunk + i * every;
                if (now < chunks_) {
                    multiply(now, ring[i], sums);
                    load(now + kAhead * every, ring[i]);
                }
            }
        }
    }

private:
    struct Loaded {
        LaneCodes<C> codes;
        RawScales scales;
    };
    __device__ __forceinline__ void load(int chunk, Loaded& out) const {
        if (chunk < chunks_) {
            codes_.load(chunk, lane_, out.codes);
            if constexpr (has_scales(C)) {
                scales_.load(chunk, out.scales);
            }
        }
    }

    __device__ __forceinline__ void multiply(int chunk, const Loaded& loaded, StripSums<Tiles>& sums) const {
        Words4 x[2][Tiles]; // of the first two steps, and of the others
        HANDEYE_UNROLL
        for (int tile = 0; tile < Tiles; ++tile) {
            const std::uint16_t* const from = column_[tile] + static_cast<std::uint64_t>(static_cast<unsigned>(chunk)) * kChunk;
            x[0][tile] = load_shared16(from);
            x[1][tile] = load_shared16(from + 8);
        }
        LaneScales scales{{1.0F, 1.0F}, {}};
        if constexpr (has_scales(C)) {
            scales = scales_.finish(loaded.scales);
            if (scales_.has_offset()) {
                add_offsets(chunk, scales, sums);
            }
        }
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            float c[Tiles][4] = {};
            multiply_step(loaded.codes, 2 * half, x[half], c);
            if (has_scales(C) && scales_.has_single_steps()) {
                take(c, scales, 2 * half, sums);
            }
            multiply_step(loaded.codes, 2 * half + 1, x[half], c);
            take(c, scales, 2 * half + 1, sums);
        }
    }

    __device__ __forceinline__ void multiply_step(const LaneCodes<C>& codes, int step, const Words4 (&x)[Tiles], float (&c)[Tiles][4]) const {
        HANDEYE_UNROLL
        for (int part = parts_of(C) - 1; part >= 0; --part) {
            std::uint32_t a[4];
            decoder_.fragment(codes, step, part, a);
            HANDEYE_UNROLL
            for (int tile = 0; tile < Tiles; ++tile) {
                const std::uint32_t b[2] = {step % 2 == 0 ? x[tile].x : x[tile].z, step % 2 == 0 ? x[tile].y : x[tile].w};
                mma_bf16(c[tile], a, b);
            }
        }
    }

    // total += scale c, and c is zero again. fmaf: the same roundings in every kernel that this is compiled into.
    __device__ static __forceinline__ void take(float (&c)[Tiles][4], const LaneScales& scales, int step, StripSums<Tiles>& sums) {
        float scale[2] = {1.0F, 1.0F};
        if constexpr (has_scales(C)) {
            scale[0] = from_step(scales.scale[0], step);
            scale[1] = from_step(scales.scale[1], step);
        }
        HANDEYE_UNROLL
        for (int tile = 0; tile < Tiles; ++tile) {
            HANDEYE_UNROLL
            for (int i = 0; i < 4; ++i) {
                sums.total[tile][i] = fmaf(c[tile][i], scale[i / 2], sums.total[tile][i]);
                c[tile][i] = 0;
            }
        }
    }

    __device__ __forceinline__ void add_offsets(int chunk, const LaneScales& scales, StripSums<Tiles>& sums) const {
        HANDEYE_UNROLL
        for (int row = 0; row < rows_of_tiles(Tiles); ++row) {
            const int x_row = row < x_.rows ? row : x_.rows - 1;
            const float of_inputs = __ldg(x_sums_ + static_cast<std::uint64_t>(static_cast<unsigned>(x_row * chunks_ + chunk)) * kSteps);
            sums.offsets[0][row] = fmaf(scales.offset[0], of_inputs, sums.offsets[0][row]);
            sums.offsets[1][row] = fmaf(scales.offset[1], of_inputs, sums.offsets[1][row]);
        }
    }

    StripCodes<C> codes_;
    StripScales scales_;
    Decoder<C> decoder_;
    const device::SplitRows& x_;
    const float* x_sums_;
    int chunks_;
    int lane_;
    const std::uint16_t* column_[Tiles];
};

/// Floats of a warp in the block's memory: (columns, then rows of x for offsets; 16 rows).
template <int Tiles>
constexpr int kWarpFloats = (Tiles * kTileColumns + rows_of_tiles(Tiles)) * kStrip;

template <int Tiles>
__device__ void lay_down(StripSums<Tiles>& sums, int lane, float* to) {
    const int g = lane / 4;
    const int t = lane % 4;
    HANDEYE_UNROLL
    for (int tile = 0; tile < Tiles; ++tile) {
        HANDEYE_UNROLL
        for (int i = 0; i < 4; ++i) {
            to[(tile * kTileColumns + 2 * t + i % 2) * kStrip + g + i / 2 * 8] = sums.total[tile][i];
        }
    }
    HANDEYE_UNROLL
    for (int row = 0; row < rows_of_tiles(Tiles); ++row) {
        HANDEYE_UNROLL
        for (int h = 0; h < 2; ++h) {
            float value = sums.offsets[h][row];
            value += __shfl_xor_sync(kAllLanes, value, 1);
            value += __shfl_xor_sync(kAllLanes, value, 2);
            if (t == 0) {
                to[(Tiles * kTileColumns + row) * kStrip + g + h * 8] = value;
            }
        }
    }
}

/// The strips of one block, `count` from `first` on, each summed by `warps` warps of it, which lie one after the other from `first_warp` on.
struct BlockStrips {
    int first;
    int count;
    int warps;
    int first_warp = 0;
};

/// Those of one half of a block's warps, of which `half` 0 has the gate.
__device__ inline BlockStrips half_block(int block, int half, int warps) {
    const int count = kFewWarps / 2 / warps;
    return {.first = block * count, .count = count, .warps = warps, .first_warp = half * (kFewWarps / 2)};
}
__device__ inline BlockStrips whole_block(int block, int warps) {
    const int count = kFewWarps / warps;
    return {.first = block * count, .count = count, .warps = warps, .first_warp = 0};
}

/// What this thread's warp has to sum, left in `shared` (kFewWarps * kWarpFloats<Tiles>).
template <Code C, int Tiles>
__device__ __forceinline__ void sum_strips(const device::SplitRows& x, const device::DeviceMatrix& w, const BlockStrips& strips, float* shared) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int strip = strips.first + (warp - strips.first_warp) / strips.warps;
    StripSums<Tiles> sums;
    if (strip < w.strips) {
        FewStrip<C, Tiles>(x, w, strip, lane).add_chunks((warp - strips.first_warp) % strips.warps, strips.warps, sums);
    }
    lay_down(sums, lane, shared + warp * kWarpFloats<Tiles>);
}

/// One output of the block's, counted from its first strip on.
template <int Tiles>
__device__ __forceinline__ float strip_output(const float* shared, const BlockStrips& strips, int x_row, int output) {
    const float* const from = shared + (strips.first_warp + output / kStrip * strips.warps) * kWarpFloats<Tiles> + output % kStrip;
    float planes[kPartsMost] = {};
    float offset = 0;
    for (int k = 0; k < strips.warps; ++k) {
        HANDEYE_UNROLL
        for (int plane = 0; plane < kPartsMost; ++plane) {
            planes[plane] += from[k * kWarpFloats<Tiles> + (x_row * kPartsMost + plane) * kStrip];
        }
        offset += from[k * kWarpFloats<Tiles> + (Tiles * kTileColumns + x_row) * kStrip];
    }
    return planes[2] + planes[1] + planes[0] + offset;
}

template <int Tiles>
__device__ __forceinline__ void store_outputs(const float* shared, const BlockStrips& strips, const FewOutput& to, int x_rows, device::Into into) {
    for (int i = static_cast<int>(threadIdx.x); i < x_rows * strips.count * kStrip; i += kFewWarps * kWarp) {
        const int output = i % (strips.count * kStrip);
        const int x_row = i / (strips.count * kStrip);
        const int row = strips.first * kStrip + output;
        if (row >= to.w.rows) {
            continue;
        }
        float value = strip_output<Tiles>(shared, strips, x_row, output);
        if (to.bias != nullptr) {
            value += to.bias[row];
        }
        float* const at = to.y.data + x_row * to.y.stride + row;
        *at = into == device::Into::Add ? *at + value : value;
    }
}

struct GateBias {
    const float* gate;
    const float* up;
};

/// silu(gate) * up as a left side, of the halves of a block: a strip's outputs are the inputs of one sum.
template <int Tiles>
__device__ __forceinline__ void store_gated(const float* shared, const BlockStrips& strips, int outputs, GateBias bias, int x_rows, const device::SplitRows& out, int first_row) {
    static_assert(kStrip == device::kSumGroup && kWarp % kStrip == 0);
    BlockStrips gate = strips, up = strips;
    gate.first_warp = 0;
    up.first_warp = kFewWarps / 2;
    const int count = x_rows * strips.count * kStrip;
    for (int i = static_cast<int>(threadIdx.x); i / kWarp * kWarp < count; i += kFewWarps * kWarp) { // by whole warps
        const int output = i % (strips.count * kStrip);
        const int x_row = i / (strips.count * kStrip);
        const int row = strips.first * kStrip + output;
        float value = 0;
        if (i < count && row < outputs) {
            value = silu_product(strip_output<Tiles>(shared, gate, x_row, output) + (bias.gate != nullptr ? bias.gate[row] : 0.0F),
                                 strip_output<Tiles>(shared, up, x_row, output) + (bias.up != nullptr ? bias.up[row] : 0.0F));
        }
        store_one_split(out, i < count && row < out.chunks * kChunk, first_row + x_row, row, value);
    }
}

__device__ inline int half_of_block() { return static_cast<int>(threadIdx.x) / (kFewWarps / 2 * kWarp); }

template <Code C, int Tiles>
__global__ void __launch_bounds__(kFewWarps * kWarp, Tiles == 1 ? 2 : 1) few_product(const __grid_constant__ FewLaunch op) {
    float* const shared = dynamic_shared<float>();
    const int block = static_cast<int>(blockIdx.x);
    const bool is_gated = op.gated.parts != nullptr;
    const int which = is_gated ? half_of_block() : (block >= op.first_block[1] ? 1 : 0) + (block >= op.first_block[2] ? 1 : 0);
    const FewOutput& of = op.of[which];
    const BlockStrips strips = is_gated ? half_block(block, which, op.warps[0]) : whole_block(block - op.first_block[which], op.warps[which]);
    sum_strips<C, Tiles>(op.x, of.w, strips, shared);
    __syncthreads();
    if (is_gated) {
        store_gated<Tiles>(shared, strips, of.w.rows, {op.of[0].bias, op.of[1].bias}, op.x.rows, op.gated, 0);
    } else {
        store_outputs<Tiles>(shared, strips, of, op.x.rows, op.into);
    }
}

/// blockIdx.y is the row of y.
template <Code C>
__global__ void __launch_bounds__(kFewWarps * kWarp, 2) expert_product(const __grid_constant__ ExpertLaunch op) {
    float* const shared = dynamic_shared<float>();
    const int block = static_cast<int>(blockIdx.x);
    const int row = static_cast<int>(blockIdx.y);
    const bool is_gated = op.gated.parts != nullptr;
    const int half = is_gated ? half_of_block() : 0;
    const device::DeviceMatrix& expert = op.experts[half][op.chosen[row]];
    FewOutput of{.w = op.like, .bias = nullptr, .y = {.data = op.y.data + row * op.y.stride, .rows = 1, .cols = op.y.cols, .stride = op.y.stride}};
    of.w.base = expert.base;
    of.w.extra = expert.extra;
    of.w.scale = expert.scale;
    of.w.offset = expert.offset;
    of.w.fine = expert.fine;
    of.w.fine_min = expert.fine_min;
    device::SplitRows x = op.x;
    const std::int64_t x_row = row / op.rows_share;
    x.parts += x_row * x.chunks * kChunk;
    x.sums += x_row * x.chunks * kSteps;
    x.rows = 1;
    const BlockStrips strips = is_gated ? half_block(block, half, op.warps) : whole_block(block, op.warps);
    sum_strips<C, 1>(x, of.w, strips, shared);
    __syncthreads();
    if (is_gated) {
        store_gated<1>(shared, strips, of.w.rows, {nullptr, nullptr}, 1, op.gated, row);
    } else {
        store_outputs<1>(shared, strips, of, 1, device::Into::Overwrite);
    }
}

template <Code... Known>
bool few_product_of(Stream stream, const FewLaunch& op, int blocks) {
    const auto launch_with = [&]<Code C, int Tiles>() {
        launch(stream, dim3(static_cast<unsigned>(blocks)), dim3(kFewWarps * kWarp), kFewWarps * kWarpFloats<Tiles> * sizeof(float), few_product<C, Tiles>, op);
    };
    return with_code<Known...>(code_of(op.of[0].w), [&]<Code C>() {
        if (op.x.rows <= rows_of_tiles(1)) {
            launch_with.template operator()<C, 1>();
        } else if (op.x.rows <= rows_of_tiles(2)) {
            launch_with.template operator()<C, 2>();
        } else if (op.x.rows <= rows_of_tiles(3)) {
            launch_with.template operator()<C, 3>();
        } else {
            launch_with.template operator()<C, 6>();
        }
    });
}
template <Code... Known>
bool few_product_of(Stream stream, const ExpertLaunch& op, dim3 grid) {
    return with_code<Known...>(code_of(op.like), [&]<Code C>() {
        launch(stream, grid, dim3(kFewWarps * kWarp), kFewWarps * kWarpFloats<1> * sizeof(float), expert_product<C>, op);
    });
}

} // namespace
} // namespace handeye::HANDEYE_DEVICE
