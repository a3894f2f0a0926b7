// SPDX-License-Identifier: Apache-2.0
// Attention of few rows of each sequence: a block takes some keys of one kv head for all query heads that read it, each of its warps some of them with a
// softmax of its own; what they find is added afterwards, always in the same order.
#include "engine/device/attention_few.h"
#include "engine/device/attention_many.h"
#include "engine/device/kernels.h"
#include "engine/device/split_store.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarp;
constexpr int kStepKeys = 8;             // of a warp at once
constexpr int kHeadsAtOnce = 16;         // query heads of a kv head that a block takes
constexpr int kColumns = 4 * kWarp;      // numbers of a row that a warp takes with one load of each lane
constexpr int kKeyGroups = kWarp / kStepKeys;
constexpr int kCombineThreads = 128;

/// The block's memory, in floats.
template <int kRows>
struct FewMemory {
    int stride; // of rows of queries and keys: four more than they have, so that rows start in different banks
    float* queries;
    float* keys;    // this warp's, and later its sums
    float* weights; // this warp's: (kStepKeys, kRows)
    float* factors; // this warp's: (kRows)
    float* largest; // (kWarps, kRows)
    float* sums;    // (kWarps, kRows)

    static __host__ __device__ int floats(int head_dim) { return kRows * (head_dim + 4) + kWarps * kStepKeys * (head_dim + 4) + kWarps * (kStepKeys + 3) * kRows; }
    __device__ FewMemory(float* at, int head_dim, int warp) : stride(head_dim + 4) {
        queries = at;
        keys = queries + kRows * stride + warp * kStepKeys * stride;
        float* const rest = queries + (kRows + kWarps * kStepKeys) * stride;
        weights = rest + warp * kStepKeys * kRows;
        factors = rest + (kWarps * kStepKeys + warp) * kRows;
        largest = rest + kWarps * (kStepKeys + 1) * kRows;
        sums = largest + kWarps * kRows;
    }
};

/// A warp's softmax over the keys that it has seen so far. Lane 8 g + k has rows g kLaneRows .. of key k, and every lane four columns in kChunks places.
template <KvFormat kFormat, int kRows, int kChunks>
struct WarpSoftmax {
    static constexpr int kLaneRows = kRows / kKeyGroups;
    float values[kRows][kChunks][4] = {};
    float largest[kLaneRows];
    float sum[kLaneRows] = {};

    __device__ WarpSoftmax() {
        for (float& one : largest) {
            one = -INFINITY;
        }
    }

    /// `keys` of them, up to kStepKeys, all of one page.
    __device__ void step(const FewMemory<kRows>& memory, const StridedRows& k, const StridedRows& v, int keys, int head_dim, float scale, bool aligned) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        KeptFour<kFormat> kept_k[kStepKeys][kChunks], kept_v[kStepKeys][kChunks];
        load(kept_k, k, keys, head_dim, aligned);
        load(kept_v, v, keys, head_dim, aligned);
        for (int key = 0; key < kStepKeys; ++key) {
            for (int chunk = 0; chunk < kChunks; ++chunk) {
                const int column = 4 * lane + chunk * kColumns;
                if (column < head_dim) {
                    store_floats4(memory.keys + key * memory.stride + column, kept_floats<kFormat>(kept_k[key][chunk]));
                }
            }
        }
        __syncwarp();
        float scores[kLaneRows];
        score(scores, memory, head_dim);
        weigh(scores, memory, lane % kStepKeys < keys, scale);
        __syncwarp();
        add_values(memory, kept_v);
    }

