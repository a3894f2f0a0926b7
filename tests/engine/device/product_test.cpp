// SPDX-License-Identifier: Apache-2.0
// Products on a device's kernels against plain loops in double: every kind of code and scale, every format, few rows and many, odd shapes.
#include "engine/device/kernels.h"
#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"
#include "tests/engine/device/orders.h"
#include "tests/engine/device/product_matrices.h"
#include "tests/engine/device/split_rows.h"
#include "tests/engine/random_blocks.h"
#include "tests/engine/random_modules.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using device::DeviceMatrix;
using device::Into;

constexpr on_host::Stream kStream{};

struct Shape2 {
    int rows, cols;
};

struct Case {
    int rows; // of x
    int planes;
    bool has_bias;
    Into into;
};

template <class Product>
std::vector<float> product(const LaidOut& w, const SplitFloats& x, const std::vector<float>& bias, Into into) {
    const DeviceMatrix matrix = w.matrix();
    const int stride = stride_of(matrix.rows);
    std::vector<float> y(static_cast<std::size_t>(x.rows().rows * stride), 0.5F);
    on_host::run(kStream, Product{.x = x.rows(), .w = matrix, .bias = bias.empty() ? nullptr : bias.data(), .y = rows_in(y, x.rows().rows, matrix.rows, stride), .into = into});
    return y;
}

template <class Product>
void expect_product(const LaidOut& w, const Case& how) {
    const DeviceMatrix matrix = w.matrix();
    const SplitFloats x(random_floats(static_cast<std::size_t>(how.rows * matrix.cols), 17), how.rows, matrix.cols, how.planes);
    const std::vector<float> bias = how.has_bias ? random_floats(static_cast<std::size_t>(matrix.rows), 18) : std::vector<float>{};
    const std::vector<float> y = product<Product>(w, x, bias, how.into);
    const int stride = stride_of(matrix.rows);
    // Offsets are multiplied with sums of the floats themselves, of which one plane is a rounding.
    const double tolerance = how.planes == 1 ? 0x1p-9 : 2e-6;
    for (int row = 0; row < how.rows; ++row) {
        for (int i = 0; i < stride; ++i) {
            const float got = y[static_cast<std::size_t>(row * stride + i)];
            if (i >= matrix.rows) {
                ASSERT_EQ(got, 0.5F) << "nothing is written beside a row";
                continue;
            }
            double want = how.into == Into::Add ? 0.5 : 0;
            want += how.has_bias ? bias[static_cast<std::size_t>(i)] : 0;
            double size = 0.5 + std::abs(want);
            for (int k = 0; k < matrix.cols; ++k) {
                const auto at = static_cast<std::size_t>(i * matrix.cols + k);
                want += w.weights[at] * x.at(row, k);
                size += w.largest[at] * std::abs(x.at(row, k));
            }
            ASSERT_NEAR(got, want, tolerance * size) << how.rows << " rows, " << how.planes << " planes, row " << row << ", output " << i;
        }
    }
}

// Rows of x beside others and alone: the same bits.
void expect_rows_alone(const LaidOut& w) {
    const int cols = w.plan.shape.cols;
    const std::vector<float> values = random_floats(static_cast<std::size_t>(device::kFewRows * cols), 19);
    const int stride = stride_of(w.plan.shape.rows);
    const std::vector<float> all = product<device::FewProduct>(w, SplitFloats(values, device::kFewRows, cols, 3), {}, Into::Overwrite);
    for (const int rows : {1, 4, 7}) {
        for (int first = 0; first + rows <= device::kFewRows; first += rows) {
            const std::vector<float> some(values.begin() + first * cols, values.begin() + (first + rows) * cols);
            const std::vector<float> alone = product<device::FewProduct>(w, SplitFloats(some, rows, cols, 3), {}, Into::Overwrite);
            ASSERT_EQ(std::memcmp(alone.data(), all.data() + first * stride, alone.size() * sizeof(float)), 0) << rows << " from " << first;
        }
    }
}

