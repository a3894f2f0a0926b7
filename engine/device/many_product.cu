// SPDX-License-Identifier: Apache-2.0
// Products with many rows. A block makes a tile of 64 rows of x by 32 outputs for each of its pairs of warps; one warp of a pair has the first half of the rows, each
// two strips of outputs. Weights are unpacked in registers; planes of x come through the block's memory, the next chunk's while this one is multiplied.
#include "engine/device/kernels.h"
#include "engine/device/lane_scales.h"
#include "engine/device/unpack_codes.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

using device::kChunk;
using device::kStrip;

constexpr int kTileRows = 64;                     // of x
constexpr int kRowsOfWarp = kTileRows / 2;
constexpr int kTiles = kRowsOfWarp / 8;           // of a tensor core, side by side
constexpr int kStrips = 2;                        // of a warp
constexpr int kPairsMost = 4;                     // of warps in a block
constexpr int kBlocksEnough = 256;                // then blocks are as large as can be
constexpr int kPieces = kChunk / 8;               // of 16 bytes, in a row of a chunk

/// The block's memory for one chunk: planes of x, then sums.
struct Stage {
    std::uint16_t* x; // (planes, kTileRows, kChunk); piece p of row r stands at p ^ (r % 8), so that eight lanes read eight banks of 16 bytes
    float* sums;      // (kTileRows, kSteps)
};
constexpr int stage_bytes(int planes) { return kTileRows * (planes * kChunk * 2 + kSteps * 4); }
__device__ inline Stage stage_of(unsigned char* shared, int chunk, int planes) {
    unsigned char* const at = shared + chunk % 2 * stage_bytes(planes);
    return {reinterpret_cast<std::uint16_t*>(at), reinterpret_cast<float*>(at + planes * kTileRows * kChunk * 2)};
}

__device__ inline void fetch(const device::SplitRows& x, int first_row, int chunk, const Stage& to) {
    const int threads = static_cast<int>(blockDim.x);
    for (int i = static_cast<int>(threadIdx.x); i < x.planes * kTileRows * kPieces; i += threads) {
        const int piece = i % kPieces;
        const int row = i / kPieces % kTileRows;
        const int plane = i / (kPieces * kTileRows);
        const bool valid = first_row + row < x.rows;
        const std::int64_t from = ((static_cast<std::int64_t>(plane) * x.rows_max + (valid ? first_row + row : 0)) * x.chunks + chunk) * kChunk + piece * 8;
        copy_async16(to.x + (plane * kTileRows + row) * kChunk + (piece ^ row % 8) * 8, x.parts + from, valid);
    }
    for (int row = static_cast<int>(threadIdx.x); row < kTileRows; row += threads) {
        const bool valid = first_row + row < x.rows;
        copy_async16(to.sums + row * kSteps, x.sums + (static_cast<std::int64_t>(valid ? first_row + row : 0) * x.chunks + chunk) * kSteps, valid);
    }
}

using Fragments = std::uint32_t[kStrips][2][4]; // of two steps
using Sums = float[kStrips][kTiles][4];

/// c += the weights of steps 2 half + k, where takes[k], times x. Warps read each of x's pieces once for all their strips.
template <bool TakesFirst, bool TakesSecond>
__device__ __forceinline__ void multiply(const Fragments& a, const Stage& stage, int planes, int half, int rows_from, int lane, Sums& c) {
    for (int plane = planes - 1; plane >= 0; --plane) { // the smallest first
        HANDEYE_UNROLL
        for (int tile = 0; tile < kTiles; ++tile) {
            const int row = rows_from + tile * 8 + lane / 4;
            const int piece = 2 * (lane % 4) + half;
            const Words4 x = *reinterpret_cast<const Words4*>(stage.x + (plane * kTileRows + row) * kChunk + (piece ^ row % 8) * 8);
            const std::uint32_t first[2] = {x.x, x.y};
            const std::uint32_t second[2] = {x.z, x.w};
            HANDEYE_UNROLL
            for (int s = 0; s < kStrips; ++s) {
                if constexpr (TakesFirst) {
                    mma_bf16(c[s][tile], a[s][0], first);
                }
                if constexpr (TakesSecond) {
                    mma_bf16(c[s][tile], a[s][1], second);
                }
            }
        }
    }
}

