// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/whole_gemm.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/cpu/gemm-inl.h"
#include "engine/quant/block_codes-inl.h"
#include "engine/kernels/cpu/code_parts.h"
#include "engine/kernels/cpu/whole_gemm.h"

#include "base/result.h"
#include "engine/quant/blocks.h"
#include "engine/tensor/aligned_vector.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <numeric>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {

// AVX-512 multiplies no more 16-bit numbers than floats but with VNNI, which Highway 1.0 does not use; other machines were not measured.
#if HWY_TARGET == HWY_AVX2

namespace codes = handeye::blocks::HWY_NAMESPACE;

constexpr std::int64_t kBlock = 128;              // inputs under one scale of activations
constexpr std::int64_t kGroup = 32;               // inputs that share a min
constexpr std::int64_t kDepthStep = 4 * kBlock;   // of a panel, which stays in the first-level cache
constexpr std::int64_t kGroupCols = 64;           // of a task
constexpr std::int64_t kRowsAtOnce = 528;         // of activations that are kept as whole numbers: a chunk of a prompt
constexpr float kActivationMax = 32767;
constexpr float kLeast = 1e-30F;                  // a block with nothing larger is zeros

using Whole = hn::Repartition<std::int16_t, FloatTag>;
using Sums = hn::Repartition<std::int32_t, FloatTag>;

struct Sizes {
    float largest;
    float mean; ///< of as many as are summed in 32 bits, the largest one
};

// Of kBlock numbers' sizes, `summed` of which are summed at a time. What is not finite makes both NaN.
HWY_INLINE Sizes sizes_of(const float* x, std::int64_t summed) {
    const FloatTag d;
    Vec largest = hn::Zero(d), poison = hn::Zero(d);
    float mean = 0, largest_mean = 0;
    for (std::int64_t group = 0; group < kBlock; group += kGroup) {
        Vec sum = hn::Zero(d);
        for (std::int64_t i = group; i < group + kGroup; i += kLanes) {
            const Vec value = hn::LoadU(d, x + i);
            largest = hn::Max(largest, hn::Abs(value));
            sum = hn::MulAdd(hn::Abs(value), hn::Set(d, 1.0F / kGroup), sum);
            poison = hn::MulAdd(value, hn::Zero(d), poison);
        }
        const float of_group = hn::GetLane(hn::SumOfLanes(d, sum));
        largest_mean = std::max(largest_mean, of_group);
        mean += of_group * kGroup / kBlock;
    }
    const float bad = hn::GetLane(hn::SumOfLanes(d, poison));
    return {hn::GetLane(hn::MaxOfLanes(d, largest)) + bad, (summed == kBlock ? mean : largest_mean) + bad};
}

HWY_INLINE void round_block(const float* x, float factor, std::int16_t* out) {
    const FloatTag d;
    const hn::Rebind<std::int16_t, FloatTag> narrow;
    const Vec by = hn::Set(d, factor);
    for (std::int64_t i = 0; i < kBlock; i += kLanes) {
        hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), by))), narrow, out + i); // saturates
    }
}

/// A factor that makes whole numbers, and what they stand for: number * scale.
struct Rounding {
    float factor;
    float scale;
};
HWY_INLINE Rounding rounding_of(float factor, float largest) {
    if (largest < kLeast) {
        return {0, 0};
    }
    return {factor, 1 / factor + (largest - largest)}; // NaN stays
}

/// How weights of one format become whole numbers of at most `largest`, each kDepthStep inputs or what is left of a row.
struct Source {
    float largest = 0;
    std::int64_t block = 0; ///< inputs under one scale, whose products are summed in 32 bits: kBlock or kGroup
    /// Inputs depth..depth+step of row `row`: (step) numbers, (step / block) scales. `memory` holds kDepthStep floats.
    void (*read)(const WeightMatrix& w, std::int64_t row, std::int64_t depth, std::int64_t step, float* memory, std::int16_t* out, float* scales) = nullptr;
};