private:
    __device__ static void load(KeptFour<kFormat> (&kept)[kStepKeys][kChunks], const StridedRows& from, int keys, int head_dim, bool aligned) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int key = 0; key < kStepKeys; ++key) {
            for (int chunk = 0; chunk < kChunks; ++chunk) {
                const int four = lane + chunk * kWarp;
                kept[key][chunk] = key < keys && 4 * four < head_dim ? load_kept<kFormat>(from.row(key), four, head_dim, aligned) : KeptFour<kFormat>{};
            }
        }
    }
    __device__ static void score(float (&scores)[kLaneRows], const FewMemory<kRows>& memory, int head_dim) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        const float* const key = memory.keys + lane % kStepKeys * memory.stride;
        const float* const queries = memory.queries + lane / kStepKeys * kLaneRows * memory.stride;
        for (float& one : scores) {
            one = 0;
        }
        for (int i = 0; i < head_dim; i += 4) {
            const Floats4 k = load_floats4(key + i);
            for (int r = 0; r < kLaneRows; ++r) {
                const Floats4 q = load_floats4(queries + r * memory.stride + i);
                for (int e = 0; e < 4; ++e) {
                    scores[r] += q.at[e] * k.at[e];
                }
            }
        }
    }
    __device__ void weigh(const float (&scores)[kLaneRows], const FewMemory<kRows>& memory, bool seen, float scale) {
        const int lane = static_cast<int>(threadIdx.x) % kWarp;
        for (int r = 0; r < kLaneRows; ++r) {
            const float score = seen ? scores[r] * scale : -INFINITY;
            float most = score;
            for (int with = kStepKeys / 2; with > 0; with /= 2) {
                most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, with));
            }
            most = fmaxf(most, largest[r]);
            const float factor = exp2f(largest[r] - most);
            const float weight = exp2f(score - most);
            largest[r] = most;
            sum[r] = sum[r] * factor + weight;
            const int row = lane / kStepKeys * kLaneRows + r;
            memory.weights[lane % kStepKeys * kRows + row] = weight;
            if (lane % kStepKeys == 0) {
                memory.factors[row] = factor;
            }
        }
    }
    __device__ void add_values(const FewMemory<kRows>& memory, const KeptFour<kFormat> (&kept)[kStepKeys][kChunks]) {
        for (int r = 0; r < kRows; ++r) {
            const float factor = memory.factors[r];
            for (int chunk = 0; chunk < kChunks; ++chunk) {
                for (int e = 0; e < 4; ++e) {
                    values[r][chunk][e] *= factor;
                }
            }
        }
        for (int key = 0; key < kStepKeys; ++key) {
            for (int chunk = 0; chunk < kChunks; ++chunk) {
                const Floats4 value = kept_floats<kFormat>(kept[key][chunk]);
                for (int r = 0; r < kRows; ++r) {
                    const float weight = memory.weights[key * kRows + r];
                    for (int e = 0; e < 4; ++e) {
                        values[r][chunk][e] += weight * value.at[e];
                    }
                }
            }
        }
    }
};

/// What the warps of a block found, as one partial result for each of `heads` rows.
template <KvFormat kFormat, int kRows, int kChunks>
__device__ void write_partial(const FewMemory<kRows>& memory, WarpSoftmax<kFormat, kRows, kChunks>& found, const float* keys_of_all, const device::Attention& op, const FewRow& few, int first_head,
                              int heads) {
    const int head_dim = op.kv.head_dim;
    constexpr int kLaneRows = kRows / kKeyGroups;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    for (int r = 0; r < kLaneRows; ++r) {
        for (int with = kStepKeys / 2; with > 0; with /= 2) {
            found.sum[r] += __shfl_xor_sync(kAllLanes, found.sum[r], with);
        }
        const int place = warp * kRows + lane / kStepKeys * kLaneRows + r;
        if (lane % kStepKeys == 0) {
            memory.largest[place] = found.largest[r];
            memory.sums[place] = found.sum[r];
        }
    }
    for (int first = 0; first < kRows; first += kStepKeys) { // as many rows at once as the memory for keys has
        for (int r = 0; r < kRows; ++r) {
            for (int chunk = 0; chunk < kChunks; ++chunk) {
                const int column = 4 * lane + chunk * kColumns;
                if (r >= first && r < first + kStepKeys && column < head_dim) {
                    float(&four)[4] = found.values[r][chunk];
                    store_floats4(memory.keys + (r - first) * memory.stride + column, {{four[0], four[1], four[2], four[3]}});
                }
            }
        }
        __syncthreads();
        for (int r = warp; r < kStepKeys && first + r < heads; r += kWarps) {
            float most = -INFINITY;
            for (int w = 0; w < kWarps; ++w) {
                most = fmaxf(most, memory.largest[w * kRows + first + r]);
            }
            float factors[kWarps];
            float sum = 0;
            for (int w = 0; w < kWarps; ++w) {
                factors[w] = exp2f(memory.largest[w * kRows + first + r] - most);
                sum += factors[w] * memory.sums[w * kRows + first + r];
            }
            float* const to = partial_result(op, few.place, first_head + first + r, static_cast<int>(blockIdx.x));
            if (lane == 0) {
                to[0] = most;
                to[1] = sum;
            }
            for (int column = lane; column < head_dim; column += kWarp) {
                float total = 0;
                for (int w = 0; w < kWarps; ++w) {
                    total += factors[w] * keys_of_all[(w * kStepKeys + r) * memory.stride + column];
                }
                to[kPartialHead + column] = total;
            }
        }
        __syncthreads();
    }
}