void expect_unpacked(const LaidOut& w) {
    const DeviceMatrix matrix = w.matrix();
    const int width = matrix.chunks * device::kChunk;
    std::vector<on_host::Words4> memory(static_cast<std::size_t>((matrix.rows + 1) * width / 8));
    auto* const to = reinterpret_cast<std::uint16_t*>(memory.data());
    std::fill_n(to + matrix.rows * width, width, std::uint16_t{0x1234});
    on_host::run(kStream, device::Unpack{.w = matrix, .to = to});
    for (int row = 0; row < matrix.rows; ++row) {
        const auto first = w.largest.begin() + row * matrix.cols;
        const double largest = *std::max_element(first, first + matrix.cols); // scale * code and offset may be as large where they cancel
        for (int i = 0; i < matrix.cols; ++i) {
            const int place = i / 64 * 64 + i % 16 / 4 * 16 + i % 64 / 16 * 4 + i % 4;
            const float got = on_host::bf16_float(to[row * width + place]);
            const auto at = static_cast<std::size_t>(row * matrix.cols + i);
            ASSERT_NEAR(got, w.weights[at], 0x1.01p-8 * std::abs(w.weights[at]) + 2e-7 * largest) << "row " << row << ", input " << i;
        }
    }
    EXPECT_EQ(std::count(to + matrix.rows * width, to + (matrix.rows + 1) * width, 0x1234), width);
}

void expect_all(const LaidOut& w) {
    for (const Case& how : {Case{2, 3, true, Into::Add}, Case{5, 3, false, Into::Add}, Case{8, 3, true, Into::Overwrite},
                            Case{11, 3, false, Into::Overwrite}}) {
        expect_product<device::FewProduct>(w, how);
    }
    for (const Case& how : {Case{3, 3, true, Into::Add}, Case{70, 1, false, Into::Overwrite}}) {
        expect_product<device::ManyProduct>(w, how);
    }
    expect_unpacked(w);
}

// ---- every kind of code and scale ----

class ProductOfCodes : public testing::TestWithParam<std::pair<std::string, CodeLayout>> {};

TEST_P(ProductOfCodes, IsThatOfTheirWeights) {
    RandomCodes random(5);
    for (const Shape2 shape : {Shape2{1, 64}, {15, 80}, {17, 1280}, {100, 192}}) {
        SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.cols);
        expect_all(random.matrix(shape.rows, shape.cols, GetParam().second));
    }
}
TEST_P(ProductOfCodes, HasTheSameBitsBesideOtherRowsAndInAnyOrder) {
    RandomCodes random(6);
    const LaidOut w = random.matrix(20, 256, GetParam().second);
    expect_rows_alone(w);
    for (const int rows : {3, 16}) {
        const SplitFloats x(random_floats(static_cast<std::size_t>(rows * 256), 20), rows, 256, 3);
        in_every_order([&] { return product<device::FewProduct>(w, x, {}, Into::Overwrite); });
        in_every_order([&] { return product<device::ManyProduct>(w, x, {}, Into::Overwrite); });
    }
}
INSTANTIATE_TEST_SUITE_P(Layouts, ProductOfCodes, testing::ValuesIn(code_layouts()), [](const auto& each) { return each.param.first; });

// ---- every format ----

class ProductOfModules : public testing::TestWithParam<NamedModule> {};

WeightMatrix opened(const ModuleBuilder& module, std::int64_t rows, std::int64_t cols) {
    auto w = open_module(module.tensors(), {.rows = rows, .cols = cols});
    EXPECT_TRUE(w) << w.error().message;
    return *w;
}

TEST_P(ProductOfModules, IsThatOfTheDecodedWeights) {
    RandomModules random(7);
    const ModuleBuilder module = GetParam().make(random, 64, 768);
    const WeightMatrix w = opened(module, 64, 768);
    expect_all(laid_out(w));
    expect_all(laid_out(w.rows_from(3, 37)));
}
INSTANTIATE_TEST_SUITE_P(Formats, ProductOfModules, testing::ValuesIn(packed_modules()), [](const auto& each) { return each.param.name; });

class ProductOfBlocks : public testing::TestWithParam<BlockFormat> {};

TEST_P(ProductOfBlocks, IsThatOfTheDecodedWeights) {
    const BlockFormat& format = GetParam();
    std::mt19937 random(11);
    for (const std::int64_t cols : {std::int64_t{768}, 256 + format.elements}) {
        const std::vector<std::byte> bytes = random_blocks(format, 48 * cols / format.elements, random);
        const WeightMatrix w = matrix_of({bytes.data(), DType::F32, {48, cols}, &format}, cols);
        expect_all(laid_out(w));
        expect_all(laid_out(w.rows_from(5, 33)));
    }
}
INSTANTIATE_TEST_SUITE_P(Types, ProductOfBlocks, testing::ValuesIn(block_formats().begin(), block_formats().end()),
                         [](const auto& each) { return std::string(each.param.name); });