/// Rows of activations, in tiles of kRows (the last one of fewer, an even number): (tile, block, pair, row, 2).
struct WholeTiles {
    std::int64_t rows = 0, blocks = 0;
    AlignedVector<std::int16_t> codes;
    AlignedVector<float> scales; ///< (tile, block, row)
    AlignedVector<float> sums;   ///< (row, group): of each kGroup activations

    [[nodiscard]] std::int64_t tiles() const { return (rows + kRows - 1) / kRows; }
    [[nodiscard]] std::int64_t groups() const { return blocks * kBlock / kGroup; }
    [[nodiscard]] std::int64_t height(std::int64_t tile) const { return std::min(kRows, (rows - tile * kRows + 1) / 2 * 2); }
    [[nodiscard]] std::int64_t codes_at(std::int64_t tile, std::int64_t block) const { return (tile * kRows * blocks + block * height(tile)) * kBlock; }
    [[nodiscard]] std::int64_t scales_at(std::int64_t tile, std::int64_t block) const { return tile * kRows * blocks + block * height(tile); }

    void reset(ConstMatrix x) {
        rows = x.rows;
        blocks = (x.cols + kBlock - 1) / kBlock;
        const std::int64_t padded = (rows + 1) / 2 * 2 * blocks;
        codes.resize(static_cast<std::size_t>(padded * kBlock));
        scales.resize(static_cast<std::size_t>(padded));
        sums.resize(static_cast<std::size_t>(padded * kBlock / kGroup));
    }
    // The sum of a block's products stays below 2^31: sum of |activations| * weight_max.
    void fill_tile(ConstMatrix x, std::int64_t tile, const Source& source) {
        const float sum_max = 0x1.FFFp30F / source.largest - kBlock / 2; // each is rounded by half a step at most, and what rounds is rounded itself
        const std::int64_t h = height(tile);
        for (std::int64_t r = 0; r < h; ++r) {
            for (std::int64_t block = 0; block < blocks; ++block) {
                alignas(64) std::int16_t whole[kBlock] = {};
                float scale = 0;
                if (tile * kRows + r < rows) {
                    scale = round_row(x.row(tile * kRows + r) + block * kBlock, x.cols - block * kBlock, source.block, sum_max, whole);
                }
                scales[static_cast<std::size_t>(scales_at(tile, block) + r)] = scale;
                float* const sum = sums.data() + (tile * kRows + r) * groups() + block * kBlock / kGroup;
                for (std::int64_t group = 0; group < kBlock / kGroup; ++group) {
                    sum[group] = scale * static_cast<float>(std::accumulate(whole + group * kGroup, whole + (group + 1) * kGroup, 0));
                }
                std::int16_t* const to = codes.data() + codes_at(tile, block) + 2 * r;
                for (std::int64_t pair = 0; pair < kBlock / 2; ++pair) {
                    std::memcpy(to + pair * 2 * h, whole + 2 * pair, 4);
                }
            }
        }
    }

private:
    static float round_row(const float* from, std::int64_t left, std::int64_t summed, float sum_max, std::int16_t* out) {
        float padded[kBlock] = {};
        if (left < kBlock) {
            std::copy_n(from, left, padded);
            from = padded;
        }
        const Sizes sizes = sizes_of(from, summed);
        const Rounding rounding = rounding_of(std::min(kActivationMax / sizes.largest, sum_max / static_cast<float>(summed) / sizes.mean), sizes.largest);
        round_block(from, rounding.factor, out);
        return rounding.scale;
    }
};

/// Up to kPanel rows of weights over one step of depth: (pair, kPanel, 2) and (block, kPanel).
struct WeightPanel {
    alignas(64) std::int16_t codes[kDepthStep * kPanel];
    alignas(64) float scales[kDepthStep / kGroup * kPanel];
};

struct Scratch {
    AlignedVector<float> scales, sums, mins, min_panel;
    AlignedVector<std::int16_t> rounded;
    WeightPanel panel;
};

