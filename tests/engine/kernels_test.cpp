// SPDX-License-Identifier: Apache-2.0
// The fast kernels against plain loops in double, over odd shapes; the tolerance follows from the length of the sums.
#include "engine/kernels/fast_paths.h"
#include "engine/kernels/ops.h"
#include "engine/tensor/buffer.h"
#include "kept_rows.h"
#include "random_blocks.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using kernels::Into;

constexpr float kEpsilon = 0x1p-24F; // half a unit in the last place of 1

struct Numbers {
    std::mt19937 bits{20261121};
    float next() { return std::uniform_real_distribution<float>(-1.0F, 1.0F)(bits); }
    std::vector<float> floats(std::int64_t count) {
        std::vector<float> values(static_cast<std::size_t>(count));
        for (float& v : values) {
            v = next();
        }
        return values;
    }
};

struct Weights {
    std::vector<float> f32;
    std::vector<std::uint16_t> narrow;
    TensorView view;
};

Weights make_weights(Numbers& numbers, DType dtype, std::int64_t n, std::int64_t k) {
    Weights w{.f32 = numbers.floats(n * k), .narrow = {}, .view = {nullptr, dtype, {n, k}}};
    for (const float v : w.f32) {
        if (dtype == DType::BF16) {
            w.narrow.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16U));
        } else { // a half of a random sign, a middle exponent and a random fraction
            w.narrow.push_back(static_cast<std::uint16_t>((numbers.bits() & 0x83FFU) | (8U + numbers.bits() % 7U) << 10U));
        }
    }
    w.view.data = dtype == DType::F32 ? reinterpret_cast<const std::byte*>(w.f32.data())
                                      : reinterpret_cast<const std::byte*>(w.narrow.data());
    return w;
}

Matrix view(std::vector<float>& values, std::int64_t rows, std::int64_t cols) { return {values.data(), rows, cols, cols}; }

// Rounding of a sum of `length` products of size at most `size` each, in any order.
float tolerance(std::int64_t length, float size) { return 4 * kEpsilon * static_cast<float>(length + 4) * size; }

void expect_close(const std::vector<float>& got, const std::vector<float>& want, float limit) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], want[i], limit) << "at " << i;
    }
}

using MatmulShape = std::tuple<int, int, int>; // m, k, n
class Matmul : public testing::TestWithParam<std::tuple<MatmulShape, DType, int>> {};

