// SPDX-License-Identifier: Apache-2.0
// Attention of many rows on tensor cores, numbers in half precision and sums in float (FlashAttention-2, Dao 2023, arXiv 2307.08691): each warp keeps 16 query
// rows, their scores and their results in registers while the block's keys and values come past, 64 at a time, the next ones copied meanwhile.
#include "engine/device/attention_many.h"
#include "engine/device/attention_tiles.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarp;
constexpr int kWarpRows = 16; // of mma_half()
constexpr int kTileRows = kWarps * kWarpRows;
constexpr int kKeys = device::kPageTokens; // at a time
constexpr int kStep = 16;                  // numbers of one mma_half()
constexpr int kPiece = 8;                  // halves that are copied at once, 16 bytes

/// Where a piece of a row of keys or values lies in a block's memory, in halves: pieces of eight rows below each other are in different banks.
template <int kHeadDim>
__device__ inline int piece_at(int row, int piece) {
    return row * kHeadDim + (piece ^ (row % 8)) * kPiece;
}

/// Keys or values of a tile; rows from `rows` on become zeros. `aligned`: rows_are_aligned().
template <KvFormat kFormat, int kHeadDim>
__device__ void copy_tile(std::uint16_t* to, const StridedRows& from, int rows, bool aligned) {
    constexpr int kPieces = kHeadDim / kPiece;
    constexpr int kRowsAtOnce = kThreads / kPieces;
    const int piece = static_cast<int>(threadIdx.x) % kPieces;
    for (int i = 0; i < kKeys; i += kRowsAtOnce) {
        const int row = i + static_cast<int>(threadIdx.x) / kPieces;
        std::uint16_t* const place = to + piece_at<kHeadDim>(row, piece);
        if (kFormat == KvFormat::F16 && aligned) {
            copy_async16(place, from.row(row < rows ? row : 0) + piece * 16, row < rows);
            continue;
        }
        Words4 halves{0, 0, 0, 0};
        if (row < rows) {
            const Floats4 a = kept_floats<kFormat>(load_kept<kFormat>(from.row(row), 2 * piece, kHeadDim, aligned));
            const Floats4 b = kept_floats<kFormat>(load_kept<kFormat>(from.row(row), 2 * piece + 1, kHeadDim, aligned));
            halves = {half_pair(a.at[0], a.at[1]), half_pair(a.at[2], a.at[3]), half_pair(b.at[0], b.at[1]), half_pair(b.at[2], b.at[3])};
        }
        *reinterpret_cast<Words4*>(place) = halves;
    }
}

/// A warp's 16 rows. Lane 4 g + t has rows g and g + 8: of scores and results what mma_half() says of c.
template <int kHeadDim>
struct WarpRows {
    static constexpr int kSteps = kHeadDim / kStep;
    std::uint32_t queries[kSteps][4];
    float values[kHeadDim / 8][4] = {};
    float largest[2] = {-INFINITY, -INFINITY};
    float sum[2] = {}; // of this lane's keys

