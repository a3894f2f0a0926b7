// SPDX-License-Identifier: Apache-2.0
// Each instruction set that this machine has, one after the other, against plain loops: run-time dispatch picks only one.
#include "engine/bench_products.h"
#include "engine/kernels/cpu/amx.h"
#include "engine/kernels/cpu/code_parts.h"
#include "engine/kernels/cpu/whole_gemm.h"
#include "engine/kernels/fast_paths.h"
#include "engine/kernels/ops.h"
#include "engine/quant/blocks.h"
#include "instruction_sets.h"
#include "kept_rows.h"
#include "random_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

class InstructionSet : public testing::TestWithParam<std::int64_t> {
protected:
    std::vector<float> floats(std::int64_t count) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& v : values) {
            v = std::uniform_real_distribution<float>(-1.0F, 1.0F)(bits_);
        }
        return values;
    }
    static void expect_close(const std::vector<float>& got, const std::vector<float>& want, float limit) {
        for (std::size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], want[i], limit) << "at " << i;
        }
    }
    const ChosenInstructionSet chosen_{GetParam()};
    std::mt19937 bits_{7};
    ThreadPool pool_{1};
};

Matrix view(std::vector<float>& values, std::int64_t rows, std::int64_t cols) { return {values.data(), rows, cols, cols}; }

TEST_P(InstructionSet, MultipliesAsPlainLoops) {
    kernels::set_fast_paths({false, false}); // the tile unit is beside all of them
    for (const std::int64_t rows : {1, 5, 29}) {
        constexpr std::int64_t kDepth = 131;
        constexpr std::int64_t kCols = 77;
        std::vector<std::uint16_t> brain(kDepth * kCols);
        for (std::uint16_t& b : brain) {
            b = static_cast<std::uint16_t>((bits_() & 0x807FU) | 0x3F00U); // 0.5 to 1, either sign
        }
        const WeightMatrix w = matrix_of({reinterpret_cast<const std::byte*>(brain.data()), DType::BF16, {kCols, kDepth}}, kDepth);
        std::vector<float> x = floats(rows * kDepth);
        std::vector<float> got(static_cast<std::size_t>(rows * kCols));
        std::vector<float> want = got;
        kernels::matmul(pool_, view(x, rows, kDepth), w, {}, view(got, rows, kCols));
        kernels::reference::matmul(view(x, rows, kDepth), w, {}, view(want, rows, kCols));
        expect_close(got, want, 4 * 0x1p-24F * (kDepth + 4));
    }
}

TEST_P(InstructionSet, MultipliesBlocksAsPlainLoops) {
    kernels::set_fast_paths({});
    for (const BlockFormat& format : block_formats()) {
        constexpr std::int64_t kCols = 21;
        const std::int64_t depth = format.elements == 256 ? 768 : 416; // groups behind the last 256
        const std::vector<std::byte> blocks = random_blocks(format, kCols * depth / format.elements, bits_);
        const WeightMatrix w = matrix_of({blocks.data(), DType::F32, {kCols, depth}, &format}, depth);
        std::vector<float> weights(static_cast<std::size_t>(w.count()));
        decode_tile(w, {.row = 0, .rows = kCols, .col = 0, .cols = depth, .stride = depth}, weights.data());
        float largest = 0;
        for (const float v : weights) {
            largest = std::max(largest, std::abs(v));
        }
        for (const std::int64_t rows : {1, 6, 29}) {
            std::vector<float> x = floats(rows * depth);
            std::vector<float> got(static_cast<std::size_t>(rows * kCols));
            std::vector<float> want = got;
            kernels::matmul(pool_, view(x, rows, depth), w, {}, view(got, rows, kCols));
            kernels::reference::matmul(view(x, rows, depth), w, {}, view(want, rows, kCols));
            SCOPED_TRACE(format.name);
            const bool is_whole = rows > kernels::kFewRows && kernels::takes_whole_gemm(w) && !kernels::has_amx();
            const float step = is_whole ? 1.0F / 8191 : 1.0F / 32767;
            expect_close(got, want, largest * 6 * std::sqrt(static_cast<float>(depth) / 12) * step);
            x[static_cast<std::size_t>(depth - 1)] = std::numeric_limits<float>::quiet_NaN();
            kernels::matmul(pool_, view(x, rows, depth), w, {}, view(got, rows, kCols));
            EXPECT_TRUE(std::isnan(got[0]) && std::isnan(got[kCols - 1]));
            EXPECT_TRUE(rows == 1 || std::isfinite(got[kCols]));
        }
    }
}