// GGUF blocks are whole numbers as they are: those of 256 after each group of 32 is multiplied by its factor.
template <class Format, std::int64_t Block>
void read_blocks(const WeightMatrix& w, std::int64_t row, std::int64_t depth, std::int64_t step, float* memory, std::int16_t* out, float* scales) {
    const std::byte* at = w.codes + ((w.first_row + row) * w.cols + depth) / Format::kElements * Format::kBytes;
    const codes::Codes d;
    if constexpr (Format::kElements == codes::kGroup) {
        static_assert(codes::kGroup == kGroup && Block == kGroup);
        const std::int64_t groups = step / kGroup;
        Format::scales(at, groups, memory, memory + groups + 4); // mins are added elsewhere
        std::copy_n(memory, groups, scales);
        for (std::int64_t i = 0; i < step; i += codes::kCodes) {
            hn::StoreU(codes::whole_codes<Format>(at, i / kGroup, i % kGroup / codes::kCodes), d, out + i);
        }
    } else {
        for (std::int64_t first = 0; first < step; first += codes::kSuper, at += Format::kBytes) {
            std::int16_t factors[codes::kSuper / codes::kGroup];
            Format::factors(at, factors);
            std::fill_n(scales + first / Block, codes::kSuper / Block, Format::block_scale(at));
            for (std::int64_t i = 0; i < codes::kSuper; i += codes::kCodes) {
                const std::int64_t group = i / kGroup;
                hn::StoreU(hn::Mul(codes::whole_codes<Format>(at, group, i % kGroup / codes::kCodes), hn::Set(d, factors[group])), d, out + first + i);
            }
        }
    }
}

inline Source source_of(const WeightMatrix& w) {
    switch (w.blocks == nullptr ? 0 : w.blocks->gguf_type) {
    case 2: return {8, kGroup, read_blocks<codes::Q4_0, kGroup>};
    case 3: return {15, kGroup, read_blocks<codes::Q4_1, kGroup>};
    case 6: return {16, kGroup, read_blocks<codes::Q5_0, kGroup>};
    case 7: return {31, kGroup, read_blocks<codes::Q5_1, kGroup>};
    case 8: return {128, kGroup, read_blocks<codes::Q8_0, kGroup>};
    case 12: return {15 * 63, kBlock, read_blocks<codes::Q4_K, kBlock>};
    case 13: return {31 * 63, kBlock, read_blocks<codes::Q5_K, kBlock>};
    case 14: return {32 * 128, kGroup, read_blocks<codes::Q6_K, kGroup>};
    default: return {};
    }
}

// `step` inputs from `depth` on of weights col..col+valid.
inline void make_panel(const WeightMatrix& w, const Source& source, std::int64_t col, std::int64_t valid, std::int64_t depth, std::int64_t step, Scratch& s) {
    const std::int64_t padded = (step + kBlock - 1) / kBlock * kBlock;
    s.scales.resize(kDepthStep);
    s.rounded.resize(static_cast<std::size_t>(kPanel * kDepthStep));
    std::fill_n(s.panel.scales, kDepthStep / kGroup * kPanel, 0.0F);
    for (std::int64_t r = 0; r < valid; ++r) {
        float scales[kDepthStep / kGroup];
        std::int16_t* const to = s.rounded.data() + r * kDepthStep;
        source.read(w, col + r, depth, step, s.scales.data(), to, scales);
        std::fill(to + step, to + padded, std::int16_t{0});
        for (std::int64_t block = 0; block * source.block < step; ++block) {
            s.panel.scales[block * kPanel + r] = scales[block];
        }
    }
    // Two whole numbers lie where a float would, and are moved as one.
    pack_panel(reinterpret_cast<const float*>(s.rounded.data()), kDepthStep / 2, valid, padded / 2, reinterpret_cast<float*>(s.panel.codes));
}

