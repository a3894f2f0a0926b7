// SPDX-License-Identifier: Apache-2.0
// GGUF containers: what is read, and that every lie in a header is a typed error before anything is read or allocated by it.
#include "engine/weights/gguf.h"
#include "gguf_builder.h"

#include <functional>
#include <span>
#include <string>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using B = GgufBuilder;

Result<GgufContents> parse(const std::string& file, const GgufLimits& limits = {}) {
    return parse_gguf(std::as_bytes(std::span(file)), limits);
}

TEST(Gguf, ReadsMetadataAndTensors) {
    B builder;
    builder.word("general.architecture", "glm4").count("glm4.block_count", 2).real("eps", 0.5F);
    builder.key("big", B::kU64, B::raw(std::uint64_t{1} << 40U)).key("flag", B::kBool, "\1").key("minus", B::kI64, B::raw(std::int64_t{-3}));
    builder.words("tokens", {"a", "", "b c"}).counts("types", {1, -1});
    builder.tensor("w", {3, 2}, B::kTensorF32, std::string(24, '\1')).tensor("q", {256, 1}, B::kTensorQ4K, std::string(144, '\2'));
    for (const std::uint32_t version : {2U, 3U}) {
        builder.version = version;
        const std::string file = builder.build();
        const auto contents = parse(file);
        ASSERT_TRUE(contents) << contents.error().message;
        const GgufMetadata& m = contents->metadata;
        EXPECT_EQ(m.text("general.architecture"), "glm4");
        EXPECT_EQ(m.integer("glm4.block_count"), 2);
        EXPECT_EQ(m.number("glm4.block_count"), 2.0);
        EXPECT_EQ(m.number("eps"), 0.5);
        EXPECT_EQ(m.integer("big"), std::int64_t{1} << 40U);
        EXPECT_EQ(m.integer("minus"), -3);
        EXPECT_EQ(m.flag("flag"), true);
        EXPECT_EQ(*m.strings("tokens"), (GgufStrings{"a", "", "b c"}));
        EXPECT_EQ(*m.integers("types"), (GgufIntegers{1, -1}));
        EXPECT_EQ(m.integer("eps"), std::nullopt) << "a wrong type is as absent as a missing key";
        EXPECT_EQ(m.integer("none"), std::nullopt);
        EXPECT_EQ(contents->tensors.at("w").shape, (Shape{2, 3}));
        EXPECT_EQ(contents->tensors.at("w").dtype, DType::F32);
        EXPECT_EQ(contents->tensors.at("q").type_name(), "Q4_K");
        EXPECT_EQ(contents->tensors.at("q").size_bytes(), 144U);
    }
}

TEST(Gguf, KeepsToItsAlignment) {
    B builder;
    builder.alignment = 64;
    builder.count("general.alignment", 64).tensor("a", {1}, B::kTensorF32, "abcd").tensor("b", {1}, B::kTensorF32, "efgh");
    const std::string file = builder.build();
    const auto contents = parse(file);
    ASSERT_TRUE(contents) << contents.error().message;
    EXPECT_EQ(contents->tensors.at("b").data - contents->tensors.at("a").data, 64);
}

TEST(Gguf, EveryTruncationIsAnError) {
    B builder;
    builder.word("a", "b").words("t", {"x", "y"}).tensor("w", {3, 2}, B::kTensorF32, std::string(24, '\1'));
    std::string file = builder.build();
    file.resize(file.size() - 8); // the padding of the last tensor may be missing
    EXPECT_TRUE(parse(file));
    for (std::size_t size = 0; size < file.size(); ++size) {
        EXPECT_FALSE(parse(file.substr(0, size))) << size;
    }
}

struct Lie {
    const char* name;
    std::function<void(B&)> tell;
    ErrorCode code;
    const char* says;
};
class LyingGguf : public testing::TestWithParam<Lie> {};

TEST_P(LyingGguf, IsANamedError) {
    B builder;
    GetParam().tell(builder);
    const std::string file = builder.build();
    const auto contents = parse(file);
    ASSERT_FALSE(contents);
    EXPECT_EQ(contents.error().code, GetParam().code) << contents.error().message;
    EXPECT_NE(contents.error().message.find(GetParam().says), std::string::npos) << contents.error().message;
}

