// SPDX-License-Identifier: Apache-2.0
// The product of decoding: few rows of x, and every weight is read once, as fast as memory gives it. A block takes the strips of 16 outputs that its eight
// warps have room for; the warps of a strip share its chunks in turns. What a warp will need is on its way several chunks ahead. Columns of a tensor core's
// tile are (row of x, plane), so that one tile serves two rows: 1 tile 2 rows, 2 tiles 5, 3 tiles 8, 6 tiles 16. How sums are made depends on the
// matrix's shape alone: a row's result is the same bits whatever stands beside it.
#pragma once

#include "engine/device/kernels.h"
#include "engine/device/lane_scales.h"
#include "engine/device/unpack_codes.h"

namespace handeye::HANDEYE_DEVICE {

// Launches for some of the codes; false: not for these. Each in a file of its own, so that they are compiled side by side.
bool few_product_plain(Stream stream, const device::FewProduct& op);
bool few_product_whole(Stream stream, const device::FewProduct& op);
bool few_product_levels(Stream stream, const device::FewProduct& op);
bool few_product_plain(Stream stream, const device::ExpertProduct& op);
bool few_product_whole(Stream stream, const device::ExpertProduct& op);
bool few_product_levels(Stream stream, const device::ExpertProduct& op);

namespace {

using device::kChunk;
using device::kPartsMost;
using device::kStrip;

constexpr int kTileColumns = 8;
constexpr int kFewWarps = 8;             // of a block
constexpr int kWarpsEnough = 4096;       // on the device: then the strips are not shared among more
constexpr int kChunksLeast = 2;          // of a warp

constexpr int rows_of_tiles(int tiles) { return tiles * kTileColumns / kPartsMost; }
/// Chunks that a warp has on their way: about four loads of 16 bytes in each lane.
constexpr int chunks_ahead(Code code) { return base_bits(code) >= 16 ? 2 : 4; }

/// Of one strip: a power of two, by the matrix's shape.
inline int warps_of_strip(const device::DeviceMatrix& w) {
    int warps = kFewWarps;
    while (warps > 1 && (warps * kChunksLeast > w.chunks || w.strips * (warps / 2) >= kWarpsEnough)) {
        warps /= 2;
    }
    return warps;
}

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

/// One block's strips; `shared`: kFewWarps * kWarpFloats<Tiles>.
template <Code C, int Tiles>
__device__ __forceinline__ void few_strips(const device::FewProduct& op, int warps, float* shared) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int strips = kFewWarps / warps; // of the block
    const int first_strip = static_cast<int>(blockIdx.x) * strips;
    const int strip = first_strip + warp / warps;
    StripSums<Tiles> sums;
    if (strip < op.w.strips) {
        FewStrip<C, Tiles>(op.x, op.w, strip, lane).add_chunks(warp % warps, warps, sums);
    }
    lay_down(sums, lane, shared + warp * kWarpFloats<Tiles>);
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < op.x.rows * strips * kStrip; i += kFewWarps * kWarp) {
        const int output = i % (strips * kStrip);
        const int x_row = i / (strips * kStrip);
        const int row = first_strip * kStrip + output;
        if (row >= op.w.rows) {
            continue;
        }
        const float* const from = shared + output / kStrip * warps * kWarpFloats<Tiles> + output % kStrip;
        float planes[kPartsMost] = {};
        float offset = 0;
        for (int k = 0; k < warps; ++k) {
            HANDEYE_UNROLL
            for (int plane = 0; plane < kPartsMost; ++plane) {
                planes[plane] += from[k * kWarpFloats<Tiles> + (x_row * kPartsMost + plane) * kStrip];
            }
            offset += from[k * kWarpFloats<Tiles> + (Tiles * kTileColumns + x_row) * kStrip];
        }
        float value = planes[2] + planes[1] + planes[0] + offset;
        if (op.bias != nullptr) {
            value += op.bias[row];
        }
        float* const to = op.y.data + x_row * op.y.stride + row;
        *to = op.into == device::Into::Add ? *to + value : value;
    }
}

template <Code C, int Tiles>
__global__ void __launch_bounds__(kFewWarps * kWarp, Tiles == 1 ? 2 : 1) few_product(device::FewProduct op, int warps) {
    few_strips<C, Tiles>(op, warps, dynamic_shared<float>());
}

/// blockIdx.y is the row of y.
template <Code C>
__global__ void __launch_bounds__(kFewWarps * kWarp, 2) expert_product(device::ExpertProduct op, int warps) {
    const int row = static_cast<int>(blockIdx.y);
    const device::DeviceMatrix& expert = op.experts[op.chosen[row]];
    device::FewProduct one{.x = op.x, .w = op.like, .y = {.data = op.y.data + row * op.y.stride, .rows = 1, .cols = op.y.cols, .stride = op.y.stride}};
    one.w.base = expert.base;
    one.w.extra = expert.extra;
    one.w.scale = expert.scale;
    one.w.offset = expert.offset;
    one.w.fine = expert.fine;
    one.w.fine_min = expert.fine_min;
    const std::int64_t x_row = row / op.rows_share;
    one.x.parts += x_row * op.x.chunks * kChunk;
    one.x.sums += x_row * op.x.chunks * kSteps;
    one.x.rows = 1;
    few_strips<C, 1>(one, warps, dynamic_shared<float>());
}

inline dim3 few_grid(const device::DeviceMatrix& w, int rows) {
    const int strips = kFewWarps / warps_of_strip(w);
    return dim3(static_cast<unsigned>((w.strips + strips - 1) / strips), static_cast<unsigned>(rows));
}

template <Code C, int Tiles>
void launch_few(Stream stream, const device::FewProduct& op) {
    launch(stream, few_grid(op.w, 1), dim3(kFewWarps * kWarp), kFewWarps * kWarpFloats<Tiles> * sizeof(float), few_product<C, Tiles>, op, warps_of_strip(op.w));
}

/// Whether one of `Known` are this matrix's codes; then the product is launched.
template <Code... Known>
bool few_product_of(Stream stream, const device::FewProduct& op) {
    return with_code<Known...>(code_of(op.w), [&]<Code C>() {
        if (op.x.rows <= rows_of_tiles(1)) {
            launch_few<C, 1>(stream, op);
        } else if (op.x.rows <= rows_of_tiles(2)) {
            launch_few<C, 2>(stream, op);
        } else if (op.x.rows <= rows_of_tiles(3)) {
            launch_few<C, 3>(stream, op);
        } else {
            launch_few<C, 6>(stream, op);
        }
    });
}
template <Code... Known>
bool few_product_of(Stream stream, const device::ExpertProduct& op) {
    return with_code<Known...>(code_of(op.like), [&]<Code C>() {
        launch(stream, few_grid(op.like, op.y.rows), dim3(kFewWarps * kWarp), kFewWarps * kWarpFloats<1> * sizeof(float), expert_product<C>, op,
               warps_of_strip(op.like));
    });
}

} // namespace
} // namespace handeye::HANDEYE_DEVICE