class ProductOfNumbers : public testing::TestWithParam<DType> {};

TEST_P(ProductOfNumbers, IsThatOfPlainWeights) {
    for (const Shape2 shape : {Shape2{1, 64}, {15, 80}, {17, 3}, {40, 1283}, {100, 256}}) {
        const std::vector<float> values = random_floats(static_cast<std::size_t>(shape.rows * shape.cols), 21);
        std::vector<std::byte> bytes(values.size() * dtype_size(GetParam()) + 1);
        for (std::size_t i = 0; i < values.size(); ++i) { // at an odd address
            const std::uint16_t bits = GetParam() == DType::F16 ? float_as_half(values[i]) : on_host::float_bf16(values[i]);
            std::memcpy(bytes.data() + 1 + i * dtype_size(GetParam()), GetParam() == DType::F32 ? static_cast<const void*>(&values[i]) : &bits, dtype_size(GetParam()));
        }
        const WeightMatrix w = matrix_of({bytes.data() + 1, GetParam(), {shape.rows, shape.cols}, nullptr}, shape.cols);
        SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.cols);
        expect_all(laid_out(w));
        if (shape.rows > 20) {
            expect_all(laid_out(w.rows_from(9, 20)));
            expect_rows_alone(laid_out(w)); // eight warps share a strip
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Types, ProductOfNumbers, testing::Values(DType::F32, DType::F16, DType::BF16),
                         [](const auto& each) { return std::string(dtype_name(each.param)); });

TEST(Products, TakeAnyNumberOfRows) {
    RandomCodes random(8);
    const LaidOut w = random.matrix(33, 320, {.bits = 4, .zero = 8, .scales = ScaleKind::NumberAndOffset, .numbers = DType::F16, .group = 32});
    for (int rows = 1; rows <= 70; ++rows) {
        if (rows <= device::kFewRows) {
            expect_product<device::FewProduct>(w, {rows, 3, true, Into::Overwrite});
        }
        expect_product<device::ManyProduct>(w, {rows, rows % 2 == 0 ? 3 : 1, true, Into::Overwrite});
    }
}

// So many strips that warps share none, and blocks take several: the sizes at which launches change.
TEST(Products, AreSharedOutByShape) {
    RandomCodes random(9);
    const CodeLayout layout{.bits = 4, .zero = 8, .numbers = DType::F16, .group = 32};
    for (const Shape2 shape : {Shape2{8000, 64}, {17000, 256}, {66000, 128}}) {
        const LaidOut w = random.matrix(shape.rows, shape.cols, layout);
        expect_product<device::FewProduct>(w, {1, 3, false, Into::Overwrite});
    }
    const LaidOut w = random.matrix(4100, 128, layout);
    expect_product<device::ManyProduct>(w, {150, 1, false, Into::Overwrite});
}

TEST(Products, TakeInputsInAnotherOrder) {
    RandomModules random(10);
    ModuleBuilder module = random.gptq(64, 512, 4, 64);
    std::vector<std::int32_t> groups(512);
    for (std::size_t i = 0; i < groups.size(); ++i) {
        groups[i] = static_cast<std::int32_t>(i / 64);
    }
    std::shuffle(groups.begin(), groups.end(), std::mt19937(5));
    module.remove(".g_idx");
    module.add(".g_idx", DType::I32, {512}, groups);
    const LaidOut w = laid_out(opened(module, 64, 512));
    const DeviceMatrix matrix = w.matrix();
    EXPECT_EQ(matrix.kind, device::CodeKind::Whole);
    ASSERT_NE(matrix.inputs, nullptr);
    EXPECT_TRUE(std::equal(w.plan.inputs.begin(), w.plan.inputs.end(), matrix.inputs));
    expect_all(w);
}

// ---- FP8 ----

// Every code, once as it is.
TEST(Fp8, HasEveryNumber) {
    std::vector<std::uint8_t> codes(256);
    std::iota(codes.begin(), codes.end(), std::uint8_t{0});
    ModuleBuilder module;
    module.add(".weight", DType::F8E4M3, {2, 128}, codes);
    module.add(".weight_scale", DType::F32, {1}, std::vector<float>{1.0F});
    LaidOut w = laid_out(opened(module, 2, 128));
    std::vector<on_host::Words4> memory(2 * 128 / 8);
    auto* const to = reinterpret_cast<std::uint16_t*>(memory.data());
    on_host::run(kStream, device::Unpack{.w = w.matrix(), .to = to});
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const std::size_t place = i / 64 * 64 + i % 16 / 4 * 16 + i % 64 / 16 * 4 + i % 4;
        const float got = on_host::bf16_float(to[place]);
        if (i % 128 == 127) {
            EXPECT_TRUE(std::isnan(got)) << i;
        } else {
            EXPECT_EQ(got, w.weights[i]) << i;
        }
    }
    std::vector<float> y(8);
    on_host::run(kStream, device::FewProduct{.x = SplitFloats(std::vector<float>(128, 1.0F), 1, 128, 3).rows(), .w = w.matrix(), .y = rows_in(y, 1, 2, 8)});
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
}