// What the tile unit multiplies is unpacked by each of them.
TEST_P(InstructionSet, UnpacksCodesAsTheyAreDecoded) {
    int formats = 0;
    for (const BlockFormat& format : block_formats()) {
        constexpr std::int64_t kCols = 19;
        const std::int64_t depth = format.elements == 256 ? 512 : 416;
        const std::vector<std::byte> blocks = random_blocks(format, kCols * depth / format.elements, bits_);
        const WeightMatrix w = matrix_of({blocks.data(), DType::F32, {kCols, depth}, &format}, depth);
        const kernels::CodeParts parts = kernels::code_parts(w);
        if (parts.unpack == nullptr && parts.unpack_groups == nullptr) {
            continue;
        }
        ++formats;
        std::vector<float> want(static_cast<std::size_t>(w.count())), mins(static_cast<std::size_t>(depth / kernels::kMinGroup));
        decode_tile(w, {.row = 0, .rows = kCols, .col = 0, .cols = depth, .stride = depth}, want.data());
        std::vector<std::int8_t> codes(static_cast<std::size_t>(2 * kernels::kCodeRows * kernels::kCodeBlock));
        std::vector<float> scales(static_cast<std::size_t>(kernels::kCodeRows * kernels::kCodeBlock / kernels::kMinGroup));
        for (std::int64_t i = 0; i < kCols * depth; ++i) {
            const std::int64_t row = i / depth, in_panel = row % kernels::kCodeRows, col = i % depth, k = col % kernels::kCodeBlock;
            if (k == 0) {
                (parts.unpack != nullptr ? parts.unpack : parts.unpack_groups)(w, row - in_panel, std::min(kernels::kCodeRows, kCols - row + in_panel), col / kernels::kCodeBlock, codes.data(), scales.data());
            }
            if (col == 0 && parts.negative_mins != nullptr) {
                parts.negative_mins(w, row, mins.data());
            }
            const auto code_at = [&](std::int64_t at) { return static_cast<float>(codes[static_cast<std::size_t>(at)]); };
            const std::int64_t high = (k / kernels::kCodeDepth * 2 * kernels::kCodeRows + in_panel) * kernels::kCodeDepth + k % kernels::kCodeDepth;
            const float code = parts.unpack != nullptr ? 256 * code_at(high) + code_at(high + kernels::kCodeRows * kernels::kCodeDepth) : code_at(in_panel * kernels::kCodeBlock + k);
            const float scale = scales[static_cast<std::size_t>(parts.unpack != nullptr ? in_panel : k / kernels::kMinGroup * kernels::kCodeRows + in_panel)];
            const float got = code * scale + mins[static_cast<std::size_t>(col / kernels::kMinGroup)];
            ASSERT_NEAR(got, want[static_cast<std::size_t>(i)], 1e-5F * std::max(1.0F, std::abs(got))) << format.name << " " << row << " " << col;
        }
    }
    const bool is_built = GetParam() == HWY_AVX2 || GetParam() == HWY_AVX3 || GetParam() == HWY_NEON; // engine/tensor/highway_targets.h
    EXPECT_TRUE(formats == 8 || (formats == 0 && !is_built)) << formats;
}

TEST_P(InstructionSet, AttendsAsPlainLoops) {
    std::vector<float> q = floats(21 * 6 * 20);
    const std::vector<float> k = floats(2 * 150 * 20);
    const std::vector<float> v = floats(2 * 150 * 20);
    std::vector<float> got(q.size());
    std::vector<float> want(q.size());
    for (const KvFormat format : {KvFormat::F32, KvFormat::F16, KvFormat::Q8}) {
        const std::int64_t row_bytes = kernels::kv_row_bytes(format, 20);
        const std::vector<std::byte> keys = kept(format, k, 20);
        const std::vector<std::byte> values = kept(format, v, 20);
        const kernels::AttentionInput in{.q = view(q, 21, 120), .k = keys.data(), .v = values.data(), .kv_format = format, .kv_row_stride = row_bytes,
                                         .kv_head_stride = 150 * row_bytes, .n_keys = 150, .n_heads = 6, .n_kv_heads = 2,
                                         .head_dim = 20, .scale = 0.7F, .causal = true};
        kernels::attention(pool_, {&in, 1}, view(got, 21, 120));
        kernels::reference::attention(in, view(want, 21, 120));
        expect_close(got, want, 4 * 0x1p-24F * (150 + 4));
    }
}

TEST_P(InstructionSet, NormalisesAndActivatesAsPlainLoops) {
    std::vector<float> x = floats(3 * 45);
    std::vector<float> up = floats(3 * 45);
    const std::vector<float> weight = floats(45);
    std::vector<float> got(x.size());
    std::vector<float> want(x.size());
    kernels::rms_norm(pool_, view(x, 3, 45), weight, 1e-5F, view(got, 3, 45));
    kernels::reference::rms_norm(view(x, 3, 45), weight, 1e-5F, view(want, 3, 45));
    expect_close(got, want, 1e-5F);
    kernels::silu_mul(pool_, view(x, 3, 45), view(up, 3, 45), view(got, 3, 45));
    kernels::reference::silu_mul(view(x, 3, 45), view(up, 3, 45), view(want, 3, 45));
    expect_close(got, want, 1e-6F);
}

INSTANTIATE_TEST_SUITE_P(Machine, InstructionSet, testing::ValuesIn(instruction_sets()),
                         [](const auto& each) { return std::string(hwy::TargetName(each.param)); });

TEST(BenchProducts, TellsEachFormatWithFewAndManyRows) {
    std::vector<std::string> formats;
    const std::vector<BenchLine> lines = bench_products(2, 256, [&](const std::string& format) { formats.push_back(format); });
    EXPECT_EQ(formats, (std::vector<std::string>{"bf16", "q4_0", "q8_0", "q4_k", "q5_k", "q6_k"}));
    ASSERT_EQ(lines.size(), 1 + 4 * formats.size());
    for (const BenchLine& line : lines) {
        EXPECT_GT(line.value, 0) << line.name;
        EXPECT_EQ(line.ceiling > 0, line.name != "fma_peak") << line.name;
    }
}

} // namespace
} // namespace handeye
