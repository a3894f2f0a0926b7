// SPDX-License-Identifier: Apache-2.0
// Modules whose tensors lie about themselves: each lie is a typed error that names the module, and nothing is decoded.
#include "engine/quant/blocks.h"
#include "random_modules.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <ostream>

#include <gtest/gtest.h>

namespace handeye {
namespace {

constexpr std::int64_t kRows = 64;
constexpr std::int64_t kCols = 256;

struct Lie {
    const char* name;
    std::function<ModuleBuilder(RandomModules&)> make;
    ErrorCode code = ErrorCode::InvalidArgument;
    ModuleShape shape{.rows = kRows, .cols = kCols};
};
void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

class LyingModule : public testing::TestWithParam<Lie> {};

TEST_P(LyingModule, IsATypedErrorThatNamesIt) {
    RandomModules random(3);
    const ModuleBuilder module = GetParam().make(random);
    const auto w = open_module(module.tensors(), GetParam().shape);
    ASSERT_FALSE(w);
    EXPECT_EQ(w.error().code, GetParam().code) << w.error().message;
    EXPECT_NE(w.error().message.find('m'), std::string::npos);
}

using R = RandomModules;

ModuleBuilder gptq_with(R& r, const std::function<void(ModuleBuilder&, R&)>& change) {
    ModuleBuilder m = r.gptq(kRows, kCols, 4, 64);
    change(m, r);
    return m;
}

std::vector<Lie> gptq_lies() {
    const auto with = [](auto change) { return [=](R& r) { return gptq_with(r, change); }; };
    return {
        {"GroupBeyondTheLast", with([](ModuleBuilder& m, R&) { m.add(".g_idx", DType::I32, {kCols}, std::vector<std::int32_t>(kCols, 4)); })},
        {"NegativeGroup", with([](ModuleBuilder& m, R&) { m.add(".g_idx", DType::I32, {kCols}, std::vector<std::int32_t>(kCols, -1)); })},
        {"ShortGroupList", with([](ModuleBuilder& m, R&) { m.add(".g_idx", DType::I32, {kCols - 1}, std::vector<std::int32_t>(kCols - 1)); })},
        {"GroupsThatDoNotDivide", with([](ModuleBuilder& m, R& r) {
             m.remove(".g_idx");
             m.add(".scales", DType::F32, {3, kRows}, r.scales(3 * kRows));
             m.add(".qzeros", DType::I32, {3, kRows / 8}, r.words(3 * kRows / 8));
         })},
        {"NoGroups", with([](ModuleBuilder& m, R&) {
             m.remove(".g_idx");
             m.add(".scales", DType::F32, {0, kRows}, std::vector<float>());
             m.add(".qzeros", DType::I32, {0, kRows / 8}, std::vector<std::uint32_t>());
         })},
        {"ScalesOfRankOne", with([](ModuleBuilder& m, R& r) { m.add(".scales", DType::F32, {4 * kRows}, r.scales(4 * kRows)); })},
        {"ScalesAreIntegers", with([](ModuleBuilder& m, R& r) { m.add(".scales", DType::I32, {4, kRows}, r.words(4 * kRows)); })},
        {"NoScales", with([](ModuleBuilder& m, R&) { m.remove(".scales"); }), ErrorCode::NotFound},
        {"NoZeros", with([](ModuleBuilder& m, R&) { m.remove(".qzeros"); }), ErrorCode::NotFound},
        {"ZerosOfFewerGroups", with([](ModuleBuilder& m, R& r) { m.add(".qzeros", DType::I32, {3, kRows / 8}, r.words(3 * kRows / 8)); })},
        {"ThreeBits", with([](ModuleBuilder& m, R& r) { m.add(".qweight", DType::I32, {kCols * 3 / 32, kRows}, r.words(kCols * 3 / 32 * kRows)); })},
        {"ZeroBits", with([](ModuleBuilder& m, R&) { m.add(".qweight", DType::I32, {0, kRows}, std::vector<std::uint32_t>()); })},
        {"ThirtyThreeBits", with([](ModuleBuilder& m, R& r) { m.add(".qweight", DType::I32, {kCols + 8, kRows}, r.words((kCols + 8) * kRows)); })},
        {"CodesAreFloats", with([](ModuleBuilder& m, R& r) { m.add(".qweight", DType::F32, {kCols / 8, kRows}, r.scales(kCols / 8 * kRows)); })},
        {"CodesOfRankThree", with([](ModuleBuilder& m, R& r) { m.add(".qweight", DType::I32, {1, kCols / 8, kRows}, r.words(kCols / 8 * kRows)); })},
        {"MoreOutputsThanCodes", with([](ModuleBuilder&, R&) {}), ErrorCode::InvalidArgument, {.rows = 2 * kRows, .cols = kCols}},
        {"OutputsThatFillNoWord", with([](ModuleBuilder&, R&) {}), ErrorCode::InvalidArgument, {.rows = kRows - 1, .cols = kCols}},
        {"TwoFormats", with([](ModuleBuilder& m, R& r) { m.add(".weight", DType::F32, {kRows, kCols}, r.scales(kRows * kCols)); })},
    };
}

std::vector<Lie> other_lies() {
    return {
        {"AwqZerosOfAnotherShape", [](R& r) {
             ModuleBuilder m = r.awq(kRows, kCols, 64);
             m.add(".qzeros", DType::I32, {4, kRows}, r.words(4 * kRows));
             return m;
         }},
        {"AwqScalesOfAnotherWidth", [](R& r) {
             ModuleBuilder m = r.awq(kRows, kCols, 64);
             m.add(".scales", DType::F32, {4, kRows / 2}, r.scales(2 * kRows));
             return m;
         }},
        {"PackedShapeBeyondItsData", [](R& r) {
             ModuleBuilder m = r.compressed(kRows, kCols, 4, 32);
             m.add(".weight_shape", DType::I64, {2}, std::vector<std::int64_t>{kRows * 1000, kCols});
             return m;
         }},
        {"PackedShapeBeyondItsDataAndTheConfigToo", [](R& r) {
             ModuleBuilder m = r.compressed(kRows, kCols, 4, 32);
             m.add(".weight_shape", DType::I64, {2}, std::vector<std::int64_t>{kRows * 2, kCols});
             return m;
         }, ErrorCode::InvalidArgument, {.rows = 2 * kRows, .cols = kCols}},
        {"PackedShapeOfThree", [](R& r) {
             ModuleBuilder m = r.compressed(kRows, kCols, 4, 32);
             m.add(".weight_shape", DType::I64, {3}, std::vector<std::int64_t>{1, kRows, kCols});
             return m;
         }},
        {"PackedZerosOfFewerOutputs", [](R& r) {
             ModuleBuilder m = r.compressed(kRows, kCols, 4, 32);
             m.add(".weight_zero_point", DType::I32, {1, 8}, r.words(8));
             return m;
         }},
        {"PackedGroupsThatDoNotDivide", [](R& r) {
             ModuleBuilder m = r.compressed(kRows, kCols, 4, 32);
             m.remove(".weight_zero_point");
             m.add(".weight_scale", DType::F32, {kRows, 7}, r.scales(kRows * 7));
             return m;
         }},
        {"Fp8WithoutScale", [](R& r) {
             ModuleBuilder m = r.fp8(kRows, kCols);
             m.remove(".weight_scale");
             return m;
         }},
        {"Fp8WithTwoScales", [](R& r) {
             ModuleBuilder m = r.fp8(kRows, kCols);
             m.add(".weight_scale_inv", DType::F32, {1}, r.scales(1));
             return m;
         }},
        {"Fp8ScaleOfAnotherLength", [](R& r) {
             ModuleBuilder m = r.fp8(kRows, kCols);
             m.add(".weight_scale", DType::F32, {kRows - 1}, r.scales(kRows - 1));
             return m;
         }},
        {"MlxBitsThatDoNotFit", [](R& r) {
             ModuleBuilder m = r.mlx(kRows, kCols, 4, 64);
             m.add(".weight", DType::U32, {kRows, kCols / 8 + 1}, r.words(kRows * (kCols / 8 + 1)));
             return m;
         }},
        {"MlxSevenBits", [](R& r) { return r.mlx(kRows, kCols, 7, 64); }},
        {"MlxGroupOfSixteen", [](R& r) { return r.mlx(kRows, kCols, 4, 16); }},
        {"MlxWithoutOffsets", [](R& r) {
             ModuleBuilder m = r.mlx(kRows, kCols, 4, 64);
             m.remove(".biases");
             return m;
         }, ErrorCode::NotFound},
        {"MlxStackOfFewerExperts", [](R& r) { return r.mlx(kRows, kCols, 4, 64); }, ErrorCode::InvalidArgument,
         {.rows = kRows, .cols = kCols, .stacked = 2}},
        {"PlainOfAnotherShape", [](R& r) {
             ModuleBuilder m;
             m.add(".weight", DType::F32, {kCols, kRows}, r.scales(kRows * kCols));
             return m;
         }},
        {"Integers", [](R& r) {
             ModuleBuilder m;
             m.add(".weight", DType::I32, {kRows, kCols}, r.words(kRows * kCols));
             return m;
         }, ErrorCode::Unsupported},
        {"Nothing", [](R&) { return ModuleBuilder(); }, ErrorCode::NotFound},
        {"BlocksThatRowsDoNotFill", [](R& r) {
             ModuleBuilder m;
             m.add(".weight", DType::F32, {kRows, kCols - 32}, r.words(kRows * kCols));
             m.set_blocks(find_block_format(12));
             return m;
         }, ErrorCode::InvalidArgument, {.rows = kRows, .cols = kCols - 32}},
    };
}

const auto kName = [](const testing::TestParamInfo<Lie>& each) { return std::string(each.param.name); };
INSTANTIATE_TEST_SUITE_P(Gptq, LyingModule, testing::ValuesIn(gptq_lies()), kName);
INSTANTIATE_TEST_SUITE_P(Others, LyingModule, testing::ValuesIn(other_lies()), kName);

// Scales may be anything that a float can be; the weights are then as wrong, and that is all.
TEST(ScalesOfNoUse, DecodeToWhatTheySay) {
    RandomModules random(5);
    ModuleBuilder m = random.gptq(kRows, kCols, 4, 64);
    std::vector<float> scales(4 * kRows, std::numeric_limits<float>::infinity());
    scales[0] = 0;
    scales[1] = std::numeric_limits<float>::quiet_NaN();
    m.add(".scales", DType::F32, {4, kRows}, scales);
    const auto w = open_module(m.tensors(), {.rows = kRows, .cols = kCols});
    ASSERT_TRUE(w) << w.error().message;
    std::vector<float> values(static_cast<std::size_t>(w->count()));
    decode_tile(*w, {.row = 0, .rows = kRows, .col = 0, .cols = kCols, .stride = kCols}, values.data());
    EXPECT_EQ(std::count_if(values.begin(), values.end(), [](float v) { return v == 0; }) > 0, true);
}

} // namespace
} // namespace handeye