TEST(Fp8, HasScalesOfBlocksAndTensors) {
    RandomModules random(12);
    for (const Shape& shape : {Shape{2, 3}, Shape{1}, Shape{200}}) {
        ModuleBuilder module = random.fp8(200, 336);
        module.remove(".weight_scale");
        module.add(shape.size() == 2 ? ".weight_scale_inv" : ".weight_scale", DType::F32, shape,
                   random.scales(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>())));
        const WeightMatrix w = opened(module, 200, 336);
        EXPECT_EQ(device::plan_matrix(w).shape.kind, device::CodeKind::Fp8);
        expect_all(laid_out(w));
        expect_all(laid_out(w.rows_from(100, 50)));
    }
}

// ---- plans ----

TEST(PackedMatrix, IsAsLargeAsItsFile) {
    RandomModules random(13);
    const WeightMatrix w = opened(random.mlx(64, 512, 4, 64), 64, 512);
    const device::MatrixPlan plan = device::plan_matrix(w);
    EXPECT_EQ(plan.bytes, w.stored_bytes);
    EXPECT_EQ(plan.bytes % 16, 0);
    const DeviceMatrix a = device::at(plan, nullptr);
    DeviceMatrix b = device::at(plan, &plan);
    EXPECT_TRUE(device::same_layout(a, b));
    b.group = 32;
    EXPECT_FALSE(device::same_layout(a, b));
}

// ---- several at once ----

TEST(FewProducts, AreThoseOfEachAlone) {
    RandomCodes random(15);
    const CodeLayout layout{.bits = 4, .zero = 8, .scales = ScaleKind::NumberAndOffset, .numbers = DType::F16, .group = 32};
    const std::vector<LaidOut> w = {random.matrix(200, 320, layout), random.matrix(16, 320, layout), random.matrix(40, 320, layout)};
    const std::vector<float> bias = random_floats(200, 23);
    for (const int count : {1, 2, 3}) {
        for (const int rows : {1, 5, 16}) {
            const SplitFloats x(random_floats(static_cast<std::size_t>(rows * 320), 24), rows, 320, 3);
            std::vector<float> wanted;
            for (int i = 0; i < count; ++i) {
                const std::vector<float> alone = product<device::FewProduct>(w[static_cast<std::size_t>(i)], x, bias, Into::Add);
                wanted.insert(wanted.end(), alone.begin(), alone.end());
            }
            const std::vector<float> got = in_every_order([&] {
                std::vector<float> y(wanted.size(), 0.5F);
                device::FewProducts op{.x = x.rows(), .count = count, .into = Into::Add};
                float* to = y.data();
                for (int i = 0; i < count; ++i) {
                    const DeviceMatrix matrix = w[static_cast<std::size_t>(i)].matrix();
                    op.of[i] = {.w = matrix, .bias = bias.data(), .y = {.data = to, .rows = rows, .cols = matrix.rows, .stride = stride_of(matrix.rows)}};
                    to += rows * stride_of(matrix.rows);
                }
                on_host::run(kStream, op);
                return y;
            });
            EXPECT_EQ(got, wanted) << count << " of " << rows << " rows";
        }
    }
}