/// sums[H][kPanel] (+)= a tile's rows times a panel with a scale for each Block inputs.
template <int H, std::int64_t Block>
HWY_INLINE void whole_tile(const std::int16_t* x, const float* x_scales, const WeightPanel& panel, std::int64_t depth, float* sums, bool add) {
    const FloatTag d;
    const Whole numbers;
    const Sums whole;
    const std::int16_t* w = panel.codes;
    for (std::int64_t at = 0; at < depth; at += Block) {
        hn::Vec<Sums> sum0[H], sum1[H];
        hn::Vec<Sums> unused = hn::Zero(whole);
#pragma GCC unroll 12
        for (int i = 0; i < H; ++i) {
            sum0[i] = sum1[i] = hn::Zero(whole);
        }
        for (std::int64_t pair = 0; pair < Block / 2; ++pair) {
            const auto w0 = hn::LoadU(numbers, w);
            const auto w1 = hn::LoadU(numbers, w + kPanel);
#pragma GCC unroll 12
            for (int i = 0; i < H; ++i) {
                std::int32_t both = 0;
                std::memcpy(&both, x + 2 * i, 4);
                const auto value = hn::BitCast(numbers, hn::Set(whole, both));
                sum0[i] = hn::ReorderWidenMulAccumulate(whole, w0, value, sum0[i], unused);
                sum1[i] = hn::ReorderWidenMulAccumulate(whole, w1, value, sum1[i], unused);
            }
            w += 2 * kPanel;
            x += 2 * H;
        }
        const Vec scale0 = hn::LoadU(d, panel.scales + at / Block * kPanel);
        const Vec scale1 = hn::LoadU(d, panel.scales + at / Block * kPanel + kLanes);
        const bool is_more = add || at > 0;
#pragma GCC unroll 12
        for (int i = 0; i < H; ++i) {
            float* const to = sums + i * kGroupCols;
            const Vec by = hn::Set(d, x_scales[at / kBlock * H + i]);
            const Vec before0 = is_more ? hn::LoadU(d, to) : hn::Zero(d);
            const Vec before1 = is_more ? hn::LoadU(d, to + kLanes) : hn::Zero(d);
            hn::StoreU(hn::MulAdd(hn::ConvertTo(d, sum0[i]), hn::Mul(scale0, by), before0), d, to);
            hn::StoreU(hn::MulAdd(hn::ConvertTo(d, sum1[i]), hn::Mul(scale1, by), before1), d, to + kLanes);
        }
    }
}

using WholeTile = void (*)(const std::int16_t* x, const float* x_scales, const WeightPanel& panel, std::int64_t depth, float* sums, bool add);
template <std::int64_t Block>
WholeTile whole_tile_of(std::int64_t height) {
    static constexpr WholeTile kTiles[] = {whole_tile<2, Block>, whole_tile<4, Block>, whole_tile<6, Block>};
    static_assert(std::size(kTiles) == kRows / 2);
    return kTiles[height / 2 - 1];
}

struct WholeJob {
    const MatmulJob& job;
    const WeightMatrix& w;
    const Source source;
    void (*const negative_mins)(const WeightMatrix& w, std::int64_t row, float* out); ///< null: none
    const WholeTiles& x;
};

// What the mins take away: a small product of floats.
inline void add_mins(const WholeJob& of, std::int64_t first_row, std::int64_t rows, std::int64_t col, std::int64_t valid, Scratch& s, float* sums) {
    const std::int64_t groups = of.w.cols / kGroup;
    s.mins.resize(static_cast<std::size_t>(kPanel * groups));
    s.min_panel.resize(static_cast<std::size_t>(kPanel * groups));
    for (std::int64_t r = 0; r < valid; ++r) {
        of.negative_mins(of.w, col + r, s.mins.data() + r * groups);
    }
    pack_panel(s.mins.data(), groups, valid, groups, s.min_panel.data());
    tile_rows(rows, of.x.sums.data() + first_row * of.x.groups(), of.x.groups(), s.min_panel.data(), kPanel, groups, sums, kGroupCols, true);
}

