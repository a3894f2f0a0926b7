// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/cpu/amx.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "engine/kernels/cpu/amx_tiles.h"
#include "engine/quant/weight_format.h"

#include <array>

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye::kernels {
namespace {

using namespace tiles;

bool ask_for_amx() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kTileBits = 1U << 22U | 1U << 24U | 1U << 25U, kAvx512Bf16Bit = 1U << 5U; // bfloat16, tiles, int8
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTileBits) != kTileBits) {
        return false;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0 || (a & kAvx512Bf16Bit) == 0) {
        return false;
    }
    constexpr long kArchReqXcompPerm = 0x1023, kXfeatureXtileData = 18; // <asm/prctl.h>
    return ::syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtileData) == 0;
}

// Tiles of up to 32 rows of weights and one depth block: for each 32 inputs and each part the tiles of both 16 rows.
template <std::int64_t Parts>
AMX_CODE void pack_panel(const WeightMatrix& w, std::int64_t col, std::int64_t valid, std::int64_t k, std::int64_t step, Brain* out) {
    if constexpr (Parts == 1) {
        const std::byte* const codes = w.codes + 2 * ((w.first_row + col) * w.cols + k);
        for (std::int64_t row = 0; row < kPanelRows; ++row) {
            for (std::int64_t kt = 0; kt * kTileDepth < step; ++kt) {
                const std::int64_t count = row < valid ? std::min(kTileDepth, step - kt * kTileDepth) : 0;
                const auto mask = static_cast<__mmask32>((std::uint64_t{1} << static_cast<unsigned>(count)) - 1U);
                _mm512_store_si512(panel_tile<Parts>(out, kt, 0, row), _mm512_maskz_loadu_epi16(mask, codes + 2 * (row * w.cols + kt * kTileDepth)));
            }
        }
    } else {
        thread_local std::vector<float> decoded;
        decoded.resize(static_cast<std::size_t>(kPanelRows * kDepthBlock));
        decode_tile(w, {.row = col, .rows = valid, .col = k, .cols = step, .stride = kDepthBlock}, decoded.data());
        pack_floats<Parts>(decoded.data(), kDepthBlock, valid, step, out);
    }
}

// A share of the bytes of the next depth block, so that memory is read while tiles are multiplied.
AMX_CODE inline void fetch_ahead(const WeightMatrix& w, const Part& part, std::int64_t k, std::int64_t share, std::int64_t shares) {
    const std::int64_t each = (part.cols + shares - 1) / shares, step = std::min(kDepthBlock, w.cols - k);
    for (std::int64_t row = share * each; row < std::min((share + 1) * each, part.cols); ++row) {
        const std::byte* const from = w.codes + 2 * ((w.first_row + part.col + row) * w.cols + k);
        for (std::int64_t i = 0; i < 2 * step; i += 64) {
            _mm_prefetch(reinterpret_cast<const char*>(from + i), _MM_HINT_T1);
        }
    }
}

// The rows' tiles of one step stay in the first cache while those of all panels pass by.
template <std::int64_t Parts>
AMX_CODE void multiply_part(const MatmulJob& job, const WeightMatrix& w, const PackedRows& x, const Part& part) {
    constexpr std::int64_t kPanelNumbers = Parts * kPanelRows * kDepthBlock;
    thread_local Memory panel_memory, sums_memory;
    Brain* const panels = panel_memory.get<Brain>(kPanelsMax * kPanelNumbers);
    float* const sums = sums_memory.get<float>(kPanelsMax * kPanelRows * kRowBlock);
    static constexpr TileConfig kConfig;
    _tile_loadconfig(&kConfig);
    for (std::int64_t k = 0; k < w.cols; k += kDepthBlock) {
        const std::int64_t step = std::min(kDepthBlock, w.cols - k), tiles = (step + kTileDepth - 1) / kTileDepth;
        for (std::int64_t col = 0; col < part.cols; col += kPanelRows) {
            pack_panel<Parts>(w, part.col + col, std::min(kPanelRows, part.cols - col), k, step, panels + col / kPanelRows * kPanelNumbers);
        }
        for (std::int64_t tile = 0; tile < tiles; tile += kStepTiles) {
            const std::int64_t count = std::min(kStepTiles, tiles - tile);
            for (std::int64_t r = 0; r < part.rows; r += kPanelRows) {
                if (Parts == 1 && tile == 0 && k + kDepthBlock < w.cols) {
                    fetch_ahead(w, part, k + kDepthBlock, r / kPanelRows, (part.rows + kPanelRows - 1) / kPanelRows);
                }
                const Brain* const rows = x.at(r / kTile, k / kDepthBlock) + tile * kParts * kTileNumbers;
                for (std::int64_t col = 0; col < part.cols; col += kPanelRows) {
                    const Brain* const panel = panels + col / kPanelRows * kPanelNumbers + tile * Parts * 2 * kTileNumbers;
                    multiply<Parts>(panel, rows, count, sums + sums_at(col, r), k + tile > 0);
                }
            }
        }
    }
    _tile_release();
    finish(job, part, sums);
}

// How many parts hold the weights: codes times 16-bit scales are two, near enough.
std::int64_t parts_of(const WeightMatrix& w) {
    const DType numbers = w.format == &kPlainFormat ? w.dtype : w.scales.data != nullptr ? w.scales.dtype : DType::F16;
    return numbers == DType::F32 ? 3 : w.format == &kPlainFormat && numbers == DType::BF16 ? 1 : 2;
}

} // namespace

bool has_amx() {
    static const bool has = ask_for_amx();
    return has;
}

void amx_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) {
    thread_local Memory x_memory;
    const std::int64_t depth_blocks = (w.cols + kDepthBlock - 1) / kDepthBlock;
    const auto multiply_as_held = std::array{multiply_part<1>, multiply_part<2>, multiply_part<3>}.at(static_cast<std::size_t>(parts_of(w) - 1));
    for_row_blocks(pool, job, [&](const MatmulJob& block, std::int64_t row_tiles) {
        const PackedRows x{x_memory.get<Brain>(row_tiles * depth_blocks * PackedRows::kRowTileNumbers), row_tiles};
        pool.run(row_tiles, [&](std::int64_t i, int) { pack_rows(block.x, i, x); });
        return [=, &w](const Part& part) { multiply_as_held(block, w, x, part); };
    });
}

} // namespace handeye::kernels

#else

namespace handeye::kernels {
bool has_amx() { return false; }
void amx_matmul(ThreadPool&, const MatmulJob&, const WeightMatrix&) { CHECK(false); }
void amx_groups_matmul(ThreadPool&, const MatmulJob&, const WeightMatrix&, const CodeParts&) { CHECK(false); }
void amx_codes_matmul(ThreadPool&, const MatmulJob&, const WeightMatrix&, const CodeParts&) { CHECK(false); }
} // namespace handeye::kernels

#endif