    template <class Source>
    __device__ void load_queries(const Tile<Source>& tile, int first_row) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int half = 0; half < 2; ++half) {
            const int row = first_row + lane / 4 + 8 * half;
            const float* const q = tile.q + row * tile.q_stride + 2 * (lane % 4);
            for (int step = 0; step < kSteps; ++step) {
                for (int i = 0; i < 2; ++i) {
                    const Words2 pair = row < tile.rows ? load_once8(q + step * kStep + 8 * i) : Words2{0, 0};
                    queries[step][half + 2 * i] = half_pair(bits_float(pair.x), bits_float(pair.y));
                }
            }
        }
    }

    __device__ void score(float (&scores)[kKeys / 8][4], const std::uint16_t* keys) const {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int step = 0; step < kSteps; ++step) {
            for (int pair = 0; pair < kKeys / 16; ++pair) { // of eight keys each
                std::uint32_t k[4];
                load_matrices<false>(k, keys + 16 * pair * kHeadDim + piece_at<kHeadDim>(lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2));
                mma_half(scores[2 * pair], queries[step], {k[0], k[1]});
                mma_half(scores[2 * pair + 1], queries[step], {k[2], k[3]});
            }
        }
    }

    /// Scores become weights, with the largest score (times `scale`) as it is now; what was found before is brought to it.
    __device__ void weigh(float (&scores)[kKeys / 8][4], float scale) {
        for (int half = 0; half < 2; ++half) {
            float most = -INFINITY;
            for (int i = 0; i < kKeys / 8; ++i) {
                most = fmaxf(most, fmaxf(scores[i][2 * half], scores[i][2 * half + 1]));
            }
            most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
            most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
            most = fmaxf(largest[half], most * scale);
            const float factor = fast_exp2(largest[half] - most);
            largest[half] = most;
            sum[half] *= factor;
            for (int i = 0; i < kKeys / 8; ++i) {
                for (int e = 2 * half; e < 2 * half + 2; ++e) {
                    scores[i][e] = fast_exp2(fmaf(scores[i][e], scale, -most));
                    sum[half] += scores[i][e];
                }
            }
            for (auto& four : values) {
                four[2 * half] *= factor;
                four[2 * half + 1] *= factor;
            }
        }
    }

    /// Weights as mma_half() left the scores are what it takes on its left side.
    __device__ void add_values(const float (&weights)[kKeys / 8][4], const std::uint16_t* v) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int step = 0; step < kKeys / kStep; ++step) {
            const float(&first)[4] = weights[2 * step];
            const float(&second)[4] = weights[2 * step + 1];
            const std::uint32_t p[4] = {half_pair(first[0], first[1]), half_pair(first[2], first[3]), half_pair(second[0], second[1]), half_pair(second[2], second[3])};
            for (int pair = 0; pair < kHeadDim / 16; ++pair) { // of eight columns each
                std::uint32_t columns[4];
                load_matrices<true>(columns, v + kStep * step * kHeadDim + piece_at<kHeadDim>(lane % 16, 2 * pair + lane / 16));
                mma_half(values[2 * pair], p, {columns[0], columns[1]});
                mma_half(values[2 * pair + 1], p, {columns[2], columns[3]});
            }
        }
    }

    template <class Source>
    __device__ void write(const Tile<Source>& tile, int first_row) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int half = 0; half < 2; ++half) {
            float total = sum[half];
            total += __shfl_xor_sync(kAllLanes, total, 1);
            total += __shfl_xor_sync(kAllLanes, total, 2);
            const int row = first_row + lane / 4 + 8 * half;
            float* const y = tile.y + row * tile.y_stride + 2 * (lane % 4);
            for (int i = 0; i < kHeadDim / 8 && row < tile.rows; ++i) {
                *static_cast<Words2*>(const_cast<void*>(checked(y + 8 * i, 8))) = {float_bits(values[i][2 * half] / total), float_bits(values[i][2 * half + 1] / total)};
            }
        }
    }
};

/// Scores of keys that a row does not see become less than all others.
template <class Source>
__device__ void hide(float (&scores)[kKeys / 8][4], const Tile<Source>& tile, int first_row, int first_key) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    for (int half = 0; half < 2; ++half) {
        const int seen = tile.seen(first_row + lane / 4 + 8 * half) - first_key - 2 * (lane % 4);
        for (int i = 0; i < kKeys / 8; ++i) {
            for (int e = 0; e < 2; ++e) {
                scores[i][2 * half + e] = 8 * i + e < seen ? scores[i][2 * half + e] : -INFINITY;
            }
        }
    }
}