/// What a warp has of its tile.
template <Code C>
class ManyTile {
public:
    __device__ ManyTile(const device::ManyProduct& op, const int (&strips)[kStrips], int rows_from, int lane)
        : codes_{StripCodes<C>(op.w, strips[0]), StripCodes<C>(op.w, strips[1])},
          scales_{StripScales(op.w, strips[0], lane), StripScales(op.w, strips[1], lane)}, decoder_(op.w), planes_(op.x.planes), chunks_(op.w.chunks),
          rows_from_(rows_from), lane_(lane) {
        load(0);
    }

    [[nodiscard]] __device__ const Sums& total() const { return total_; }

    __device__ __forceinline__ void add_chunk(int chunk, const Stage& stage) {
        LaneScales scales[kStrips];
        if constexpr (has_scales(C)) {
            HANDEYE_UNROLL
            for (int s = 0; s < kStrips; ++s) {
                scales[s] = scales_[s].finish(raw_[s]);
            }
        }
        const bool has_single_steps = has_scales(C) && scales_[0].has_single_steps();
        HANDEYE_UNROLL
        for (int half = 0; half < 2; ++half) {
            HANDEYE_UNROLL
            for (int part = parts_of(C) - 1; part >= 0; --part) {
                Fragments a;
                HANDEYE_UNROLL
                for (int s = 0; s < kStrips; ++s) {
                    decoder_.fragment(loaded_[s], 2 * half, part, a[s][0]);
                    decoder_.fragment(loaded_[s], 2 * half + 1, part, a[s][1]);
                }
                if (half == 1 && part == 0) {
                    load(chunk + 1); // while the last fragments are multiplied
                }
                if (has_single_steps) {
                    multiply<true, false>(a, stage, planes_, half, rows_from_, lane_, c_);
                    take(stage, scales, 2 * half, 1);
                    multiply<false, true>(a, stage, planes_, half, rows_from_, lane_, c_);
                } else {
                    multiply<true, true>(a, stage, planes_, half, rows_from_, lane_, c_);
                }
            }
            take(stage, scales, 2 * half + 1, has_single_steps ? 1 : 2);
        }
    }

private:
    __device__ __forceinline__ void load(int chunk) {
        if (chunk < chunks_) {
            HANDEYE_UNROLL
            for (int s = 0; s < kStrips; ++s) {
                codes_[s].load(chunk, lane_, loaded_[s]);
                if constexpr (has_scales(C)) {
                    scales_[s].load(chunk, raw_[s]);
                }
            }
        }
    }

    // total += scale c + offset * sum of inputs, for the last `steps` up to `step`; c is zero again.
    __device__ __forceinline__ void take(const Stage& stage, const LaneScales (&scales)[kStrips], int step, int steps) {
        if constexpr (has_scales(C)) {
            if (scales_[0].has_offset()) {
                add_offsets(stage, scales, step, steps);
            }
        }
        HANDEYE_UNROLL
        for (int s = 0; s < kStrips; ++s) {
            float scale[2] = {1.0F, 1.0F};
            if constexpr (has_scales(C)) {
                scale[0] = from_step(scales[s].scale[0], step);
                scale[1] = from_step(scales[s].scale[1], step);
            }
            HANDEYE_UNROLL
            for (int tile = 0; tile < kTiles; ++tile) {
                HANDEYE_UNROLL
                for (int i = 0; i < 4; ++i) {
                    total_[s][tile][i] = fmaf(c_[s][tile][i], scale[i / 2], total_[s][tile][i]);
                    c_[s][tile][i] = 0;
                }
            }
        }
    }

