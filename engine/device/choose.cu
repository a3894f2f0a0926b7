// SPDX-License-Identifier: Apache-2.0
// The best logits of rows, and the sums of their exponentials, in two launches: each block looks at a piece of a row, then one block puts a row's pieces
// together. The best ones are found by a search for the key of the last of them, bit by bit: keys differ all, so that nothing depends on who comes first.
#include "engine/device/kernels.h"
#include "engine/device/row_access.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

using device::Candidates;
using device::kCandidatesMost;
using device::LogitPiece;

constexpr int kPieceThreads = 256;
constexpr int kPieceQuads = device::kLogitsOfPiece / kPieceThreads / 4; // of one thread
constexpr int kRowOfPiecesThreads = 1024;
constexpr int kKeysOfThread = device::kLogitPiecesMost * kCandidatesMost / kRowOfPiecesThreads;
constexpr unsigned kIdBits = 18;
constexpr unsigned kKeyBits = 32 + kIdBits;
constexpr std::uint32_t kIdMask = (1U << kIdBits) - 1U;
static_assert(device::kVocabularyMost <= 1 << kIdBits);
static_assert(kPieceQuads * 4 * kPieceThreads == device::kLogitsOfPiece && kKeysOfThread * kRowOfPiecesThreads == device::kLogitPiecesMost * kCandidatesMost);

// Larger for what comes first: the higher logit, then the lower id. Never 0.
__device__ inline std::uint64_t key_of(float logit, int id) {
    const std::uint32_t bits = float_bits(logit + 0.0F); // -0 and 0 are equals
    const std::uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    return std::uint64_t{ordered} << kIdBits | (kIdMask - static_cast<std::uint32_t>(id));
}
__device__ inline device::Candidate candidate_of(std::uint64_t key) {
    const auto ordered = static_cast<std::uint32_t>(key >> kIdBits);
    const std::uint32_t bits = (ordered & 0x80000000U) != 0 ? ordered & 0x7FFFFFFFU : ~ordered;
    return {static_cast<std::int32_t>(kIdMask - (static_cast<std::uint32_t>(key) & kIdMask)), bits_float(bits)};
}

// A block's memory for sums over its threads.
struct Scratch {
    float floats[kWarp];
    unsigned counts[2][kWarp]; // in turn, so that one barrier a count is enough
    int filled;
};

__device__ inline float block_max(float value, float* scratch) {
    value = warp_max(value);
    if (threadIdx.x % kWarp == 0) {
        scratch[threadIdx.x / kWarp] = value;
    }
    __syncthreads();
    float most = scratch[0];
    for (unsigned i = 1; i < blockDim.x / kWarp; ++i) {
        most = fmaxf(most, scratch[i]);
    }
    __syncthreads();
    return most;
}

// How many of the block's keys are at least `least`; `turn` is 0 and 1 by turns.
template <int kKeys>
__device__ inline unsigned count_from(const std::uint64_t (&keys)[kKeys], std::uint64_t least, int turn, Scratch& scratch) {
    unsigned mine = 0;
    HANDEYE_UNROLL
    for (int i = 0; i < kKeys; ++i) {
        mine += keys[i] >= least ? 1U : 0U;
    }
    mine = __reduce_add_sync(kAllLanes, mine);
    if (threadIdx.x % kWarp == 0) {
        scratch.counts[turn][threadIdx.x / kWarp] = mine;
    }
    __syncthreads();
    unsigned all = 0;
    for (unsigned i = 0; i < blockDim.x / kWarp; ++i) {
        all += scratch.counts[turn][i];
    }
    return all;
}

// The least of the `count` largest keys of the block; 1 where it has fewer.
template <int kKeys>
__device__ inline std::uint64_t least_of_best(const std::uint64_t (&keys)[kKeys], unsigned count, Scratch& scratch) {
    if (count_from(keys, 1, 0, scratch) <= count) {
        return 1;
    }
    std::uint64_t least = 0;
    int turn = 1;
    for (unsigned bit = kKeyBits; bit-- > 0; turn ^= 1) {
        const std::uint64_t higher = least | std::uint64_t{1} << bit;
        const unsigned found = count_from(keys, higher, turn, scratch);
        least = found >= count ? higher : least;
        if (found == count) {
            break;
        }
    }
    return least;
}

