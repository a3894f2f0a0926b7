// SPDX-License-Identifier: Apache-2.0
// Many rows of activations against weights in blocks of whole numbers, on the tile unit: both in two parts of 8 bits, the activations as 16 bits
// under a scale for 256 of them. Sums over a block are exact; what is lost is the activations' rounding, 2^-16 of the largest of 256.
#include "engine/kernels/cpu/amx.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "engine/kernels/cpu/amx_tiles.h"

#include <utility>

namespace handeye::kernels {
namespace {

using namespace tiles;

// A block of 16 rows, of weights or of activations: for each 64 inputs a tile of high and one of low parts.
constexpr std::int64_t kSteps = kCodeBlock / kCodeDepth;
constexpr std::int64_t kTileBytes = kTile * kCodeDepth;
constexpr std::int64_t kBlockBytes = kSteps * 2 * kTileBytes;
constexpr std::int64_t kGroups = kCodeBlock / kMinGroup;
constexpr float kLargest = 127 * 256 + 127; // whose parts have 8 bits
static_assert(kCodeRows == kTile);

/// Activations, in blocks of all rows, one block after the other.
struct WholeTiles {
    std::int8_t* codes = nullptr; ///< (blocks, row tiles, kBlockBytes)
    float* scales = nullptr;      ///< (blocks, row tiles, kTile): activation = scale * (256 * high + low)
    float* sums = nullptr;        ///< (rows, groups): of each 32 activations
    std::int64_t row_tiles = 0;
    std::int64_t groups = 0;
    [[nodiscard]] std::int8_t* codes_at(std::int64_t block, std::int64_t tile) const { return codes + (block * row_tiles + tile) * kBlockBytes; }
    [[nodiscard]] float* scales_at(std::int64_t block, std::int64_t tile) const { return scales + (block * row_tiles + tile) * kTile; }
};

// 32 numbers of 16 bits to their bytes: what is left of them without the low ones, which have a sign.
AMX_CODE inline __m256i high_bytes(__m512i numbers) { return _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(numbers, _mm512_set1_epi16(128)), 8)); }
AMX_CODE inline __m512i joined(__m256i first, __m256i second) { return _mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1); }

// What is not finite makes the scale NaN, and with it every product.
AMX_CODE inline float scale_of(const float* from) {
    __m512 largest = _mm512_setzero_ps(), poison = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < kCodeBlock; k += 16) {
        const __m512 x = _mm512_loadu_ps(from + k);
        largest = _mm512_max_ps(largest, _mm512_abs_ps(x));
        poison = _mm512_fmadd_ps(x, _mm512_setzero_ps(), poison);
    }
    return _mm512_reduce_max_ps(largest) / kLargest + _mm512_reduce_add_ps(poison);
}

AMX_CODE inline __m512i whole(const float* from, __m512 inverse) {
    const __m512i first = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from), inverse)), second = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from + 16), inverse));
    return joined(_mm512_cvtsepi32_epi16(first), _mm512_cvtsepi32_epi16(second));
}

// One row's block as bytes, and the sums of its groups.
AMX_CODE inline float take_block(const float* from, float* sums, __m512i (&parts)[kSteps][2]) {
    const float scale = scale_of(from);
    const __m512 inverse = _mm512_set1_ps(scale > 0 ? 1 / scale : 0.0F);
    for (std::int64_t step = 0; step < kSteps; ++step) {
        const __m512i two[2] = {whole(from + step * kCodeDepth, inverse), whole(from + step * kCodeDepth + kMinGroup, inverse)};
        parts[step][0] = joined(high_bytes(two[0]), high_bytes(two[1]));
        parts[step][1] = joined(_mm512_cvtepi16_epi8(two[0]), _mm512_cvtepi16_epi8(two[1]));
        for (std::int64_t g = 0; g < 2; ++g) {
            sums[step * 2 + g] = scale * static_cast<float>(_mm512_reduce_add_epi32(_mm512_madd_epi16(two[g], _mm512_set1_epi16(1))));
        }
    }
    return scale;
}

AMX_CODE void pack_whole(ConstMatrix x, std::int64_t tile, const WholeTiles& packed) {
    const std::int64_t rows = std::min(kTile, x.rows - tile * kTile);
    for (std::int64_t block = 0; block * kCodeBlock < x.cols; ++block) {
        __m512i words[kSteps][2][kTile] = {};
        float* const scales = packed.scales_at(block, tile);
        std::fill_n(scales, kTile, 0.0F);
        for (std::int64_t i = 0; i < rows; ++i) {
            __m512i parts[kSteps][2];
            const std::int64_t row = tile * kTile + i;
            scales[i] = take_block(x.row(row) + block * kCodeBlock, packed.sums + row * packed.groups + block * kGroups, parts);
            for (std::int64_t step = 0; step < kSteps; ++step) {
                words[step][0][i] = parts[step][0];
                words[step][1][i] = parts[step][1];
            }
        }
        std::int8_t* out = packed.codes_at(block, tile);
        for (auto& step : words) {
            for (auto& part : step) {
                transpose(part);
                for (const __m512i& four : part) { // inputs of all rows
                    _mm512_store_si512(out, four);
                    out += kCodeDepth;
                }
            }
        }
    }
}

/// Sums of parts that wait to be scaled and added.
struct Product {
    const float* weight_scales = nullptr;
    const float* row_scales = nullptr;
    float* sums = nullptr; ///< (16 outputs, 16 rows of x)
};

