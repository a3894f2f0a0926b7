// SPDX-License-Identifier: Apache-2.0
// Attention of many rows in floats: a block has a square of query rows and keys at a time in its memory and a running softmax for each row
// (FlashAttention, Dao et al. 2022, arXiv 2205.14135, algorithm 1).
#include "engine/device/attention_many.h"
#include "engine/device/attention_tiles.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kSide = 16; // threads each way: thread (x, y) has rows y + kSide i, keys and fours of columns x + kSide j
constexpr int kThreads = kSide * kSide;

/// The most rows and keys that fit, with rows of up to so many numbers.
constexpr int kNarrow = 128;
constexpr int kNarrowTile = 64;
constexpr int kWideTile = 32;
constexpr int kWide = 256;

/// Keys and then values of a tile, queries, weights; four numbers more in each row, so that rows start in different banks.
constexpr int tile_floats(int tile, int head_dim) { return 2 * tile * (head_dim + 4) + tile * (tile + 4); }

template <KvFormat kFormat, int kTile>
__device__ void load_tile(float* to, const StridedRows& from, int rows, int head_dim, bool aligned) {
    const int fours = head_dim / 4;
    for (int i = static_cast<int>(threadIdx.x); i < kTile * fours; i += kThreads) {
        const int row = i / fours;
        const int four = i % fours;
        const Floats4 numbers = row < rows ? kept_floats<kFormat>(load_kept<kFormat>(from.row(row), four, head_dim, aligned)) : Floats4{};
        store_floats4(to + row * (head_dim + 4) + 4 * four, numbers);
    }
}

template <int kTile, int kWidth>
struct RunningSoftmax {
    static constexpr int kRows = kTile / kSide; // of a thread; so many keys, too
    static constexpr int kFours = kWidth / 4 / kSide;
    float values[kRows][kFours][4] = {};
    float largest[kRows];
    float sum[kRows] = {}; // of this thread's keys

    __device__ RunningSoftmax() {
        for (float& one : largest) {
            one = -INFINITY;
        }
    }

    __device__ static void score(float (&scores)[kRows][kRows], const float* queries, const float* keys, int head_dim) {
        const int x = static_cast<int>(threadIdx.x) % kSide;
        const int y = static_cast<int>(threadIdx.x) / kSide;
        for (int i = 0; i < head_dim; i += 4) {
            Floats4 q[kRows];
            for (int r = 0; r < kRows; ++r) {
                q[r] = load_floats4(queries + (y + r * kSide) * (head_dim + 4) + i);
            }
            for (int c = 0; c < kRows; ++c) {
                const Floats4 k = load_floats4(keys + (x + c * kSide) * (head_dim + 4) + i);
                for (int r = 0; r < kRows; ++r) {
                    for (int e = 0; e < 4; ++e) {
                        scores[r][c] += q[r].at[e] * k.at[e];
                    }
                }
            }
        }
    }

    /// Scores, less than -inf for none, become weights; what was found before is brought to the same largest score.
    __device__ void weigh(const float (&scores)[kRows][kRows], float* weights) {
        const int x = static_cast<int>(threadIdx.x) % kSide;
        const int y = static_cast<int>(threadIdx.x) / kSide;
        for (int r = 0; r < kRows; ++r) {
            float most = largest[r];
            for (int c = 0; c < kRows; ++c) {
                most = fmaxf(most, scores[r][c]);
            }
            for (int with = kSide / 2; with > 0; with /= 2) {
                most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, with));
            }
            const float factor = exp2f(largest[r] - most);
            largest[r] = most;
            sum[r] *= factor;
            for (int c = 0; c < kRows; ++c) {
                const float weight = exp2f(scores[r][c] - most);
                sum[r] += weight;
                weights[(y + r * kSide) * (kTile + 4) + x + c * kSide] = weight;
            }
            for (int j = 0; j < kFours; ++j) {
                for (int e = 0; e < 4; ++e) {
                    values[r][j][e] *= factor;
                }
            }
        }
    }

    __device__ void add_values(const float* weights, const float* v, int keys, int head_dim) {
        const int x = static_cast<int>(threadIdx.x) % kSide;
        const int y = static_cast<int>(threadIdx.x) / kSide;
        for (int key = 0; key < keys; ++key) {
            float weight[kRows];
            for (int r = 0; r < kRows; ++r) {
                weight[r] = weights[(y + r * kSide) * (kTile + 4) + key];
            }
            for (int j = 0; j < kFours; ++j) {
                const int column = 4 * (x + j * kSide);
                if (column >= head_dim) {
                    continue;
                }
                const Floats4 value = load_floats4(v + key * (head_dim + 4) + column);
                for (int r = 0; r < kRows; ++r) {
                    for (int e = 0; e < 4; ++e) {
                        values[r][j][e] += weight[r] * value.at[e];
                    }
                }
            }
        }
    }

    template <class Source>
    __device__ void write(const Tile<Source>& tile, int head_dim) {
        const int x = static_cast<int>(threadIdx.x) % kSide;
        const int y = static_cast<int>(threadIdx.x) / kSide;
        for (int r = 0; r < kRows; ++r) {
            float total = sum[r];
            for (int with = kSide / 2; with > 0; with /= 2) {
                total += __shfl_xor_sync(kAllLanes, total, with);
            }
            const int row = y + r * kSide;
            for (int j = 0; j < kFours; ++j) {
                const int column = 4 * (x + j * kSide);
                if (row < tile.rows && column < head_dim) {
                    float(&four)[4] = values[r][j];
                    store_floats4(tile.y + row * tile.y_stride + column, {{four[0] / total, four[1] / total, four[2] / total, four[3] / total}});
                }
            }
        }
    }
};