    __device__ __forceinline__ void add_offsets(const Stage& stage, const LaneScales (&scales)[kStrips], int step, int steps) {
        float offset[kStrips][2];
        HANDEYE_UNROLL
        for (int s = 0; s < kStrips; ++s) {
            offset[s][0] = from_step(scales[s].offset[0], step);
            offset[s][1] = from_step(scales[s].offset[1], step);
        }
        HANDEYE_UNROLL
        for (int tile = 0; tile < kTiles; ++tile) {
            HANDEYE_UNROLL
            for (int column = 0; column < 2; ++column) {
                const float* const sums = stage.sums + (rows_from_ + tile * 8 + 2 * (lane_ % 4) + column) * kSteps;
                const float of_inputs = steps == 2 ? sums[step - 1] + sums[step] : sums[step];
                HANDEYE_UNROLL
                for (int s = 0; s < kStrips; ++s) {
                    total_[s][tile][column] = fmaf(offset[s][0], of_inputs, total_[s][tile][column]);
                    total_[s][tile][2 + column] = fmaf(offset[s][1], of_inputs, total_[s][tile][2 + column]);
                }
            }
        }
    }

    StripCodes<C> codes_[kStrips];
    StripScales scales_[kStrips];
    Decoder<C> decoder_;
    int planes_, chunks_, rows_from_, lane_;
    LaneCodes<C> loaded_[kStrips];
    RawScales raw_[kStrips];
    Sums c_ = {};
    Sums total_ = {};
};

__device__ inline void store(const device::ManyProduct& op, int row, int output, float value) {
    if (row < op.x.rows && output < op.w.rows) {
        if (op.bias != nullptr) {
            value += op.bias[output];
        }
        float* const to = op.y.data + row * op.y.stride + output;
        *to = op.into == device::Into::Add ? *to + value : value;
    }
}

template <Code C>
__global__ void __launch_bounds__(kPairsMost * 2 * kWarp) many_product(device::ManyProduct op) {
    auto* const shared = dynamic_shared<unsigned char>();
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int pairs = static_cast<int>(blockDim.x) / (2 * kWarp);
    const int first_strip = (static_cast<int>(blockIdx.x) * pairs + warp / 2) * kStrips;
    const int first_row = static_cast<int>(blockIdx.y) * kTileRows;
    const int rows_from = warp % 2 * kRowsOfWarp;
    const int last = op.w.strips - 1; // strips beyond it are multiplied as it is, and not stored
    const int strips[kStrips] = {first_strip < last ? first_strip : last, first_strip + 1 < last ? first_strip + 1 : last};

    fetch(op.x, first_row, 0, stage_of(shared, 0, op.x.planes));
    copy_async_commit();
    ManyTile<C> mine(op, strips, rows_from, lane);
    for (int chunk = 0; chunk < op.w.chunks; ++chunk) {
        if (chunk + 1 < op.w.chunks) {
            fetch(op.x, first_row, chunk + 1, stage_of(shared, chunk + 1, op.x.planes));
        }
        copy_async_commit();
        copy_async_wait<1>();
        __syncthreads();
        mine.add_chunk(chunk, stage_of(shared, chunk, op.x.planes));
        __syncthreads();
    }
    HANDEYE_UNROLL
    for (int s = 0; s < kStrips; ++s) {
        HANDEYE_UNROLL
        for (int tile = 0; tile < kTiles; ++tile) {
            HANDEYE_UNROLL
            for (int i = 0; i < 4; ++i) {
                store(op, first_row + rows_from + tile * 8 + 2 * (lane % 4) + i % 2, (first_strip + s) * kStrip + lane / 4 + i / 2 * 8, mine.total()[s][tile][i]);
            }
        }
    }
}

} // namespace

void run(Stream stream, const device::ManyProduct& op) {
    if (op.x.rows <= 0 || op.w.rows <= 0) {
        return;
    }
    const int rows = (op.x.rows + kTileRows - 1) / kTileRows;
    int pairs = kPairsMost;
    while (pairs > 1 && (op.w.strips + pairs * kStrips - 1) / (pairs * kStrips) * rows < kBlocksEnough) {
        pairs /= 2;
    }
    const dim3 grid(static_cast<unsigned>((op.w.strips + pairs * kStrips - 1) / (pairs * kStrips)), static_cast<unsigned>(rows));
    with_any_code(op.w, [&]<Code C>() {
        launch(stream, grid, dim3(static_cast<unsigned>(pairs * 2 * kWarp)), static_cast<std::size_t>(2 * stage_bytes(op.x.planes)), many_product<C>, op);
    });
}

} // namespace handeye::HANDEYE_DEVICE
