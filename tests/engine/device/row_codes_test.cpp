// SPDX-License-Identifier: Apache-2.0
// Codes and scales of every packed format, put together again, against what the format's decoder gives.
#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"
#include "row_codes_check.h"
#include "tests/engine/random_modules.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr std::int64_t kRows = 32;
constexpr std::int64_t kCols = 768;

// ---- blocks ----

const std::map<std::string, Expected, std::less<>>& block_layouts() {
    using enum ScaleKind;
    static const std::map<std::string, Expected, std::less<>> kLayouts = {
        {"Q4_0", {4, 8, 0, Number, 32}},             {"Q4_1", {4, 0, 0, NumberAndOffset, 32}},
        {"Q5_0", {5, 16, 0, Number, 32}},            {"Q5_1", {5, 0, 0, NumberAndOffset, 32}},
        {"Q8_0", {8, 128, 0, Number, 32}},           {"IQ4_NL", {4, 0, 16, Number, 32}},
        {"Q2_K", {2, 0, 0, SuperAndMin, 16}},        {"Q3_K", {3, 4, 0, Super, 16}},
        {"Q4_K", {4, 0, 0, SuperAndMin, 32}},        {"Q5_K", {5, 0, 0, SuperAndMin, 32}},
        {"Q6_K", {6, 32, 0, Super, 16}},             {"IQ4_XS", {4, 0, 16, Super, 32}},
        {"IQ2_XXS", {3, 0, 6, Super, 32, 0.125F}},   {"IQ2_XS", {3, 0, 6, Super, 16, 0.125F}},
        {"IQ2_S", {3, 0, 6, Super, 16, 0.125F}},     {"IQ3_XXS", {4, 0, 16, Super, 32, 0.25F}},
        {"IQ3_S", {4, 0, 16, Super, 32}},            {"IQ1_S", {3, 0, 6, Super, 32, 0.125F}},
        {"IQ1_M", {3, 0, 6, Super, 16, 0.125F}},
    };
    return kLayouts;
}

class BlockCodesOf : public testing::TestWithParam<BlockFormat> {};

// Bytes are any at all: scales of every size, infinite ones and those that are no numbers among them.
TEST_P(BlockCodesOf, AreTheDecodedWeights) {
    const BlockFormat& format = GetParam();
    std::mt19937 random(21);
    for (const std::int64_t cols : {2 * kCols, kCols + format.elements}) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(kRows * cols / format.elements * format.bytes));
        std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random() & 0xFFU); });
        const WeightMatrix w = matrix_of({bytes.data(), DType::F32, {kRows, cols}, &format}, cols);
        const auto layout = code_layout(w);
        ASSERT_TRUE(layout);
        expect_layout(*layout, block_layouts().at(std::string(format.name)));
        EXPECT_TRUE(input_order(w).empty());
        expect_decoded(w, *layout);
    }
}

INSTANTIATE_TEST_SUITE_P(Types, BlockCodesOf, testing::ValuesIn(block_formats().begin(), block_formats().end()),
                         [](const auto& each) { return std::string(each.param.name); });

// ---- formats with scales in tensors of their own ----

WeightMatrix opened(const ModuleBuilder& module, std::int64_t cols = kCols, std::int64_t rows = kRows) {
    auto w = open_module(module.tensors(), {.rows = rows, .cols = cols});
    EXPECT_TRUE(w) << w.error().message;
    return w ? *w : WeightMatrix{};
}

// A tensor of numbers, of another type.
void retype(ModuleBuilder& module, const std::string& suffix, DType dtype, RandomModules& random) {
    const Shape shape = module.view(suffix).shape;
    const std::vector<float> values = random.scales(module.view(suffix).count());
    if (dtype == DType::F32) {
        module.add(suffix, dtype, shape, values);
        return;
    }
    std::vector<std::uint16_t> bits;
    bits.reserve(values.size());
    for (const float v : values) {
        bits.push_back(dtype == DType::F16 ? float_as_half(v) : static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16U));
    }
    bits.front() = 0x7FFF; // in both types no number
    module.add(suffix, dtype, shape, bits);
}

std::string scales_of(const ModuleBuilder& module) { return module.tensors().has(".weight_scale") ? ".weight_scale" : ".scales"; }