template <KvFormat kFormat, int kRows, int kChunks>
__global__ __launch_bounds__(kThreads, 1) void attend_split(device::Attention op, bool aligned) {
    const FewRow few = few_row(op, static_cast<int>(blockIdx.z));
    const int begin = static_cast<int>(blockIdx.x) * split_tokens(few.keys);
    if (begin >= few.keys) {
        return;
    }
    const int end = begin + split_tokens(few.keys) < few.keys ? begin + split_tokens(few.keys) : few.keys;
    const int head_dim = op.kv.head_dim;
    const int per_kv_head = op.heads / op.kv.kv_heads;
    const int parts = (per_kv_head + kRows - 1) / kRows;
    const int kv_head = static_cast<int>(blockIdx.y) / parts;
    const int first = static_cast<int>(blockIdx.y) % parts * kRows; // of the kv head's query heads
    const int heads = per_kv_head - first < kRows ? per_kv_head - first : kRows;
    const int first_head = kv_head * per_kv_head + first;
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const FewMemory<kRows> memory(dynamic_shared<float>(), head_dim, warp);
    const float* const q = op.q.data + static_cast<std::int64_t>(few.span.first_row + few.row) * op.q.stride + static_cast<std::int64_t>(first_head) * head_dim;
    for (int i = static_cast<int>(threadIdx.x); i < kRows * head_dim; i += kThreads) {
        memory.queries[i / head_dim * memory.stride + i % head_dim] = i < heads * head_dim ? q[i] : 0.0F;
    }
    __syncthreads();
    const PagedRows k = paged_rows(op.kv, few.span, op.layer, 0, kv_head);
    const PagedRows v = paged_rows(op.kv, few.span, op.layer, 1, kv_head);
    WarpSoftmax<kFormat, kRows, kChunks> found;
    for (int key = begin + warp * kStepKeys; key < end; key += kWarps * kStepKeys) {
        found.step(memory, k.from(key), v.from(key), end - key < kStepKeys ? end - key : kStepKeys, head_dim, op.scale * kLog2e, aligned);
    }
    write_partial<kFormat, kRows, kChunks>(memory, found, memory.queries + kRows * memory.stride, op, few, first_head, heads);
}

