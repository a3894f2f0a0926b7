// SPDX-License-Identifier: Apache-2.0
// What the products on the tile unit (AMX) share: tiles of parts of floats, and the way of their sums to the rows of y. Included by amx*.cpp only,
// where the compiler knows x86.
#pragma once

#include "engine/kernels/cpu/code_parts.h"
#include "engine/kernels/cpu/matmul_job.h"
#include "engine/kernels/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <immintrin.h>

// The intrinsics of GCC 12 read what they then mask out.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define AMX_CODE __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512bf16")))

namespace handeye::kernels::tiles {

using Brain = std::uint16_t;

// A tile is 16 rows of 64 bytes. Of weights: 16 outputs x 32 inputs, as they lie. Of activations: 16 pairs of inputs x 16 rows of x. Of sums: 16
// outputs x 16 rows of x. Two tiles of weights and two of activations make four of sums, which stay in their registers over a depth block.
constexpr std::int64_t kTile = 16;
constexpr std::int64_t kTileDepth = 32;
constexpr std::int64_t kTileNumbers = kTile * kTileDepth;
constexpr std::int64_t kTileSums = kTile * kTile;
constexpr std::int64_t kParts = 3;                   // of a float, of 8 bits each
constexpr std::int64_t kPanelRows = 2 * kTile;       // outputs of a task
constexpr std::int64_t kDepthBlock = 256;            // a panel of weights of this depth stays in the first cache
constexpr std::int64_t kDepthTiles = kDepthBlock / kTileDepth;
constexpr std::int64_t kStepTiles = 4;               // at a time
constexpr std::int64_t kRowBlock = 512;              // rows of x of a task: their tiles of one depth block and
constexpr std::int64_t kPanelsMax = 8;               // the sums of so many panels stay in the second cache

struct alignas(64) TileConfig {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// The intrinsics that load tiles do not tell the compiler that they read memory: what was packed before this is written when they do.
AMX_CODE inline void finish_packing() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// 32 floats rounded to bfloat16, in order; what they were rounded by is left of them.
AMX_CODE inline __m512i take_part(__m512& first, __m512& second) {
    const auto part = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first));
    first = _mm512_sub_ps(first, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(part)), 16)));
    second = _mm512_sub_ps(second, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(part, 1)), 16)));
    return part;
}

AMX_CODE inline void load_row(const float* from, std::int64_t valid, __m512& first, __m512& second) {
    const auto mask = [](std::int64_t count) { return static_cast<__mmask16>((1U << static_cast<unsigned>(std::clamp<std::int64_t>(count, 0, 16))) - 1U); };
    first = _mm512_maskz_loadu_ps(mask(valid), from);
    second = _mm512_maskz_loadu_ps(mask(valid - 16), from + 16);
}