// Groups as a list in which inputs of all groups are mixed, as many of each.
std::vector<std::int32_t> mixed_groups(std::int64_t cols, std::int64_t group) {
    std::vector<std::int32_t> groups(static_cast<std::size_t>(cols));
    for (std::size_t i = 0; i < groups.size(); ++i) {
        groups[i] = static_cast<std::int32_t>(static_cast<std::int64_t>(i) / group);
    }
    std::shuffle(groups.begin(), groups.end(), std::mt19937(5));
    return groups;
}

class PackedCodesOf : public testing::TestWithParam<NamedModule> {
protected:
    ModuleBuilder make() {
        ModuleBuilder module = GetParam().make(random_, kRows, kCols);
        module.remove(".g_idx"); // which puts inputs into unequal groups
        return module;
    }
    [[nodiscard]] static bool is(std::string_view format) { return GetParam().name.starts_with(format); }
    [[nodiscard]] static Expected expected() {
        const int bits = is("Awq") ? 4 : GetParam().name.back() - '0';
        return {bits, 0, 0, is("Mlx") ? ScaleKind::NumberAndOffset : ScaleKind::NumberAndZero, is("Compressed") ? 32 : 64};
    }
    RandomModules random_{31};
};

TEST_P(PackedCodesOf, AreTheDecodedWeights) {
    for (const DType dtype : {DType::F32, DType::F16, DType::BF16}) {
        ModuleBuilder module = make();
        if (!is("Fp8")) {
            retype(module, scales_of(module), dtype, random_);
        }
        if (is("Mlx")) {
            retype(module, ".biases", dtype, random_);
        }
        const WeightMatrix w = opened(module);
        const auto layout = code_layout(w);
        ASSERT_EQ(layout.has_value(), !is("Fp8"));
        EXPECT_TRUE(input_order(w).empty());
        if (layout) {
            expect_layout(*layout, expected());
            EXPECT_EQ(layout->numbers, dtype);
            expect_decoded(w, *layout);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedCodesOf, testing::ValuesIn(packed_modules()), [](const auto& each) { return each.param.name; });

TEST(RowCodes, WithoutZeroPointsTheMiddleIsZero) {
    RandomModules random(32);
    for (const std::int64_t bits : {4, 8}) {
        ModuleBuilder module = random.compressed(kRows, kCols, bits, 32);
        module.remove(".weight_zero_point");
        const auto layout = code_layout(opened(module));
        ASSERT_TRUE(layout);
        expect_layout(*layout, {static_cast<int>(bits), 1 << (bits - 1), 0, ScaleKind::Number, 32});
        expect_decoded(opened(module), *layout);
    }
    ModuleBuilder module = random.awq(kRows, kCols, 64);
    module.remove(".qzeros");
    const auto layout = code_layout(opened(module));
    ASSERT_TRUE(layout);
    expect_layout(*layout, {4, 8, 0, ScaleKind::Number, 64});
    expect_decoded(opened(module), *layout);
}

TEST(RowCodes, GptqOfBothVersionsHasItsOwnZeroPoints) {
    for (const bool is_exact : {false, true}) {
        RandomModules random(33);
        ModuleBuilder module({.gptq_zeros_are_exact = is_exact});
        const ModuleBuilder made = random.gptq(kRows, kCols, 8, 128);
        for (const auto* suffix : {".qweight", ".qzeros", ".scales"}) {
            const TensorView& view = *made.tensors().find(suffix);
            std::vector<std::byte> bytes(view.data, view.data + view.size_bytes());
            module.add(suffix, view.dtype, view.shape, bytes);
        }
        const auto layout = code_layout(opened(module));
        ASSERT_TRUE(layout);
        expect_decoded(opened(module), *layout);
    }
}

TEST(RowCodes, MlxNumbersOfTwoTypesAreFloats) {
    RandomModules random(34);
    ModuleBuilder module = random.mlx(kRows, kCols, 4, 64);
    retype(module, ".scales", DType::F16, random);
    retype(module, ".biases", DType::BF16, random);
    const auto layout = code_layout(opened(module));
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->numbers, DType::F32);
    expect_decoded(opened(module), *layout);
}

TEST(RowCodes, ExpertsOfAStackAreRowsOfOneMatrix) {
    RandomModules random(35);
    ModuleBuilder module = random.mlx(3 * kRows, kCols, 5, 32);
    for (const auto* suffix : {".weight", ".scales", ".biases"}) {
        module.view(suffix).shape = {3, kRows, module.view(suffix).shape.back()};
    }
    const auto w = open_module(module.tensors(), {.rows = kRows, .cols = kCols, .stacked = 3});
    ASSERT_TRUE(w) << w.error().message;
    const auto layout = code_layout(*w);
    ASSERT_TRUE(layout);
    expect_decoded(w->rows_from(2 * kRows, kRows), *layout);
}

// ---- groups ----

void expect_order(const std::vector<std::int32_t>& groups, const std::vector<std::int32_t>& order) {
    std::vector<std::int32_t> want(groups.size());
    std::iota(want.begin(), want.end(), 0);
    std::ranges::stable_sort(want, {}, [&](std::int32_t i) { return groups[static_cast<std::size_t>(i)]; });
    EXPECT_EQ(order, want);
}

TEST(RowCodes, ListedGroupsBecomeNeighbours) {
    RandomModules random(36);
    for (const std::int64_t bits : {2, 4, 8}) {
        for (const std::int64_t group : {16, 96}) {
            const std::vector<std::int32_t> groups = mixed_groups(kCols, group);
            std::vector<std::pair<std::string, ModuleBuilder>> modules;
            modules.emplace_back(".g_idx", random.gptq(kRows, kCols, bits, group));
            if (bits != 2) {
                modules.emplace_back(".weight_g_idx", random.compressed(kRows, kCols, bits, group));
            }
            for (auto& [suffix, module] : modules) {
                module.add(suffix, DType::I32, {kCols}, groups);
                const WeightMatrix w = opened(module);
                ASSERT_NE(w.group_of, nullptr);
                const auto layout = code_layout(w);
                ASSERT_TRUE(layout);
                expect_layout(*layout, {static_cast<int>(bits), 0, 0, ScaleKind::NumberAndZero, group});
                expect_order(groups, input_order(w));
                expect_decoded(w, *layout);
            }
        }
    }
}

TEST(RowCodes, UnequalGroupsHaveNoLayout) {
    RandomModules random(37);
    ModuleBuilder module = random.gptq(kRows, kCols, 4, 64);
    EXPECT_FALSE(code_layout(opened(module)));
    EXPECT_TRUE(input_order(opened(module)).empty());
    std::vector<std::int32_t> groups = mixed_groups(kCols, 64);
    *std::ranges::find(groups, 3) = 4; // one input too many
    module.add(".g_idx", DType::I32, {kCols}, groups);
    EXPECT_FALSE(code_layout(opened(module)));
    // As many groups as do not divide the inputs.
    ModuleBuilder uneven = random.gptq(kRows, kCols, 4, kCols / 5);
    groups.assign(kCols, 4);
    uneven.add(".g_idx", DType::I32, {kCols}, groups);
    uneven.add(".scales", DType::F32, {5, kRows}, random.scales(5 * kRows));
    uneven.add(".qzeros", DType::I32, {5, kRows / 8}, random.words(5 * kRows / 8));
    EXPECT_FALSE(code_layout(opened(uneven)));
    EXPECT_TRUE(input_order(opened(uneven)).empty());
}

TEST(RowCodes, GroupsAreWholeSixteens) {
    RandomModules random(38);
    constexpr std::int64_t kOdd = 72; // no multiple of 16, but of 8 and 24
    EXPECT_FALSE(code_layout(opened(random.awq(kRows, kOdd, 24), kOdd)));
    EXPECT_FALSE(code_layout(opened(random.compressed(kRows, kOdd, 4, 8), kOdd)));
    for (const std::int64_t bits : {4, 8}) { // one group over all inputs may be longer than they are
        const ModuleBuilder module = random.compressed(kRows, kOdd, bits, kOdd);
        const auto layout = code_layout(opened(module, kOdd));
        ASSERT_TRUE(layout);
        EXPECT_EQ(layout->group, 80);
        expect_decoded(opened(module, kOdd), *layout);
    }
    ModuleBuilder module = random.gptq(kRows, kOdd, 4, kOdd);
    const auto layout = code_layout(opened(module, kOdd));
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->group, 80);
    expect_decoded(opened(module, kOdd), *layout);
}

TEST(RowCodes, PlainWeightsHaveNone) {
    const std::vector<float> numbers(kRows * kCols, 1.0F);
    const TensorView view{reinterpret_cast<const std::byte*>(numbers.data()), DType::F32, {kRows, kCols}};
    EXPECT_FALSE(code_layout(matrix_of(view, kCols)));
    EXPECT_FALSE(code_layout(WeightMatrix{}));
}

} // namespace
} // namespace handeye