/// A left side and its memory, with other numbers before: as many zeros beyond its columns as whole chunks have.
struct Gated {
    int rows, cols, chunks;
    std::vector<on_host::Words4> parts;
    std::vector<float> sums;
    Gated(int rows_, int cols_)
        : rows(rows_), cols(cols_), chunks((cols_ + 63) / 64), parts(static_cast<std::size_t>(3 * (rows + 1) * chunks * 8), {0x42424242, 0x42424242, 0x42424242, 0x42424242}), sums(static_cast<std::size_t>((rows + 1) * chunks * 4), 5.0F) {}
    device::SplitRows view() { return {.parts = reinterpret_cast<std::uint16_t*>(parts.data()), .sums = sums.data(), .rows = rows, .rows_max = rows + 1, .cols = cols, .chunks = chunks, .planes = 3}; }
    [[nodiscard]] float at(int row, int col) const {
        float sum = 0;
        for (int plane = 2; plane >= 0; --plane) {
            const int place = col / 64 * 64 + col % 16 / 4 * 16 + col % 64 / 16 * 4 + col % 4;
            sum += on_host::bf16_float(reinterpret_cast<const std::uint16_t*>(parts.data())[(plane * (rows + 1) + row) * chunks * 64 + place]);
        }
        return sum;
    }
    /// Everything of one row.
    [[nodiscard]] std::vector<float> row(int i) const {
        std::vector<float> out;
        for (int col = 0; col < chunks * 64; ++col) {
            out.push_back(at(i, col));
        }
        out.insert(out.end(), sums.begin() + i * chunks * 4, sums.begin() + (i + 1) * chunks * 4);
        return out;
    }
    [[nodiscard]] std::vector<float> all() const {
        std::vector<float> out;
        for (int i = 0; i <= rows; ++i) { // the row that is none of theirs too
            const std::vector<float> one = row(i);
            out.insert(out.end(), one.begin(), one.end());
        }
        return out;
    }
};

double silu(double x) { return x / (1 + std::exp(-x)); }

void expect_gated(const Shape2& shape, const CodeLayout& layout) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.cols);
    RandomCodes random(16);
    const LaidOut gate = random.matrix(shape.rows, shape.cols, layout), up = random.matrix(shape.rows, shape.cols, layout);
    const std::vector<float> gate_bias = random_floats(static_cast<std::size_t>(shape.rows), 25), up_bias = random_floats(static_cast<std::size_t>(shape.rows), 26);
    const std::vector<float> values = random_floats(static_cast<std::size_t>(device::kFewRows * shape.cols), 27);
    const auto gated = [&](int first, int rows) {
        const SplitFloats x({values.begin() + first * shape.cols, values.begin() + (first + rows) * shape.cols}, rows, shape.cols, 3);
        Gated out(rows, shape.rows);
        on_host::run(kStream, device::GatedProduct{.x = x.rows(), .gate = gate.matrix(), .up = up.matrix(), .gate_bias = gate_bias.data(), .up_bias = up_bias.data(), .out = out.view()});
        return out;
    };
    for (const int rows : {1, 16}) {
        in_every_order([&] { return gated(0, rows).all(); });
    }
    const Gated all = gated(0, device::kFewRows);
    for (const int row : {0, 7, 15}) { // alone: the same bits
        ASSERT_EQ(gated(row, 1).row(0), all.row(row)) << row;
    }
    const SplitFloats x(values, device::kFewRows, shape.cols, 3);
    for (int row = 0; row < device::kFewRows; ++row) {
        for (int col = 0; col < all.chunks * 64; ++col) {
            if (col >= shape.rows) {
                ASSERT_EQ(all.at(row, col), 0.0F) << "beyond the outputs: " << col;
                continue;
            }
            double sums[2] = {gate_bias[static_cast<std::size_t>(col)], up_bias[static_cast<std::size_t>(col)]}, sizes[2] = {1, 1};
            for (int k = 0; k < shape.cols; ++k) {
                const auto at = static_cast<std::size_t>(col * shape.cols + k);
                sums[0] += gate.weights[at] * x.at(row, k);
                sums[1] += up.weights[at] * x.at(row, k);
                sizes[0] += gate.largest[at] * std::abs(x.at(row, k));
                sizes[1] += up.largest[at] * std::abs(x.at(row, k));
            }
            const double tolerance = 4e-6 * (sizes[0] * (1.1 * std::abs(sums[1]) + 4e-6 * sizes[1]) + std::abs(silu(sums[0])) * sizes[1]); // silu's slope is less than 1.1
            ASSERT_NEAR(all.at(row, col), silu(sums[0]) * sums[1], tolerance) << "row " << row << ", output " << col;
        }
        for (int group = 0; group < all.chunks * 4; ++group) {
            float sum = 0;
            for (int col = group * 16; col < group * 16 + 16; ++col) {
                sum += all.at(row, col);
            }
            ASSERT_NEAR(all.sums[static_cast<std::size_t>(row * all.chunks * 4 + group)], sum, 1e-30F) << "of the floats themselves, which three planes have not when they are so small";
        }
    }
    EXPECT_EQ(all.sums.back(), 5.0F) << "beyond the rows";
}

