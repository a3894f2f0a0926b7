// SPDX-License-Identifier: Apache-2.0
// Many rows of activations against weights in blocks of 32 that share a scale, on the tile unit: the codes are bfloat16 as they are, the activations
// in parts that hold all of their bits, and each block's sums are scaled when they leave the tiles.
#include "engine/kernels/cpu/amx.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "engine/kernels/cpu/amx_tiles.h"

#include <numeric>

namespace handeye::kernels {
namespace {

using namespace tiles;

constexpr std::int64_t kGroups = kDepthBlock / kTileDepth; // of a depth block; one is a tile
static_assert(kDepthBlock == kCodeBlock && kTileDepth == kMinGroup && kTile == kCodeRows);

AMX_CODE inline __m512 floats(const std::int8_t* from) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)))); }

// 16 rows of codes, a depth block, become tiles of one group each.
AMX_CODE void pack_codes(const std::int8_t* codes, Brain* out) {
    for (std::int64_t g = 0; g < kGroups; ++g) {
        for (std::int64_t i = 0; i < kTile; ++i, out += kTileDepth) {
            const std::int8_t* const from = codes + i * kCodeBlock + g * kTileDepth;
            _mm512_store_si512(out, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(floats(from + 16), floats(from))));
        }
    }
}

// Tile 0: a group's sums. 4: its weights; 5 to 7: rows of x.
AMX_CODE inline void multiply_group(const Brain* weights, const Brain* rows, float* out) {
    static_assert(kParts == 3);
    finish_packing();
    _tile_zero(0);
    _tile_loadd(4, weights, 64);
    _tile_loadd(5, rows, 64);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, rows + kTileNumbers, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, rows + 2 * kTileNumbers, 64);
    _tile_dpbf16ps(0, 4, 7);
    _tile_stored(0, out, 64);
}
AMX_CODE inline void add_group(const float* group, const float* scales, __m512 (&sums)[kTile]) {
#pragma GCC unroll 16
    for (std::int64_t i = 0; i < kTile; ++i) {
        sums[i] = _mm512_fmadd_ps(_mm512_load_ps(group + i * kTile), _mm512_set1_ps(scales[i]), sums[i]);
    }
}

// out (16 outputs, 16 rows of x) += the scaled sums of the depth block's groups. A group's are added while the next ones are multiplied.
AMX_CODE void multiply_block(const Brain* weights, const float* scales, const Brain* rows, std::int64_t groups, float* two, float* out) {
    __m512 sums[kTile];
#pragma GCC unroll 16
    for (std::int64_t i = 0; i < kTile; ++i) {
        sums[i] = _mm512_load_ps(out + i * kTile);
    }
    for (std::int64_t g = 0; g < groups; ++g) {
        multiply_group(weights + g * kTileNumbers, rows + g * kParts * kTileNumbers, two + g % 2 * kTileSums);
        if (g > 0) {
            add_group(two + (g - 1) % 2 * kTileSums, scales + (g - 1) * kTile, sums);
        }
    }
    add_group(two + (groups - 1) % 2 * kTileSums, scales + (groups - 1) * kTile, sums);
#pragma GCC unroll 16
    for (std::int64_t i = 0; i < kTile; ++i) {
        _mm512_store_ps(out + i * kTile, sums[i]);
    }
}

AMX_CODE void multiply_part(const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts, const PackedRows& x, const PackedRows& groups, const Part& part) {
    constexpr std::int64_t kPanels = kPanelsMax * kPanelRows / kTile, kPanelNumbers = kGroups * kTileNumbers;
    thread_local Memory panel_memory, codes_memory, sums_memory, two_memory, scales_memory;
    Brain* const panels = panel_memory.get<Brain>(kPanels * kPanelNumbers);
    std::int8_t* const codes = codes_memory.get<std::int8_t>(kTile * kCodeBlock);
    float* const scales = scales_memory.get<float>(kPanels * kGroups * kTile);
    float* const sums = sums_memory.get<float>(kPanelsMax * kPanelRows * kRowBlock);
    float* const two = two_memory.get<float>(2 * kTileSums);
    static constexpr TileConfig kConfig;
    _tile_loadconfig(&kConfig);
    begin_sums(w, parts, groups, part, sums);
    for (std::int64_t k = 0; k < w.cols; k += kDepthBlock) {
        for (std::int64_t col = 0; col < part.cols; col += kTile) {
            parts.unpack_groups(w, part.col + col, std::min(kTile, part.cols - col), k / kDepthBlock, codes, scales + col * kGroups);
            pack_codes(codes, panels + col / kTile * kPanelNumbers);
        }
        for (std::int64_t row = 0; row < part.rows; row += kTile) {
            const Brain* const rows = x.at(row / kTile, k / kDepthBlock);
            for (std::int64_t col = 0; col < part.cols; col += kTile) {
                multiply_block(panels + col / kTile * kPanelNumbers, scales + col * kGroups, rows, std::min(kGroups, (w.cols - k) / kTileDepth), two, sums_of(sums, col, row));
            }
        }
    }
    _tile_release();
    finish(job, part, sums);
}

// Of each group of a row's activations.
void add_up(ConstMatrix x, std::int64_t row_tile, float* sums) {
    for (std::int64_t row = row_tile * kTile; row < std::min((row_tile + 1) * kTile, x.rows); ++row) {
        for (std::int64_t g = 0; g < x.cols / kMinGroup; ++g) {
            sums[row * (x.cols / kMinGroup) + g] = std::accumulate(x.row(row) + g * kMinGroup, x.row(row) + (g + 1) * kMinGroup, 0.0F);
        }
    }
}

} // namespace

void amx_groups_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts) {
    thread_local Memory x_memory, sums_memory, groups_memory;
    const std::int64_t depth_blocks = (w.cols + kDepthBlock - 1) / kDepthBlock, groups = w.cols / kMinGroup, group_blocks = (groups + kDepthBlock - 1) / kDepthBlock;
    for_row_blocks(pool, job, [&](const MatmulJob& block, std::int64_t row_tiles) {
        const PackedRows x{x_memory.get<Brain>(row_tiles * depth_blocks * PackedRows::kRowTileNumbers), row_tiles};
        const PackedRows sums{groups_memory.get<Brain>(row_tiles * group_blocks * PackedRows::kRowTileNumbers), row_tiles};
        float* const group_sums = sums_memory.get<float>(block.x.rows * groups);
        pool.run(row_tiles, [&](std::int64_t i, int) {
            pack_rows(block.x, i, x);
            if (parts.negative_mins != nullptr) {
                add_up(block.x, i, group_sums);
                pack_rows({group_sums, block.x.rows, groups, groups}, i, sums);
            }
        });
        return [=, &w, &parts](const Part& part) { multiply_part(block, w, parts, x, sums, part); };
    });
}

} // namespace handeye::kernels

#endif // elsewhere: amx.cpp