/// A block adds the partial results of one head of one row.
__global__ __launch_bounds__(kCombineThreads) void combine_splits(device::Attention op) {
    __shared__ float factors[kSplitsMost];
    __shared__ float total;
    alignas(16) __shared__ float numbers[2 * kColumns];
    const FewRow few = few_row(op, static_cast<int>(blockIdx.y));
    if (few.keys == 0) {
        return;
    }
    const int splits = splits_of(few.keys);
    const int head = static_cast<int>(blockIdx.x);
    const float* const partial = partial_result(op, few.place, head, 0);
    const int stride = op.kv.head_dim + kPartialHead;
    if (threadIdx.x < kWarp) {
        float most = -INFINITY;
        for (int split = static_cast<int>(threadIdx.x); split < splits; split += kWarp) {
            most = fmaxf(most, partial[split * stride]);
        }
        most = warp_max(most);
        float sum = 0;
        for (int split = static_cast<int>(threadIdx.x); split < splits; split += kWarp) {
            factors[split] = exp2f(partial[split * stride] - most);
            sum += factors[split] * partial[split * stride + 1];
        }
        sum = warp_sum(sum);
        if (threadIdx.x == 0) {
            total = sum;
        }
    }
    __syncthreads();
    const int row = few.span.first_row + few.row;
    const bool is_split = op.split.parts != nullptr;
    float* const y = is_split ? numbers : op.y.data + static_cast<std::int64_t>(row) * op.y.stride + static_cast<std::int64_t>(head) * op.kv.head_dim;
    for (int column = static_cast<int>(threadIdx.x); column < op.kv.head_dim; column += kCombineThreads) {
        float sum = 0;
        for (int split = 0; split < splits; ++split) {
            sum += factors[split] * partial[split * stride + kPartialHead + column];
        }
        y[column] = sum / total;
    }
    if (is_split) {
        __syncthreads();
        const int units = units_of(op.kv.head_dim);
        const int beyond = op.split.chunks * kUnitsOfChunk;
        for (int unit = static_cast<int>(threadIdx.x); unit / kWarp * kWarp < units; unit += kCombineThreads) { // by whole warps
            store_split(op.split, row, unit + (unit < units ? head * units : beyond), load_unit(numbers, unit, op.kv.head_dim));
        }
    }
}

template <KvFormat kFormat, int kRows, int kChunks>
void launch_split(Stream stream, const device::Attention& op, dim3 grid) {
    grid.y *= static_cast<unsigned>((op.heads / op.kv.kv_heads + kRows - 1) / kRows);
    launch(stream, grid, dim3(kThreads), static_cast<std::size_t>(FewMemory<kRows>::floats(op.kv.head_dim)) * sizeof(float), attend_split<kFormat, kRows, kChunks>, op, rows_are_aligned(op.kv));
}

template <KvFormat kFormat>
void launch_splits(Stream stream, const device::Attention& op, dim3 grid) {
    const bool few_heads = op.heads / op.kv.kv_heads <= kHeadsAtOnce / 4;
    if (op.kv.head_dim <= kColumns) {
        few_heads ? launch_split<kFormat, kHeadsAtOnce / 4, 1>(stream, op, grid) : launch_split<kFormat, kHeadsAtOnce, 1>(stream, op, grid);
    } else { // twice the registers for each head
        few_heads ? launch_split<kFormat, kHeadsAtOnce / 4, 2>(stream, op, grid) : launch_split<kFormat, kHeadsAtOnce / 2, 2>(stream, op, grid);
    }
}

} // namespace

std::size_t attention_partial_floats(int rows, int heads, int head_dim) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(heads) * kSplitsMost * static_cast<std::size_t>(head_dim + kPartialHead);
}

void attend_few(Stream stream, const device::Attention& op) {
    const int rows = op.n_spans * (op.rows_most < device::kFewAttentionRows ? op.rows_most : device::kFewAttentionRows);
    const dim3 grid(static_cast<unsigned>(splits_up_to(op.keys_max)), static_cast<unsigned>(op.kv.kv_heads), static_cast<unsigned>(rows));
    if (op.kv.format == KvFormat::F32) {
        launch_splits<KvFormat::F32>(stream, op, grid);
    } else if (op.kv.format == KvFormat::F16) {
        launch_splits<KvFormat::F16>(stream, op, grid);
    } else {
        launch_splits<KvFormat::Q8>(stream, op, grid);
    }
    launch(stream, dim3(static_cast<unsigned>(op.heads), static_cast<unsigned>(rows)), dim3(kCombineThreads), 0, combine_splits, op);
}

} // namespace handeye::HANDEYE_DEVICE