const std::string kFour = "abcd";
constexpr ErrorCode kBad = ErrorCode::ParseFailed;
constexpr ErrorCode kUnknown = ErrorCode::Unsupported;

std::vector<Lie> header_lies() {
    return {
        {"AnotherMagic", [](B& b) { b.magic = "GGML"; }, kBad, "GGUF"},
        {"VersionOne", [](B& b) { b.version = 1; }, kUnknown, "version 1"},
        {"BigEndian", [](B& b) { b.version = 0x03000000; }, kUnknown, "big-endian"},
        {"VersionMinusOne", [](B& b) { b.version = ~0U; }, kUnknown, "version"},
        {"ManyTensors", [](B& b) { b.tensor_count = std::uint64_t{1} << 60U; }, kBad, "tensors"},
        {"TensorsBeyondAllCounts", [](B& b) { b.tensor_count = ~0ULL; }, kBad, "tensors"},
        {"ManyKeys", [](B& b) { b.key_count = ~0ULL / 16; }, kBad, "keys"},
        {"OneKeyTooMany", [](B& b) { b.word("a", std::string(60, 'b')), ++b.key_count; }, kBad, "ends"},
    };
}

std::vector<Lie> key_lies() {
    const auto many = B::raw(~0ULL);
    return {
        {"StringPastTheEnd", [](B& b) { b.key("k", B::kString, B::raw(std::uint64_t{100}) + "ab"); }, kBad, "100 bytes"},
        {"StringNearOverflow", [=](B& b) { b.key("k", B::kString, many); }, kBad, "left"},
        {"KeyNearOverflow", [=](B& b) { b.key("", B::kU8, many); }, kBad, "key of 0"},
        {"KeyOfManyBytes", [](B& b) { b.key(std::string(70'000, 'k'), B::kU8, "\1"); }, kBad, "70000"},
        {"KeyTwice", [](B& b) { b.count("k", 1).count("k", 2); }, kBad, "twice"},
        {"UnknownType", [](B& b) { b.key("k", 13, kFour); }, kBad, "type 13"},
        {"TypeMinusOne", [](B& b) { b.key("k", ~0U, kFour); }, kBad, "type"},
        {"NeitherTrueNorFalse", [](B& b) { b.key("k", B::kBool, "\2"); }, kBad, "truth"},
        {"CountBeyondTheSignedRange", [=](B& b) { b.key("k", B::kU64, many); }, kBad, "k is"},
        {"ArrayOfArrays", [](B& b) { b.key("k", B::kArray, B::raw(B::kArray) + B::raw(std::uint64_t{1}) + std::string(64, '\11')); }, kUnknown, "lists"},
        {"ArrayOfUnknown", [](B& b) { b.key("k", B::kArray, B::raw(99U) + B::raw(std::uint64_t{1})); }, kBad, "type 99"},
        {"ArrayNearOverflow", [=](B& b) { b.key("k", B::kArray, B::raw(B::kU64) + many); }, kBad, "elements"},
        {"StringsWhoseCountWraps", [](B& b) { b.key("k", B::kArray, B::raw(B::kString) + B::raw(std::uint64_t{1} << 60U)); }, kBad, "elements"},
        {"ArrayPastTheEnd", [](B& b) { b.key("k", B::kArray, B::raw(B::kU32) + B::raw(std::uint64_t{3}) + kFour + kFour); }, kBad, "3 elements"},
        {"AlignmentZero", [](B& b) { b.count("general.alignment", 0); }, kBad, "alignment"},
        {"AlignmentThree", [](B& b) { b.count("general.alignment", 3); }, kBad, "alignment"},
        {"AlignmentHuge", [](B& b) { b.count("general.alignment", 0x80000000U); }, kBad, "alignment"},
        {"AlignmentSigned", [](B& b) { b.key("general.alignment", B::kI32, B::raw(32)); }, kBad, "alignment"},
        {"AlignmentIsAText", [](B& b) { b.word("general.alignment", "32"); }, kBad, "alignment"},
    };
}

std::vector<Lie> tensor_lies() {
    const auto one = [](std::vector<std::uint64_t> dims, std::uint32_t type = B::kTensorF32) {
        return [=](B& b) { b.tensor("w", dims, type, kFour); };
    };
    return {
        {"NoDimension", one({}), kBad, "0 dimensions"},
        {"FiveDimensions", one({1, 1, 1, 1, 1}), kBad, "5 dimensions"},
        {"ZeroDimension", one({0}), kBad, "dimension of 0"},
        {"DimensionBeyondAllMemory", one({(std::uint64_t{1} << 40U) + 1}), kBad, "dimension"},
        {"DimensionOfMaxInt", one({0x7FFFFFFFFFFFFFFFULL, 2, 1, 1}), kBad, "dimension"},
        {"DimensionOfMaxUnsigned", one({~0ULL, 2, 1}), kBad, "dimension"},
        {"ProductThatWraps", one({std::uint64_t{1} << 40U, std::uint64_t{1} << 40U}), kBad, "dimension"},
        {"ProductThatIsHuge", one({std::uint64_t{1} << 40U, std::uint64_t{1} << 19U}), kBad, "passes the end"},
        {"PastTheEnd", one({1000}), kBad, "passes the end"},
        {"UnknownType", one({1}, 99), kUnknown, "type 99"},
        {"TypeMinusOne", one({1}, ~0U), kUnknown, "type"},
        {"ActivationType", one({32}, 9), kUnknown, "type 9"},
        {"RepackedType", one({32}, 31), kUnknown, "Q4_0"},
        {"RowsThatAreNoBlocks", one({255}, B::kTensorQ4K), kBad, "blocks of 256"},
        {"NameOfManyBytes", [](B& b) { b.tensor(std::string(64, 'n'), {1}, B::kTensorF32, kFour); }, kBad, "64 bytes"},
        {"NoName", [](B& b) { b.tensor("", {1}, B::kTensorF32, kFour); }, kBad, "0 bytes"},
        {"NameWithNul", [](B& b) { b.tensor(std::string("a\0b", 3), {1}, B::kTensorF32, kFour); }, kBad, "NUL"},
        {"NameTwice", [](B& b) { b.tensor("w", {1}, B::kTensorF32, kFour).tensor("w", {1}, B::kTensorF32, kFour); }, kBad, "twice"},
        {"Overlap", [](B& b) { b.tensor("a", {1}, B::kTensorF32, kFour).tensor("b", {1}, B::kTensorF32, kFour, 0); }, kBad, "ends at 32"},
        {"Gap", [](B& b) { b.tensor("a", {1}, B::kTensorF32, kFour).tensor("b", {1}, B::kTensorF32, kFour, 64); }, kBad, "lies at 64"},
        {"OffsetNearOverflow", [](B& b) { b.tensor("a", {1}, B::kTensorF32, kFour, ~0ULL - 3); }, kBad, "lies at"},
        {"OffsetNotAligned", [](B& b) { b.tensor("a", {1}, B::kTensorF32, kFour, 4); }, kBad, "lies at 4"},
    };
}

const auto kName = [](const testing::TestParamInfo<Lie>& each) { return std::string(each.param.name); };
INSTANTIATE_TEST_SUITE_P(Header, LyingGguf, testing::ValuesIn(header_lies()), kName);
INSTANTIATE_TEST_SUITE_P(Keys, LyingGguf, testing::ValuesIn(key_lies()), kName);
INSTANTIATE_TEST_SUITE_P(Tensors, LyingGguf, testing::ValuesIn(tensor_lies()), kName);

TEST(Gguf, OnlyTheMagicIsAnError) {
    for (const std::string file : {"", "G", "GGUF", "GGUF\3"}) {
        const auto contents = parse(file);
        ASSERT_FALSE(contents);
        EXPECT_EQ(contents.error().code, ErrorCode::ParseFailed);
    }
}

TEST(Gguf, HoldsToItsLimits) {
    B builder;
    builder.words("a", {"x", "y", "z"}).count("b", 1).tensor("v", {1}, B::kTensorF32, kFour).tensor("w", {1}, B::kTensorF32, kFour);
    const std::string file = builder.build();
    ASSERT_TRUE(parse(file));
    EXPECT_EQ(parse(file, {.keys_max = 1}).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parse(file, {.tensors_max = 1}).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(parse(file, {.array_max = 2}).error().code, ErrorCode::LimitExceeded);
}

} // namespace
} // namespace handeye