template <KvFormat kFormat, int kTile, int kWidth, class Source>
__device__ void attend_tile(const Tile<Source>& tile, int head_dim, float scale, bool aligned) {
    using Softmax = RunningSoftmax<kTile, kWidth>;
    constexpr int kRows = Softmax::kRows;
    if (tile.rows == 0) {
        return;
    }
    const int x = static_cast<int>(threadIdx.x) % kSide;
    const int y = static_cast<int>(threadIdx.x) / kSide;
    float* const kept = dynamic_shared<float>();
    float* const queries = kept + kTile * (head_dim + 4);
    float* const weights = queries + kTile * (head_dim + 4);
    load_tile<KvFormat::F32, kTile>(queries, {reinterpret_cast<const std::uint8_t*>(tile.q), tile.q_stride * static_cast<std::int64_t>(sizeof(float))}, tile.rows, head_dim, true);
    Softmax softmax;
    for (int first = 0; first < tile.keys; first += kTile) {
        const int keys = tile.keys - first < kTile ? tile.keys - first : kTile;
        load_tile<kFormat, kTile>(kept, tile.k.from(first), keys, head_dim, aligned);
        __syncthreads();
        float scores[kRows][kRows] = {};
        Softmax::score(scores, queries, kept, head_dim);
        for (int r = 0; r < kRows; ++r) {
            const int seen = tile.seen(y + r * kSide) - first;
            for (int c = 0; c < kRows; ++c) {
                scores[r][c] = x + c * kSide < seen ? scores[r][c] * scale : -INFINITY;
            }
        }
        softmax.weigh(scores, weights);
        __syncthreads();
        load_tile<kFormat, kTile>(kept, tile.v.from(first), keys, head_dim, aligned);
        __syncthreads();
        softmax.add_values(weights, kept, keys, head_dim);
        __syncthreads();
    }
    softmax.write(tile, head_dim);
}

template <KvFormat kFormat, int kTile, int kWidth>
__global__ __launch_bounds__(kThreads) void attend_pages(device::Attention op, bool aligned) {
    attend_tile<kFormat, kTile, kWidth>(tile_of<kTile>(op), op.kv.head_dim, op.scale * kLog2e, aligned);
}
template <int kTile, int kWidth>
__global__ __launch_bounds__(kThreads) void attend_slice(device::FullAttention op) {
    attend_tile<KvFormat::F32, kTile, kWidth>(tile_of<kTile>(op), op.head_dim, op.scale * kLog2e, true);
}

template <int kTile, int kWidth>
void launch_pages(Stream stream, const device::Attention& op) {
    const auto launch_format = [&](auto* kernel) {
        launch(stream, grid_of<kTile>(op), dim3(kThreads), static_cast<std::size_t>(tile_floats(kTile, op.kv.head_dim)) * sizeof(float), kernel, op, rows_are_aligned(op.kv));
    };
    if (op.kv.format == KvFormat::F32) {
        launch_format(attend_pages<KvFormat::F32, kTile, kWidth>);
    } else if (op.kv.format == KvFormat::F16) {
        launch_format(attend_pages<KvFormat::F16, kTile, kWidth>);
    } else {
        launch_format(attend_pages<KvFormat::Q8, kTile, kWidth>);
    }
}

template <int kTile, int kWidth>
void launch_slices(Stream stream, const device::FullAttention& op) {
    launch(stream, grid_of<kTile>(op), dim3(kThreads), static_cast<std::size_t>(tile_floats(kTile, op.head_dim)) * sizeof(float), attend_slice<kTile, kWidth>, op);
}

} // namespace

void attend_exact(Stream stream, const device::Attention& op) {
    op.kv.head_dim <= kNarrow ? launch_pages<kNarrowTile, kNarrow>(stream, op) : launch_pages<kWideTile, kWide>(stream, op);
}

void attend_exact(Stream stream, const device::FullAttention& op) {
    op.head_dim <= kNarrow ? launch_slices<kNarrowTile, kNarrow>(stream, op) : launch_slices<kWideTile, kWide>(stream, op);
}

} // namespace handeye::HANDEYE_DEVICE