// 16 rows of 16 words become its columns.
AMX_CODE inline void transpose(__m512i (&r)[kTile]) {
    __m512i t[kTile];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

// The rows of x in tiles: for each depth block, for each 16 rows, for each 32 inputs a tile of each part. What a task reads of a depth block
// lies together: apart by powers of two, it would fall on the same few lines of the cache.
struct PackedRows {
    Brain* tiles;
    std::int64_t row_tiles;
    static constexpr std::int64_t kRowTileNumbers = kDepthTiles * kParts * kTileNumbers;
    [[nodiscard]] Brain* at(std::int64_t row_tile, std::int64_t depth_block) const { return tiles + (depth_block * row_tiles + row_tile) * kRowTileNumbers; }
};

AMX_CODE inline void pack_rows(ConstMatrix x, std::int64_t row_tile, const PackedRows& packed) {
    const std::int64_t rows = std::min(kTile, x.rows - row_tile * kTile);
    for (std::int64_t k = 0; k * kTileDepth < x.cols; ++k) {
        Brain* const out = packed.at(row_tile, k / kDepthTiles) + k % kDepthTiles * kParts * kTileNumbers;
        __m512i parts[kParts][kTile] = {};
        for (std::int64_t i = 0; i < rows; ++i) {
            __m512 first, second;
            load_row(x.row(row_tile * kTile + i) + k * kTileDepth, x.cols - k * kTileDepth, first, second);
            for (auto& part : parts) {
                part[i] = take_part(first, second);
            }
        }
        for (std::int64_t p = 0; p < kParts; ++p) {
            transpose(parts[p]);
            for (std::int64_t i = 0; i < kTile; ++i) {
                _mm512_store_si512(out + p * kTileNumbers + i * 32, parts[p][i]);
            }
        }
    }
}

// Where row `row` of a panel's tile lies.
template <std::int64_t Parts>
inline Brain* panel_tile(Brain* panel, std::int64_t kt, std::int64_t part, std::int64_t row) {
    return panel + ((kt * Parts + part) * 2 + row / kTile) * kTileNumbers + row % kTile * kTileDepth;
}

// Up to 32 rows of floats of one depth block in tiles: for each 32 inputs and each part the tiles of both 16 rows.
template <std::int64_t Parts>
AMX_CODE inline void pack_floats(const float* from, std::int64_t stride, std::int64_t valid, std::int64_t step, Brain* out) {
    for (std::int64_t row = 0; row < kPanelRows; ++row) {
        for (std::int64_t kt = 0; kt * kTileDepth < step; ++kt) {
            __m512 first, second;
            load_row(from + row * stride + kt * kTileDepth, row < valid ? step - kt * kTileDepth : 0, first, second);
            for (std::int64_t part = 0; part < Parts; ++part) {
                _mm512_store_si512(panel_tile<Parts>(out, kt, part, row), take_part(first, second));
            }
        }
    }
}

// Tiles 4 and 5: 2 x 16 outputs; 6 and 7: 2 x 16 rows of x; 0 to 3: their sums.
AMX_CODE inline void load_weights(const Brain* w) {
    _tile_loadd(4, w, 64);
    _tile_loadd(5, w + kTileNumbers, 64);
}
AMX_CODE inline void load_rows(const Brain* x) {
    _tile_loadd(6, x, 64);
    _tile_loadd(7, x + PackedRows::kRowTileNumbers, 64);
}
AMX_CODE inline void add_products() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

// sums (four tiles: 2 x 16 outputs of 2 x 16 rows of x) += panel . rows over `tiles` tiles of depth. Products of parts that together are lower than
// a float's bits are left out.
template <std::int64_t Parts>
AMX_CODE inline void multiply(const Brain* panel, const Brain* rows, std::int64_t tiles, float* sums, bool add) {
    finish_packing();
    if (add) {
        _tile_loadd(0, sums, 64);
        _tile_loadd(1, sums + kTileSums, 64);
        _tile_loadd(2, sums + 2 * kTileSums, 64);
        _tile_loadd(3, sums + 3 * kTileSums, 64);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (std::int64_t k = 0; k < tiles; ++k) {
        for (std::int64_t weights = 0; weights < Parts; ++weights) {
            load_weights(panel + (k * Parts + weights) * 2 * kTileNumbers);
            for (std::int64_t part = 0; part < kParts - weights; ++part) {
                load_rows(rows + (k * kParts + part) * kTileNumbers);
                add_products();
            }
        }
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + kTileSums, 64);
    _tile_stored(2, sums + 2 * kTileSums, 64);
    _tile_stored(3, sums + 3 * kTileSums, 64);
}

struct Memory {
    std::vector<std::byte> bytes;
    template <class T>
    T* get(std::int64_t count) { // 64-byte aligned
        bytes.resize(std::max(bytes.size(), static_cast<std::size_t>(count) * sizeof(T) + 64));
        return reinterpret_cast<T*>((reinterpret_cast<std::uintptr_t>(bytes.data()) + 63) / 64 * 64);
    }
};

// Outputs col..col+cols of all rows.
struct Part {
    std::int64_t rows = 0;
    std::int64_t col = 0;
    std::int64_t cols = 0;
};

// Where the four tiles of sums of 32 outputs and 32 rows lie.
inline std::int64_t sums_at(std::int64_t col, std::int64_t row) { return (col / kPanelRows * (kRowBlock / kPanelRows) + row / kPanelRows) * 4 * kTileSums; }

// Those of the 16 outputs from `col` on and the 16 rows from `row` on.
inline float* sums_of(float* sums, std::int64_t col, std::int64_t row) { return sums + sums_at(col, row) + (col / kTile % 2 * 2 + row / kTile % 2) * kTileSums; }

// pack(block, row_tiles) brings a block of rows into tiles, an even number of them, and returns what multiplies a part of the outputs.
template <class Pack>
void for_row_blocks(ThreadPool& pool, const MatmulJob& job, Pack pack) {
    const std::int64_t panels = (job.y.cols + kPanelRows - 1) / kPanelRows;
    const std::int64_t together = std::clamp<std::int64_t>(panels / (4 * pool.size()), 1, kPanelsMax); // four tasks for each thread, at least
    for (std::int64_t row = 0; row < job.x.rows; row += kRowBlock) {
        const std::int64_t rows = std::min(kRowBlock, job.x.rows - row);
        const MatmulJob block{job.x.rows_from(row, rows), job.bias, job.y.rows_from(row, rows), job.into};
        const auto multiply_part = pack(block, (rows + kPanelRows - 1) / kPanelRows * 2);
        pool.run((panels + together - 1) / together, [&](std::int64_t i, int) {
            const std::int64_t col = i * together * kPanelRows;
            multiply_part(Part{rows, col, std::min(together * kPanelRows, job.y.cols - col)});
        });
    }
}

// Sixteen outputs of sixteen rows at a time become rows of y.
AMX_CODE inline void finish(const MatmulJob& job, const Part& part, float* sums) {
    for (std::int64_t j = 0; j < part.cols; j += kTile) {
        const auto mask = static_cast<__mmask16>((1U << static_cast<unsigned>(std::min(kTile, part.cols - j))) - 1U);
        const std::int64_t col = part.col + j;
        const __m512 bias = job.bias.empty() ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, job.bias.data() + col);
        for (std::int64_t i = 0; i < part.rows; i += kTile) {
            const float* const from = sums_of(sums, j, i);
            __m512i tile[kTile];
            for (std::int64_t r = 0; r < kTile; ++r) {
                tile[r] = _mm512_loadu_si512(from + r * kTile);
            }
            transpose(tile);
            for (std::int64_t r = 0; r < std::min(kTile, part.rows - i); ++r) {
                float* const out = job.y.row(i + r) + col;
                __m512 sum = _mm512_add_ps(_mm512_castsi512_ps(tile[r]), bias);
                sum = job.into == Into::Add ? _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, out)) : sum;
                _mm512_mask_storeu_ps(out, mask, sum);
            }
        }
    }
}