template <KvFormat kFormat, int kHeadDim, class Source>
__device__ void attend_tile(const Tile<Source>& tile, float scale, bool aligned) {
    if (tile.rows == 0) {
        return;
    }
    constexpr int kTileHalves = kKeys * kHeadDim;
    auto* const kept = dynamic_shared<std::uint16_t>(); // (2 tiles, keys and values)
    const int first_row = static_cast<int>(threadIdx.x) / kWarp * kWarpRows;
    const auto copy = [&](int first) {
        std::uint16_t* const to = kept + first / kKeys % 2 * 2 * kTileHalves;
        const int keys = tile.keys - first < kKeys ? tile.keys - first : kKeys;
        copy_tile<kFormat, kHeadDim>(to, tile.k.from(first), keys, aligned);
        copy_tile<kFormat, kHeadDim>(to + kTileHalves, tile.v.from(first), keys, aligned);
        copy_async_commit();
    };
    copy(0);
    WarpRows<kHeadDim> rows;
    rows.load_queries(tile, first_row);
    for (int first = 0; first < tile.keys; first += kKeys) {
        copy_async_wait<0>();
        __syncthreads(); // this tile is there, and nobody reads the one before any more
        if (first + kKeys < tile.keys) {
            copy(first + kKeys);
        }
        if (first_row >= tile.rows || first >= tile.seen(first_row + kWarpRows - 1)) {
            continue;
        }
        const std::uint16_t* const keys = kept + first / kKeys % 2 * 2 * kTileHalves;
        float scores[kKeys / 8][4] = {};
        rows.score(scores, keys);
        if (first + kKeys > tile.seen(first_row)) {
            hide(scores, tile, first_row, first);
        }
        rows.weigh(scores, scale);
        rows.add_values(scores, keys + kTileHalves);
    }
    rows.write(tile, first_row);
}

template <KvFormat kFormat, int kHeadDim>
__global__ __launch_bounds__(kThreads, 1) void attend_pages(device::Attention op, bool aligned) {
    attend_tile<kFormat, kHeadDim>(tile_of<kTileRows>(op), op.scale * kLog2e, aligned);
}
template <int kHeadDim>
__global__ __launch_bounds__(kThreads, 1) void attend_slice(device::FullAttention op) {
    attend_tile<KvFormat::F16, kHeadDim>(tile_of<kTileRows>(op), op.scale * kLog2e, true);
}

/// A warp turns one head of one row into halves at the place where its floats are.
__global__ __launch_bounds__(kThreads) void make_halves(device::FullAttention op) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int item = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
    if (item >= op.k.rows * op.heads) {
        return;
    }
    const int row = item / op.heads;
    float* const head = (blockIdx.y == 0 ? op.k.data + row * op.k.stride : op.v.data + row * op.v.stride) + static_cast<std::int64_t>(item % op.heads) * op.head_dim;
    const bool mine = 4 * lane < op.head_dim;
    const Floats4 four = mine ? load_floats4(head + 4 * lane) : Floats4{};
    __syncwarp(); // all have read
    if (mine) {
        *static_cast<Words2*>(const_cast<void*>(checked(head + 2 * lane, 8))) = {half_pair(four.at[0], four.at[1]), half_pair(four.at[2], four.at[3])};
    }
}

constexpr std::size_t shared_bytes(int head_dim) { return std::size_t{4} * kKeys * static_cast<std::size_t>(head_dim) * sizeof(std::uint16_t); }

template <int kHeadDim>
void launch_pages(Stream stream, const device::Attention& op) {
    const auto launch_format = [&](auto* kernel) { launch(stream, grid_of<kTileRows>(op), dim3(kThreads), shared_bytes(kHeadDim), kernel, op, rows_are_aligned(op.kv)); };
    if (op.kv.format == KvFormat::F32) {
        launch_format(attend_pages<KvFormat::F32, kHeadDim>);
    } else if (op.kv.format == KvFormat::F16) {
        launch_format(attend_pages<KvFormat::F16, kHeadDim>);
    } else {
        launch_format(attend_pages<KvFormat::Q8, kHeadDim>);
    }
}

} // namespace

void attend_half(Stream stream, const device::Attention& op) { op.kv.head_dim == 64 ? launch_pages<64>(stream, op) : launch_pages<128>(stream, op); }

void attend_half(Stream stream, const device::FullAttention& op) {
    launch(stream, dim3(static_cast<unsigned>((op.k.rows * op.heads + kWarps - 1) / kWarps), 2), dim3(kThreads), 0, make_halves, op);
    launch(stream, grid_of<kTileRows>(op), dim3(kThreads), shared_bytes(op.head_dim), op.head_dim == 64 ? attend_slice<64> : attend_slice<128>, op);
}

} // namespace handeye::HANDEYE_DEVICE