// Tiles first..end of rows against weights col..col+cols, at most kGroupCols.
inline void whole_part(const WholeJob& of, std::int64_t first, std::int64_t end, std::int64_t col, std::int64_t cols) {
    thread_local Scratch s;
    const std::int64_t first_row = first * kRows, rows = std::min(of.x.rows, end * kRows) - first_row;
    s.sums.resize(static_cast<std::size_t>((end - first) * kRows * kGroupCols));
    for (std::int64_t in_group = 0; in_group < cols; in_group += kPanel) {
        const std::int64_t valid = std::min(kPanel, cols - in_group);
        float* const sums = s.sums.data() + in_group;
        for (std::int64_t depth = 0; depth < of.w.cols; depth += kDepthStep) {
            const std::int64_t step = std::min(kDepthStep, of.w.cols - depth), block = depth / kBlock;
            make_panel(of.w, of.source, col + in_group, valid, depth, step, s);
            for (std::int64_t tile = first; tile < end; ++tile) {
                const std::int64_t height = of.x.height(tile);
                const WholeTile multiply = of.source.block == kBlock ? whole_tile_of<kBlock>(height) : whole_tile_of<kGroup>(height);
                multiply(of.x.codes.data() + of.x.codes_at(tile, block), of.x.scales.data() + of.x.scales_at(tile, block), s.panel, step, sums + (tile - first) * kRows * kGroupCols, depth > 0);
            }
        }
        if (of.negative_mins != nullptr) {
            add_mins(of, first_row, rows, col + in_group, valid, s, sums);
        }
    }
    for (std::int64_t i = 0; i < rows; ++i) {
        const float* const from = s.sums.data() + i * kGroupCols;
        float* const to = of.job.y.row(first_row + i) + col;
        for (std::int64_t j = 0; j < cols; ++j) {
            const float sum = of.job.bias.empty() ? from[j] : from[j] + of.job.bias[static_cast<std::size_t>(col + j)];
            to[j] = of.job.into == Into::Add ? to[j] + sum : sum;
        }
    }
}

bool takes_whole_gemm_here(const WeightMatrix& w) { return source_of(w).read != nullptr; }

void multiply_rows(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) {
    thread_local WholeTiles memory; // of the caller's thread; the others read it
    WholeTiles& x = memory;
    x.reset(job.x);
    const WholeJob of{job, w, source_of(w), code_parts(w).negative_mins, x};
    pool.run(x.tiles(), [&](std::int64_t tile, int) { x.fill_tile(job.x, tile, of.source); });
    const std::int64_t groups = (w.rows + kGroupCols - 1) / kGroupCols;
    // Rows are shared out only where columns are too few for all threads: each share unpacks the weights again.
    const std::int64_t shares = std::clamp<std::int64_t>((4 * pool.size() + groups - 1) / groups, 1, (x.tiles() + 7) / 8);
    pool.run(groups * shares, [&](std::int64_t i, int) {
        const std::int64_t share = i % shares, col = i / shares * kGroupCols;
        whole_part(of, x.tiles() * share / shares, x.tiles() * (share + 1) / shares, col, std::min(kGroupCols, w.rows - col));
    });
}

void whole_matmul_here(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) {
    for (std::int64_t row = 0; row < job.x.rows; row += kRowsAtOnce) {
        const std::int64_t rows = std::min(kRowsAtOnce, job.x.rows - row);
        multiply_rows(pool, {job.x.rows_from(row, rows), job.bias, job.y.rows_from(row, rows), job.into}, w);
    }
}

#else

bool takes_whole_gemm_here(const WeightMatrix& /*w*/) { return false; }
void whole_matmul_here(ThreadPool& /*pool*/, const MatmulJob& /*job*/, const WeightMatrix& /*w*/) { CHECK(false); }

#endif

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
HWY_EXPORT(takes_whole_gemm_here);
HWY_EXPORT(whole_matmul_here);

bool takes_whole_gemm(const WeightMatrix& w) { return HWY_DYNAMIC_DISPATCH(takes_whole_gemm_here)(w); }
void whole_matmul(ThreadPool& pool, const MatmulJob& job, const WeightMatrix& w) { HWY_DYNAMIC_DISPATCH(whole_matmul_here)(pool, job, w); }

} // namespace handeye::kernels
#endif