TEST_P(Matmul, EqualsPlainLoops) {
    const auto [shape, dtype, threads] = GetParam();
    const auto [m, k, n] = shape;
    Numbers numbers;
    ThreadPool pool(threads);
    const Weights w = make_weights(numbers, dtype, n, k);
    std::vector<float> x = numbers.floats(std::int64_t{m} * k);
    const std::vector<float> bias = numbers.floats(n);
    for (const bool is_fast : {false, true}) {
        kernels::set_fast_paths({is_fast, is_fast});
        const float lost = is_fast ? 0x1p-16F * static_cast<float>(k) : 0; // factors of 16 bits, and their low parts' product left out
        for (const Into into : {Into::Overwrite, Into::Add}) {
            std::vector<float> got = numbers.floats(std::int64_t{m} * n);
            std::vector<float> want = got;
            kernels::matmul(pool, view(x, m, k), matrix_of(w.view, k), bias, view(got, m, n), into);
            kernels::reference::matmul(view(x, m, k), matrix_of(w.view, k), bias, view(want, m, n), into);
            expect_close(got, want, tolerance(k, 1.0F) + lost);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Matmul,
                         testing::Combine(testing::Values(MatmulShape{1, 1, 1}, MatmulShape{1, 64, 7}, MatmulShape{3, 17, 5},
                                                          MatmulShape{5, 33, 130}, MatmulShape{6, 96, 31}, MatmulShape{7, 3, 33},
                                                          MatmulShape{13, 65, 64}, MatmulShape{31, 515, 70}, MatmulShape{64, 1030, 97},
                                                          MatmulShape{481, 40, 3}, MatmulShape{1, 1000, 2049}),
                                          testing::Values(DType::F32, DType::BF16, DType::F16), testing::Values(1, 3)));

TEST(Matmul, ReadsAndWritesRowsWithAStride) {
    Numbers numbers;
    ThreadPool pool(2);
    const Weights w = make_weights(numbers, DType::BF16, 20, 24);
    std::vector<float> x = numbers.floats(10 * 40);
    std::vector<float> got(10 * 50, 7.0F);
    std::vector<float> want = got;
    const Matrix part{x.data() + 8, 10, 24, 40};
    kernels::matmul(pool, part, matrix_of(w.view, part.cols), {}, {got.data() + 3, 10, 20, 50});
    kernels::reference::matmul(part, matrix_of(w.view, part.cols), {}, {want.data() + 3, 10, 20, 50});
    expect_close(got, want, tolerance(24, 1.0F)); // what lies between the rows is untouched
}

// What batching several answers stands on: the same bits, whoever computes beside.
TEST(Matmul, OfFewRowsGivesWhatEachRowGivesAlone) {
    Numbers numbers;
    ThreadPool pool(2);
    for (const DType dtype : {DType::F32, DType::BF16, DType::F16}) {
        const Weights w = make_weights(numbers, dtype, 45, 1030);
        std::vector<float> x = numbers.floats(kernels::kFewRows * 1030);
        std::vector<float> alone(static_cast<std::size_t>(kernels::kFewRows * 45));
        for (std::int64_t row = 0; row < kernels::kFewRows; ++row) {
            kernels::matmul(pool, view(x, kernels::kFewRows, 1030).rows_from(row, 1), matrix_of(w.view, 1030), {}, view(alone, kernels::kFewRows, 45).rows_from(row, 1));
        }
        for (std::int64_t rows = 2; rows <= kernels::kFewRows; ++rows) {
            std::vector<float> together(static_cast<std::size_t>(rows * 45));
            kernels::matmul(pool, view(x, rows, 1030), matrix_of(w.view, 1030), {}, view(together, rows, 45));
            EXPECT_TRUE(std::equal(together.begin(), together.end(), alone.begin())) << rows;
        }
    }
}

TEST(Matmul, DoesNotDependOnTheNumberOfThreads) {
    Numbers numbers;
    const Weights w = make_weights(numbers, DType::BF16, 300, 700);
    std::vector<float> x = numbers.floats(37 * 700);
    std::vector<float> first(37 * 300);
    ThreadPool one(1);
    kernels::matmul(one, view(x, 37, 700), matrix_of(w.view, 700), {}, view(first, 37, 300));
    for (const int threads : {2, 3, 5}) {
        ThreadPool pool(threads);
        std::vector<float> again(37 * 300);
        kernels::matmul(pool, view(x, 37, 700), matrix_of(w.view, 700), {}, view(again, 37, 300));
        EXPECT_EQ(again, first) << threads;
    }
}

struct AttentionCase {
    int rows, past, heads, kv_heads, head_dim;
    bool causal;
};
class Attention : public testing::TestWithParam<AttentionCase> {};

constexpr KvFormat kKvFormats[] = {KvFormat::F32, KvFormat::F16, KvFormat::Q8};

TEST(KvRows, AreWithinTheirFormatsRounding) {
    Numbers numbers;
    std::vector<float> row = numbers.floats(150);
    row[3] = 90'000; // beyond the halves
    row[70] = 0;
    for (const KvFormat format : kKvFormats) {
        const std::vector<std::byte> bytes = kept(format, row, 150);
        std::vector<float> back(row.size());
        kernels::load_kv_row(format, bytes.data(), back);
        EXPECT_EQ(back[3], format == KvFormat::F32 ? 90'000.0F : format == KvFormat::F16 ? 65504.0F : back[3]);
        EXPECT_NEAR(back[3], 90'000, format == KvFormat::Q8 ? 400 : 25'000);
        for (std::size_t i = 64; i < row.size(); ++i) { // apart from the group of the large one
            EXPECT_NEAR(back[i], row[i], format == KvFormat::F32 ? 0 : format == KvFormat::F16 ? 0x1p-11 : 0.55 / 127) << i;
        }
    }
    EXPECT_EQ(kernels::kv_row_bytes(KvFormat::Q8, 128), 132);
    EXPECT_EQ(kernels::kv_row_bytes(KvFormat::Q8, 20), 22);
}

TEST(KvRows, OfNothingButZerosStayZeros) {
    const std::vector<float> zeros(64);
    std::vector<float> back(64, 1.0F);
    kernels::load_kv_row(KvFormat::Q8, kept(KvFormat::Q8, zeros, 64).data(), back);
    EXPECT_EQ(back, zeros);
}

// An answer may be prefilled in one piece or in several, beside others or not.
TEST(Matmul, OfManyRowsGivesWhatTheyGiveAmongOthers) {
    Numbers numbers;
    ThreadPool pool(2);
    for (const DType dtype : {DType::F32, DType::BF16, DType::F16}) {
        const Weights w = make_weights(numbers, dtype, 70, 1030);
        std::vector<float> x = numbers.floats(600 * 1030);
        std::vector<float> all(600 * 70);
        kernels::matmul(pool, view(x, 600, 1030), matrix_of(w.view, 1030), {}, view(all, 600, 70));
        for (const std::int64_t rows : {17, 45, 555}) {
            std::vector<float> some(static_cast<std::size_t>(rows * 70));
            kernels::matmul(pool, view(x, 600, 1030).rows_from(600 - rows, rows), matrix_of(w.view, 1030), {}, view(some, rows, 70));
            EXPECT_TRUE(std::equal(some.begin(), some.end(), all.end() - rows * 70)) << rows;
        }
    }
}

TEST(Matmul, OfManyRowsAndBlocksGivesWhatTheyGiveAmongOthers) {
    Numbers numbers;
    std::mt19937 bits(5);
    ThreadPool pool(2);
    constexpr std::int64_t kDepth = 768, kOutputs = 70, kAll = 1100;
    for (const std::uint32_t type : {3U, 8U, 12U, 14U}) { // Q4_1, Q8_0, Q4_K, Q6_K
        const BlockFormat& format = *find_block_format(type);
        const std::vector<std::byte> blocks = random_blocks(format, kOutputs * kDepth / format.elements, bits);
        const WeightMatrix w = matrix_of({blocks.data(), DType::F32, {kOutputs, kDepth}, &format}, kDepth);
        std::vector<float> x = numbers.floats(kAll * kDepth), all(kAll * kOutputs);
        kernels::matmul(pool, view(x, kAll, kDepth), w, {}, view(all, kAll, kOutputs));
        for (const std::int64_t rows : {17, 20, 45, 555}) {
            std::vector<float> some(static_cast<std::size_t>(rows * kOutputs));
            kernels::matmul(pool, view(x, kAll, kDepth).rows_from(kAll - rows, rows), w, {}, view(some, rows, kOutputs));
            EXPECT_TRUE(std::equal(some.begin(), some.end(), all.end() - rows * kOutputs)) << format.name << ", " << rows;
        }
    }
}

// What batching several answers stands on: the same bits, whoever computes beside.
TEST(AttentionTogether, GivesWhatEachGivesAlone) {
    Numbers numbers;
    ThreadPool pool(2);
    constexpr int kDim = 20;
    const std::vector<float> k = numbers.floats(2 * 5000 * kDim);
    const std::vector<float> v = numbers.floats(2 * 5000 * kDim);
    std::vector<float> q = numbers.floats(7 * 4 * kDim);
    const std::int64_t width = 4 * kDim;
    std::vector<kernels::AttentionInput> inputs;
    std::int64_t row = 0;
    for (const auto& [rows, keys] : {std::pair{1, 17}, {1, 4999}, {3, 2050}, {1, 1}, {1, 2048}}) {
        inputs.push_back({.q = view(q, 7, width).rows_from(row, rows), .k = reinterpret_cast<const std::byte*>(k.data()), .v = reinterpret_cast<const std::byte*>(v.data()),
                          .kv_row_stride = kDim * 4, .kv_head_stride = 5000 * kDim * 4, .n_keys = keys, .n_heads = 4, .n_kv_heads = 2,
                          .head_dim = kDim, .scale = 1.0F, .causal = true});
        row += rows;
    }
    std::vector<float> together(q.size());
    kernels::attention(pool, inputs, view(together, 7, width));
    std::vector<float> alone(q.size());
    row = 0;
    for (const kernels::AttentionInput& in : inputs) {
        for (std::int64_t i = 0; i < in.q.rows; ++i, ++row) { // each row alone, too
            kernels::AttentionInput one = in;
            one.q = in.q.rows_from(i, 1);
            one.n_keys = in.n_keys - in.q.rows + i + 1;
            kernels::attention(pool, {&one, 1}, view(alone, 7, width).rows_from(row, 1));
        }
    }
    EXPECT_EQ(together, alone);
}

TEST_P(Attention, EqualsPlainLoops) {
    const AttentionCase c = GetParam();
    Numbers numbers;
    ThreadPool pool(2);
    const std::int64_t keys = c.past + c.rows;
    const std::int64_t capacity = keys + 3;
    std::vector<float> q = numbers.floats(std::int64_t{c.rows} * c.heads * c.head_dim);
    const std::vector<float> k = numbers.floats(c.kv_heads * capacity * c.head_dim);
    const std::vector<float> v = numbers.floats(c.kv_heads * capacity * c.head_dim);
    std::vector<float> got(q.size());
    std::vector<float> want(q.size());
    const std::int64_t width = std::int64_t{c.heads} * c.head_dim;
    for (const KvFormat format : kKvFormats) {
        const std::vector<std::byte> keys_kept = kept(format, k, c.head_dim);
        const std::vector<std::byte> values_kept = kept(format, v, c.head_dim);
        const std::int64_t row_bytes = kernels::kv_row_bytes(format, c.head_dim);
        const kernels::AttentionInput in{.q = view(q, c.rows, width), .k = keys_kept.data(), .v = values_kept.data(), .kv_format = format,
                                         .kv_row_stride = row_bytes, .kv_head_stride = capacity * row_bytes, .n_keys = keys, .n_heads = c.heads,
                                         .n_kv_heads = c.kv_heads, .head_dim = c.head_dim, .scale = 1.5F, .causal = c.causal};
        kernels::attention(pool, {&in, 1}, view(got, c.rows, width));
        kernels::reference::attention(in, view(want, c.rows, width));
        // A score is off by the rounding of head_dim products, which moves each weight by that share; values are at most 1.
        expect_close(got, want, 4 * tolerance(c.head_dim, 1.5F) + tolerance(keys, 1.0F));
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attention,
                         testing::Values(AttentionCase{1, 0, 1, 1, 4, true}, AttentionCase{1, 300, 8, 2, 16, true},
                                         AttentionCase{7, 5, 6, 3, 10, true}, AttentionCase{130, 0, 4, 2, 64, true},
                                         AttentionCase{33, 600, 5, 1, 64, true}, AttentionCase{200, 0, 3, 3, 64, false},
                                         AttentionCase{19, 0, 2, 2, 36, false}, AttentionCase{97, 129, 16, 1, 128, true},
                                         // more keys than one sum runs over; the first row ends where a span does
                                         AttentionCase{3, 4095, 4, 2, 16, true}, AttentionCase{120, 2047, 2, 1, 16, true}));

TEST(AttentionScores, OfAnyMagnitudeStayFinite) {
    ThreadPool pool(1);
    std::vector<float> q(64, 100.0F);
    std::vector<float> k(64 * 200);
    std::vector<float> v(64 * 200, 2.0F);
    for (std::size_t i = 0; i < k.size(); ++i) {
        k[i] = i < k.size() / 2 ? -100.0F : 100.0F;
    }
    std::vector<float> y(64);
    const kernels::AttentionInput in{.q = view(q, 1, 64), .k = reinterpret_cast<const std::byte*>(k.data()), .v = reinterpret_cast<const std::byte*>(v.data()),
                                     .kv_row_stride = 64 * 4, .kv_head_stride = 0, .n_keys = 200, .n_heads = 1, .n_kv_heads = 1,
                                     .head_dim = 64, .scale = 1.0F, .causal = true};
    kernels::attention(pool, {&in, 1}, view(y, 1, 64));
    for (const float value : y) {
        EXPECT_NEAR(value, 2.0F, 1e-5F);
    }
}

TEST(RmsNorm, EqualsPlainLoops) {
    Numbers numbers;
    ThreadPool pool(2);
    for (const int cols : {1, 3, 16, 33, 320, 1537}) {
        std::vector<float> x = numbers.floats(9 * cols);
        const std::vector<float> weight = numbers.floats(cols);
        std::vector<float> got(x.size());
        std::vector<float> want(x.size());
        kernels::rms_norm(pool, view(x, 9, cols), weight, 1e-5F, view(got, 9, cols));
        kernels::reference::rms_norm(view(x, 9, cols), weight, 1e-5F, view(want, 9, cols));
        expect_close(got, want, tolerance(cols, 2.0F));
    }
}

TEST(SiluMul, EqualsPlainLoopsAndIsFiniteFarOut) {
    Numbers numbers;
    ThreadPool pool(1);
    std::vector<float> gate = numbers.floats(5 * 37);
    for (std::size_t i = 0; i < gate.size(); ++i) {
        gate[i] *= i % 5 == 0 ? 1000.0F : 10.0F;
    }
    std::vector<float> up = numbers.floats(5 * 37);
    std::vector<float> got(gate.size());
    std::vector<float> want(gate.size());
    kernels::silu_mul(pool, view(gate, 5, 37), view(up, 5, 37), view(got, 5, 37));
    kernels::reference::silu_mul(view(gate, 5, 37), view(up, 5, 37), view(want, 5, 37));
    for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_NEAR(got[i], want[i], 1e-6F * (1 + std::abs(want[i]))) << gate[i];
    }
}

TEST(LayerNorm, GivesZeroMeanAndUnitSpread) {
    ThreadPool pool(1);
    std::vector<float> x = {1, 2, 3, 4, 10, 10, 10, 14};
    const std::vector<float> weight = {1, 1, 1, 1};
    const std::vector<float> bias = {0, 0, 0, 5};
    kernels::layer_norm(pool, view(x, 2, 4), weight, bias, 0.0F);
    expect_close(x, {-1.3416408F, -0.4472136F, 0.4472136F, 6.3416408F, -0.57735027F, -0.57735027F, -0.57735027F, 6.7320508F}, 1e-6F);
}

TEST(Gelu, IsTheExactOne) {
    ThreadPool pool(1);
    std::vector<float> x = {-3.0F, -1.0F, 0.0F, 1.0F, 3.0F};
    kernels::gelu_erf(pool, view(x, 1, 5));
    expect_close(x, {-0.0040496942F, -0.15865525F, 0.0F, 0.84134475F, 2.9959503F}, 1e-6F);
}

TEST(Rope, InterleavedRotatesNeighboursAndLeavesTheRest) {
    ThreadPool pool(1);
    std::vector<float> x = {1, 0, 0, 1, 5, 6, /* head 2 */ 2, 0, 3, 4, 7, 8};
    const std::vector<float> cos = {0.0F, 1.0F};
    const std::vector<float> sin = {1.0F, 0.0F};
    kernels::rope_interleaved(pool, view(x, 1, 12), 2, {{cos.data(), 1, 2, 2}, {sin.data(), 1, 2, 2}});
    EXPECT_EQ(x, (std::vector<float>{0, 1, 0, 1, 5, 6, 0, 2, 3, 4, 7, 8}));
}

TEST(Rope, HalfSplitRotatesAcrossTheHalves) {
    ThreadPool pool(1);
    std::vector<float> x = {1, 2, 0, 5};
    const std::vector<float> cos = {0.0F, 1.0F};
    const std::vector<float> sin = {1.0F, 0.0F};
    kernels::rope_half_split(pool, view(x, 1, 4), 1, {{cos.data(), 1, 2, 2}, {sin.data(), 1, 2, 2}});
    EXPECT_EQ(x, (std::vector<float>{0, 2, 1, 5}));
}

TEST(ThreadPool, RunsEveryTaskOnceOverManyRounds) {
    ThreadPool pool(4);
    std::vector<std::atomic<int>> counts(100);
    for (int round = 0; round < 2000; ++round) {
        const std::int64_t n = 1 + round % 100;
        pool.run(n, [&](std::int64_t i, int worker) {
            ASSERT_LT(worker, 4);
            counts[static_cast<std::size_t>(i)].fetch_add(1, std::memory_order_relaxed);
        });
    }
    for (std::size_t i = 0; i < counts.size(); ++i) {
        EXPECT_EQ(counts[i].load(), 20 * (100 - static_cast<int>(i))) << i;
    }
}

TEST(ThreadPool, OfNoTasksReturnsAtOnce) {
    ThreadPool pool(2);
    pool.run(0, [](std::int64_t, int) { FAIL(); });
}

} // namespace
} // namespace handeye