/// The weights' mins times the sums of the groups that they are taken from: what all sums begin with.
AMX_CODE inline void begin_sums(const WeightMatrix& w, const CodeParts& parts, const PackedRows& groups, const Part& part, float* sums) {
    if (parts.negative_mins == nullptr) {
        std::fill_n(sums, kPanelsMax * kPanelRows * kRowBlock, 0.0F);
        return;
    }
    thread_local Memory mins_memory, panel_memory;
    const std::int64_t depth = w.cols / kMinGroup;
    float* const mins = mins_memory.get<float>(kPanelRows * depth);
    Brain* const panel = panel_memory.get<Brain>(kParts * kPanelRows * kDepthBlock);
    for (std::int64_t col = 0; col < part.cols; col += kPanelRows) {
        const std::int64_t valid = std::min(kPanelRows, part.cols - col);
        for (std::int64_t i = 0; i < valid; ++i) {
            parts.negative_mins(w, part.col + col + i, mins + i * depth);
        }
        for (std::int64_t k = 0; k < depth; k += kDepthBlock) {
            const std::int64_t step = std::min(kDepthBlock, depth - k);
            pack_floats<kParts>(mins + k, depth, valid, step, panel);
            for (std::int64_t r = 0; r < part.rows; r += kPanelRows) {
                multiply<kParts>(panel, groups.at(r / kTile, k / kDepthBlock), (step + kTileDepth - 1) / kTileDepth, sums + sums_at(col, r), k > 0);
            }
        }
    }
}

} // namespace handeye::kernels::tiles
