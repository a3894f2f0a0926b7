// SPDX-License-Identifier: Apache-2.0
// Products with packed weights against plain loops in double, over every format of the tables and odd shapes.
#include "engine/kernels/cpu/amx.h"
#include "engine/kernels/cpu/whole_gemm.h"
#include "engine/kernels/fast_paths.h"
#include "engine/kernels/ops.h"
#include "engine/quant/blocks.h"
#include "random_blocks.h"
#include "random_modules.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr std::int64_t kRows = 48;   // three tiles of outputs
constexpr std::int64_t kCols = 1280; // two and a half steps of depth

Matrix view(std::vector<float>& values, std::int64_t rows, std::int64_t cols) { return {values.data(), rows, cols, cols}; }

// How far apart factors are that have been rounded, as a share of the largest.
float rounding_step(std::int64_t rows, kernels::FastPaths fast, const WeightMatrix& w) {
    if (rows <= kernels::kFewRows) {
        return fast.whole_numbers && w.blocks != nullptr ? 1.0F / 32767 : 0;
    }
    if (fast.tiles && kernels::has_amx()) {
        return 1.0F / 32767;
    }
    return fast.whole_numbers && kernels::takes_whole_gemm(w) ? 1.0F / 8191 : 0; // activations spread evenly, weights of Q5_K
}

// One row, few rows and many take different paths; five outputs less than the matrix has, from the third on.
void expect_products(const WeightMatrix& whole, kernels::FastPaths fast) {
    kernels::set_fast_paths(fast);
    const WeightMatrix w = whole.rows_from(3, kRows - 5);
    const std::int64_t cols = w.cols;
    RandomModules random(20261122);
    std::vector<float> weights(static_cast<std::size_t>(w.count()));
    decode_tile(w, {.row = 0, .rows = w.rows, .col = 0, .cols = w.cols, .stride = w.cols}, weights.data());
    float largest = 0;
    for (const float v : weights) {
        ASSERT_TRUE(std::isfinite(v));
        largest = std::max(largest, std::abs(v));
    }
    ASSERT_GT(largest, 0);
    ThreadPool pool(2);
    for (const std::int64_t m : {1, 5, 13, 29}) {
        std::vector<float> x = random.scales(m * cols);
        const float largest_x = *std::ranges::max_element(x);
        // Six standard deviations of cols roundings, each weight as large as the largest.
        const float step = rounding_step(m, fast, w);
        const float rounding = 6 * std::sqrt(static_cast<float>(cols) / 12) * largest_x * largest * step;
        const std::vector<float> bias = random.scales(w.rows);
        std::vector<float> got(static_cast<std::size_t>(m * w.rows), 1.0F);
        std::vector<float> want = got;
        kernels::matmul(pool, view(x, m, cols), w, bias, view(got, m, w.rows), kernels::Into::Add);
        kernels::reference::matmul(view(x, m, cols), w, bias, view(want, m, w.rows), kernels::Into::Add);
        for (std::size_t i = 0; i < got.size(); ++i) {
            ASSERT_NEAR(got[i], want[i], 4 * 0x1p-24F * (cols + 4) * std::max(1.0F, 0.1F * largest) + rounding) << m << " rows, " << i;
        }
        if (m <= kernels::kFewRows) { // the last row alone: the same bits
            std::vector<float> alone(static_cast<std::size_t>(w.rows), 1.0F);
            kernels::matmul(pool, view(x, m, cols).rows_from(m - 1, 1), w, bias, view(alone, 1, w.rows), kernels::Into::Add);
            EXPECT_TRUE(std::equal(alone.begin(), alone.end(), got.end() - w.rows)) << m;
        }
        std::vector<float> row(static_cast<std::size_t>(cols));
        kernels::copy_row(w, 7, row);
        EXPECT_TRUE(std::equal(row.begin(), row.end(), weights.begin() + 7 * cols));
    }
}

class PackedProduct : public testing::TestWithParam<NamedModule> {};

TEST_P(PackedProduct, IsThatOfTheDecodedWeights) {
    RandomModules random(7);
    const ModuleBuilder module = GetParam().make(random, kRows, kCols);
    const auto w = open_module(module.tensors(), {.rows = kRows, .cols = kCols});
    ASSERT_TRUE(w) << w.error().message;
    expect_products(*w, {false, false});
    expect_products(*w, {});
}
INSTANTIATE_TEST_SUITE_P(Formats, PackedProduct, testing::ValuesIn(packed_modules()),
                         [](const auto& each) { return each.param.name; });

class BlockProduct : public testing::TestWithParam<BlockFormat> {};

TEST_P(BlockProduct, IsThatOfTheDecodedWeights) {
    const BlockFormat& format = GetParam();
    std::mt19937 random(11);
    for (const std::int64_t cols : {kCols, kCols + format.elements}) { // and one that ends within a step
        const std::vector<std::byte> bytes = random_blocks(format, kRows * cols / format.elements, random);
        const TensorView weight{bytes.data(), DType::F32, {kRows, cols}, &format};
        expect_products(matrix_of(weight, cols), {false, false});
        expect_products(matrix_of(weight, cols), {.tiles = true, .whole_numbers = false});
        expect_products(matrix_of(weight, cols), {});
    }
}

// The largest sums that there are: all weights of one size, all activations equal, so that all are rounded the same way.
TEST_P(BlockProduct, HoldsTheLargestSums) {
    const BlockFormat& format = GetParam();
    kernels::set_fast_paths({});
    ThreadPool pool(1);
    std::mt19937 random(12);
    constexpr std::int64_t kOutputs = 8;
    for (const int fill : {0x00, 0x80, 0xFF}) { // Q6_K: codes of -32 and scales of -128 among them
        const std::vector<std::byte> bytes = blocks_of(format, kOutputs * kCols / format.elements, random, [&](std::size_t i) {
            const bool is_scale_of_q6_k = format.gguf_type == 14 && i % 210 >= 192;
            return static_cast<std::byte>(is_scale_of_q6_k ? 0x80 : fill);
        });
        const WeightMatrix w = matrix_of({bytes.data(), DType::F32, {kOutputs, kCols}, &format}, kCols);
        for (const float value : {1.0F, 3.0F, -5.0F, 6.0F, 7.0F, 1e-20F, 1e32F}) {
            for (const std::int64_t rows : {1, 17}) {
                std::vector<float> x(static_cast<std::size_t>(rows * kCols), value), got(static_cast<std::size_t>(rows * kOutputs)), want = got;
                kernels::matmul(pool, view(x, rows, kCols), w, {}, view(got, rows, kOutputs));
                kernels::reference::matmul(view(x, rows, kCols), w, {}, view(want, rows, kOutputs));
                std::vector<float> weights(static_cast<std::size_t>(kCols));
                for (std::int64_t i = 0; i < kOutputs; ++i) {
                    kernels::copy_row(w, i, weights);
                    const float size = std::accumulate(weights.begin(), weights.end(), 0.0F, [](float sum, float v) { return sum + std::abs(v); }) * std::abs(value);
                    ASSERT_NEAR(got[static_cast<std::size_t>(i)], want[static_cast<std::size_t>(i)], size / 2048) << value << ", " << rows << " rows, bytes " << fill;
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Types, BlockProduct, testing::ValuesIn(block_formats().begin(), block_formats().end()),
                         [](const auto& each) { return std::string(each.param.name); });

} // namespace
} // namespace handeye