// Tiles 0 to 2: sums of what is worth 2^16, 2^8 and 1. 4 and 5: weights; 6 and 7: rows of x.
AMX_CODE inline void multiply_block(const std::int8_t* weights, const std::int8_t* rows) {
    finish_packing();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    for (std::int64_t step = 0; step < kSteps; ++step, weights += 2 * kTileBytes, rows += 2 * kTileBytes) {
        _tile_loadd(4, weights, kCodeDepth);
        _tile_loadd(6, rows, kCodeDepth);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, rows + kTileBytes, kCodeDepth);
        _tile_dpbssd(1, 4, 7);
        _tile_loadd(5, weights + kTileBytes, kCodeDepth);
        _tile_dpbssd(2, 5, 7);
        _tile_dpbssd(1, 5, 6);
    }
}
AMX_CODE inline void store_block(std::int32_t* parts) {
    _tile_stored(0, parts, 64);
    _tile_stored(1, parts + kTileSums, 64);
    _tile_stored(2, parts + 2 * kTileSums, 64);
}
AMX_CODE inline __m512 floats(const std::int32_t* from) { return _mm512_cvtepi32_ps(_mm512_load_si512(from)); }
AMX_CODE inline void add_product(const std::int32_t* parts, const Product& to) {
    const __m512 row_scales = _mm512_loadu_ps(to.row_scales), byte = _mm512_set1_ps(256.0F);
    for (std::int64_t i = 0; i < kTile; ++i, parts += kTile) {
        const __m512 sum = _mm512_fmadd_ps(_mm512_fmadd_ps(floats(parts), byte, floats(parts + kTileSums)), byte, floats(parts + 2 * kTileSums));
        const __m512 scale = _mm512_mul_ps(row_scales, _mm512_set1_ps(to.weight_scales[i]));
        _mm512_store_ps(to.sums + i * kTile, _mm512_fmadd_ps(sum, scale, _mm512_load_ps(to.sums + i * kTile)));
    }
}

AMX_CODE void multiply_part(const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts, const WholeTiles& x, const PackedRows& groups, const Part& part) {
    constexpr std::int64_t kPanels = kPanelsMax * kPanelRows / kTile;
    thread_local Memory panel_memory, sums_memory, parts_memory, scales_memory;
    std::int8_t* const panels = panel_memory.get<std::int8_t>(kPanels * kBlockBytes);
    float* const scales = scales_memory.get<float>(kPanels * kTile);
    float* const sums = sums_memory.get<float>(kPanelsMax * kPanelRows * kRowBlock);
    std::int32_t* const two = parts_memory.get<std::int32_t>(2 * 3 * kTileSums);
    static constexpr TileConfig kConfig;
    _tile_loadconfig(&kConfig);
    begin_sums(w, parts, groups, part, sums);
    Product waiting; // while the tiles of the next one are multiplied
    std::int64_t turn = 0;
    for (std::int64_t block = 0; block * kCodeBlock < w.cols; ++block) {
        if (waiting.sums != nullptr) { // its scales are about to be overwritten
            add_product(two + (turn + 1) % 2 * 3 * kTileSums, std::exchange(waiting, {}));
        }
        for (std::int64_t col = 0; col < part.cols; col += kTile) {
            parts.unpack(w, part.col + col, std::min(kTile, part.cols - col), block, panels + col / kTile * kBlockBytes, scales + col);
        }
        for (std::int64_t row = 0; row < part.rows; row += kTile) {
            const std::int8_t* const rows = x.codes_at(block, row / kTile);
            const float* const row_scales = x.scales_at(block, row / kTile);
            for (std::int64_t col = 0; col < part.cols; col += kTile, turn = (turn + 1) % 2) {
                multiply_block(panels + col / kTile * kBlockBytes, rows);
                if (waiting.sums != nullptr) {
                    add_product(two + (turn + 1) % 2 * 3 * kTileSums, waiting);
                }
                store_block(two + turn * 3 * kTileSums);
                waiting = {scales + col, row_scales, sums_of(sums, col, row)};
            }
        }
    }
    add_product(two + (turn + 1) % 2 * 3 * kTileSums, waiting);
    _tile_release();
    finish(job, part, sums);
}

} // namespace

void amx_codes_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w, const CodeParts& parts) {
    thread_local Memory codes_memory, scales_memory, sums_memory, groups_memory;
    const std::int64_t blocks = w.cols / kCodeBlock, groups = w.cols / kMinGroup, group_blocks = (groups + kDepthBlock - 1) / kDepthBlock;
    for_row_blocks(pool, job, [&](const MatmulJob& block, std::int64_t row_tiles) {
        const WholeTiles x{codes_memory.get<std::int8_t>(blocks * row_tiles * kBlockBytes), scales_memory.get<float>(blocks * row_tiles * kTile), sums_memory.get<float>(block.x.rows * groups), row_tiles, groups};
        const PackedRows sums{groups_memory.get<Brain>(row_tiles * group_blocks * PackedRows::kRowTileNumbers), row_tiles};
        pool.run(row_tiles, [&](std::int64_t i, int) {
            pack_whole(block.x, i, x);
            if (parts.negative_mins != nullptr) {
                pack_rows({x.sums, block.x.rows, groups, groups}, i, sums);
            }
        });
        return [=, &w, &parts](const Part& part) { multiply_part(block, w, parts, x, sums, part); };
    });
}

} // namespace handeye::kernels

#endif // elsewhere: amx.cpp