// The `count` largest keys of the block, in any order; tells how many. `to` can be read after.
template <int kKeys>
__device__ inline int keep_best(const std::uint64_t (&keys)[kKeys], int count, Scratch& scratch, std::uint64_t* to) {
    if (threadIdx.x == 0) {
        scratch.filled = 0;
    }
    const std::uint64_t least = least_of_best(keys, static_cast<unsigned>(count), scratch); // has a barrier
    HANDEYE_UNROLL
    for (int i = 0; i < kKeys; ++i) {
        if (keys[i] >= least) {
            to[atomicAdd(&scratch.filled, 1)] = keys[i];
        }
    }
    __syncthreads();
    return scratch.filled;
}

// Which of ids id..id+3 may come, as bits.
__device__ inline unsigned allowed_bits(const Candidates& op, const std::uint32_t* mask, int id) {
    if (mask == nullptr) {
        return 0xFU;
    }
    return id / 32 < op.mask_words ? __ldg(mask + id / 32) >> static_cast<unsigned>(id % 32) & 0xFU : 0U;
}

__device__ inline const std::uint32_t* mask_of_row(const Candidates& op, int row) {
    const int mask = op.masks == nullptr ? -1 : op.mask_of == nullptr ? row : op.mask_of[row];
    return mask < 0 ? nullptr : op.masks + std::int64_t{mask} * op.mask_words;
}

// A thread's logits; those that are not finite, or not there, are minus infinity.
struct Logits {
    float v[kPieceQuads][4];
    unsigned allowed[kPieceQuads]; // bits
};

__device__ inline int first_id(int quad) { return static_cast<int>(blockIdx.x) * device::kLogitsOfPiece + (quad * kPieceThreads + static_cast<int>(threadIdx.x)) * 4; }

__device__ inline Logits load_logits(const Candidates& op, const std::uint32_t* mask, int row) {
    Logits out;
    HANDEYE_UNROLL
    for (int q = 0; q < kPieceQuads; ++q) {
        load4(row_of(op.logits, row), first_id(q), op.logits.cols, out.v[q]);
        out.allowed[q] = allowed_bits(op, mask, first_id(q));
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            out.v[q][e] = first_id(q) + e < op.logits.cols && fabsf(out.v[q][e]) < INFINITY ? out.v[q][e] : -INFINITY;
        }
    }
    return out;
}

// use(logit, whether it is allowed, id) of each finite one.
template <class Use>
__device__ inline void each_logit(const Logits& logits, const Use& use) {
    HANDEYE_UNROLL
    for (int q = 0; q < kPieceQuads; ++q) {
        HANDEYE_UNROLL
        for (int e = 0; e < 4; ++e) {
            if (logits.v[q][e] > -INFINITY) {
                use(logits.v[q][e], (logits.allowed[q] >> static_cast<unsigned>(e) & 1U) != 0, q, e);
            }
        }
    }
}

// Sums of exponentials; thread 0 writes them.
__device__ inline void sum_piece(const Candidates& op, const Logits& logits, bool is_masked, int row, Scratch& scratch, LogitPiece& piece) {
    const float scale = op.scales != nullptr ? op.scales[row] : 1.0F;
    float most = -INFINITY, most_allowed = -INFINITY;
    each_logit(logits, [&](float v, bool allowed, int, int) {
        most = fmaxf(most, v);
        most_allowed = allowed ? fmaxf(most_allowed, v) : most_allowed;
    });
    most = block_max(most, scratch.floats);
    most_allowed = is_masked ? block_max(most_allowed, scratch.floats) : most;
    float sum = 0, sum_allowed = 0, sum_scaled = 0;
    each_logit(logits, [&](float v, bool allowed, int, int) {
        sum += expf(v - most);
        if (is_masked && allowed) {
            sum_allowed += expf(v - most_allowed);
        }
        if (scale != 1.0F && allowed) {
            sum_scaled += expf((v - most_allowed) * scale);
        }
    });
    sum = block_sum(sum, scratch.floats);
    sum_allowed = is_masked ? block_sum(sum_allowed, scratch.floats) : sum;
    sum_scaled = scale != 1.0F ? block_sum(sum_scaled, scratch.floats) : sum_allowed;
    if (threadIdx.x == 0) {
        piece.most = most;
        piece.most_allowed = most_allowed;
        piece.sum = sum;
        piece.sum_allowed = sum_allowed;
        piece.sum_scaled = sum_scaled;
    }
}