class GatedProductOfCodes : public testing::TestWithParam<std::pair<std::string, CodeLayout>> {};
INSTANTIATE_TEST_SUITE_P(Layouts, GatedProductOfCodes, testing::ValuesIn(code_layouts()), [](const auto& each) { return each.param.first; });

TEST_P(GatedProductOfCodes, IsWhatTheGateLetsThrough) { expect_gated({40, 128}, GetParam().second); }

TEST(GatedProduct, IsSharedOutByShape) {
    const CodeLayout layout{.bits = 4, .zero = 8, .numbers = DType::F16, .group = 32};
    for (const Shape2 shape : {Shape2{1, 64}, {15, 192}, {70, 512}, {130, 1280}}) {
        expect_gated(shape, layout);
    }
}

// ---- experts ----

TEST(GatedExperts, AreThoseOfEachRowsExpert) {
    RandomCodes random(17);
    const CodeLayout layout{.bits = 4, .zero = 0, .scales = ScaleKind::SuperAndMin, .group = 32};
    std::vector<LaidOut> gates, ups;
    std::vector<DeviceMatrix> gate_table, up_table;
    for (int i = 0; i < 3; ++i) {
        gates.push_back(random.matrix(40, 512, layout));
        ups.push_back(random.matrix(40, 512, layout));
        gate_table.push_back(gates.back().matrix());
        up_table.push_back(ups.back().matrix());
    }
    const std::vector<std::int32_t> chosen = {2, 0, 0, 1, 1, 2};
    constexpr int kShare = 2;
    const int rows = static_cast<int>(chosen.size());
    const std::vector<float> values = random_floats(chosen.size() / kShare * 512, 28);
    const SplitFloats x(values, rows / kShare, 512, 3);
    Gated out(rows, 40);
    in_every_order([&] {
        out = Gated(rows, 40);
        on_host::run(kStream, device::GatedExperts{.x = x.rows(), .rows_share = kShare, .gate = gate_table.data(), .up = up_table.data(), .chosen = chosen.data(), .like = gate_table[1], .out = out.view()});
        return out.all();
    });
    for (int row = 0; row < rows; ++row) {
        const auto first = values.begin() + row / kShare * 512;
        const auto expert = static_cast<std::size_t>(chosen[static_cast<std::size_t>(row)]);
        const SplitFloats one({first, first + 512}, 1, 512, 3);
        Gated alone(1, 40);
        on_host::run(kStream, device::GatedProduct{.x = one.rows(), .gate = gate_table[expert], .up = up_table[expert], .out = alone.view()});
        EXPECT_EQ(out.row(row), alone.row(0)) << row;
    }
}

TEST(ExpertProduct, IsThatOfEachRowsExpert) {
    RandomCodes random(14);
    const CodeLayout layout{.bits = 4, .zero = 0, .scales = ScaleKind::SuperAndMin, .group = 32};
    std::vector<LaidOut> experts;
    std::vector<DeviceMatrix> table;
    for (int i = 0; i < 5; ++i) {
        experts.push_back(random.matrix(40, 512, layout));
        table.push_back(experts.back().matrix());
    }
    const std::vector<std::int32_t> chosen = {4, 0, 0, 3, 1, 4};
    constexpr int kShare = 2;
    const std::vector<float> values = random_floats(chosen.size() / kShare * 512, 22);
    const SplitFloats x(values, static_cast<int>(chosen.size()) / kShare, 512, 3);
    const std::vector<float> y = in_every_order([&] {
        std::vector<float> out(chosen.size() * 44);
        on_host::run(kStream, device::ExpertProduct{.x = x.rows(), .rows_share = kShare, .experts = table.data(), .chosen = chosen.data(), .like = table[2],
                                                    .y = rows_in(out, static_cast<int>(chosen.size()), 40, 44)});
        return out;
    });
    for (std::size_t row = 0; row < chosen.size(); ++row) {
        const auto first = values.begin() + static_cast<std::ptrdiff_t>(row / kShare * 512);
        const std::vector<float> alone = product<device::FewProduct>(experts[static_cast<std::size_t>(chosen[row])], SplitFloats({first, first + 512}, 1, 512, 3), {}, Into::Overwrite);
        EXPECT_EQ(std::memcmp(y.data() + row * 44, alone.data(), 40 * sizeof(float)), 0) << row;
    }
}

} // namespace
} // namespace handeye