__global__ void __launch_bounds__(kPieceThreads) piece_kernel(Candidates op) {
    __shared__ Scratch scratch;
    const int row = static_cast<int>(blockIdx.y);
    LogitPiece& piece = op.pieces[std::int64_t{row} * gridDim.x + blockIdx.x];
    const std::uint32_t* const mask = mask_of_row(op, row);
    const Logits logits = load_logits(op, mask, row);
    sum_piece(op, logits, mask != nullptr, row, scratch, piece);
    std::uint64_t keys[kPieceQuads * 4] = {};
    each_logit(logits, [&](float v, bool allowed, int q, int e) { keys[q * 4 + e] = allowed ? key_of(v, first_id(q) + e) : 0; });
    const int found = keep_best(keys, op.count, scratch, piece.keys);
    if (threadIdx.x == 0) {
        piece.found = found;
    }
}

// log(sum over pieces of sum * exp((most - the largest most) * scale)); each thread brings one piece, or none: a sum of 0.
__device__ inline float log_sum(float most, float sum, float scale, Scratch& scratch) {
    const float largest = block_max(most, scratch.floats);
    const float total = block_sum(sum > 0 ? sum * expf((most - largest) * scale) : 0.0F, scratch.floats);
    return total > 0 ? largest * scale + logf(total) : -INFINITY;
}

__global__ void __launch_bounds__(kRowOfPiecesThreads) row_kernel(Candidates op, int n_pieces) {
    __shared__ Scratch scratch;
    __shared__ std::uint64_t best[kCandidatesMost];
    const int row = static_cast<int>(blockIdx.x);
    const int thread = static_cast<int>(threadIdx.x);
    const LogitPiece* const row_pieces = op.pieces + std::int64_t{row} * n_pieces;
    std::uint64_t keys[kKeysOfThread];
    HANDEYE_UNROLL
    for (int i = 0; i < kKeysOfThread; ++i) {
        const int at = i * kRowOfPiecesThreads + thread;
        const int piece = at / kCandidatesMost;
        keys[i] = piece < n_pieces && at % kCandidatesMost < row_pieces[piece].found ? row_pieces[piece].keys[at % kCandidatesMost] : 0;
    }
    const bool has_piece = thread < n_pieces;
    const float most = has_piece ? row_pieces[thread].most : -INFINITY;
    const float most_allowed = has_piece ? row_pieces[thread].most_allowed : -INFINITY;
    const float all = log_sum(most, has_piece ? row_pieces[thread].sum : 0.0F, 1.0F, scratch);
    const float allowed = log_sum(most_allowed, has_piece ? row_pieces[thread].sum_allowed : 0.0F, 1.0F, scratch);
    const float scaled = log_sum(most_allowed, has_piece ? row_pieces[thread].sum_scaled : 0.0F, op.scales != nullptr ? op.scales[row] : 1.0F, scratch);
    const int found = keep_best(keys, op.count, scratch, best);
    device::RowCandidates& to = op.to[row];
    if (thread == 0) {
        to.found = found;
        to.log_sum = all;
        to.log_sum_allowed = allowed;
        to.log_sum_scaled = scaled;
    }
    if (thread < found) {
        int place = 0;
        for (int i = 0; i < found; ++i) {
            place += best[i] > best[thread] ? 1 : 0;
        }
        to.best[place] = candidate_of(best[thread]);
    } else if (thread < kCandidatesMost) {
        to.best[thread] = {-1, -INFINITY};
    }
}

} // namespace

void run(Stream stream, const Candidates& op) {
    if (op.logits.rows == 0) {
        return;
    }
    const int n_pieces = device::logit_pieces(op.logits.cols);
    launch(stream, dim3(static_cast<unsigned>(n_pieces), static_cast<unsigned>(op.logits.rows)), kPieceThreads, 0, piece_kernel, op);
    launch(stream, static_cast<unsigned>(op.logits.rows), kRowOfPiecesThreads, 0, row_kernel, op, n_pieces);
}

} // namespace handeye::HANDEYE_DEVICE
