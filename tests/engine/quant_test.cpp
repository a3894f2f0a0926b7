// SPDX-License-Identifier: Apache-2.0
// Weight formats: every one against golden vectors bit for bit, and against modules whose tensors lie.
#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"
#include "module_builder.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json read_vectors(const std::string& name) {
    std::ifstream file(std::string(HANDEYE_SOURCE_DIR) + "/tests/golden/quant/" + name);
    return json::parse(file);
}

const json& packing_cases() {
    static const json kCases = read_vectors("packing_vectors.json").at("cases");
    return kCases;
}

std::vector<std::byte> from_hex(const std::string& hex) {
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

// Run-time dispatch picks one instruction set; here each that the machine has is chosen in turn.
template <class Check>
void on_every_instruction_set(const Check& check) {
    const auto choose = [](std::int64_t target) {
        hwy::SetSupportedTargetsForTest(target);
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    };
    for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
        SCOPED_TRACE(hwy::TargetName(rest & -rest));
        choose(rest & -rest);
        check();
        choose(0); // the machine's own
    }
}

void expect_every_block_type();

TEST(Blocks, DecodeEveryTypeToTheBit) { on_every_instruction_set(expect_every_block_type); }

void expect_every_block_type() {
    std::map<std::uint32_t, int> seen;
    const json document = read_vectors("gguf_dequant_vectors.json");
    for (const json& vector : document["vectors"]) {
        const BlockFormat* format = find_block_format(vector["type_id"].get<std::uint32_t>());
        ASSERT_NE(format, nullptr) << vector["type"];
        EXPECT_EQ(format->name, vector["type"].get<std::string>());
        EXPECT_EQ(format->elements, vector["block_elems"].get<std::int64_t>());
        EXPECT_EQ(format->bytes, vector["block_bytes"].get<std::int64_t>());
        const std::vector<std::byte> block = from_hex(vector["block_hex"]);
        const std::vector<std::byte> expected = from_hex(vector["f32_hex"]);
        std::vector<float> values(static_cast<std::size_t>(format->elements));
        format->decode(block.data(), values.data());
        ASSERT_EQ(expected.size(), values.size() * sizeof(float));
        EXPECT_EQ(std::memcmp(values.data(), expected.data(), expected.size()), 0) << format->name;
        ++seen[format->gguf_type];
    }
    EXPECT_EQ(seen.size(), block_formats().size()) << "a type in the list has no vector";
}

std::vector<float> decoded(const WeightMatrix& w) {
    std::vector<float> values(static_cast<std::size_t>(w.count()));
    decode_tile(w, {.row = 0, .rows = w.rows, .col = 0, .cols = w.cols, .stride = w.cols}, values.data());
    return values;
}

// The tensors of a vector under the names that the format's files have; `zeros` chooses GPTQ's version.
ModuleBuilder module_of(const json& c, const std::string& zeros, QuantHints hints) {
    ModuleBuilder module(hints);
    const std::map<std::string, std::string> kNames = {{"qweight_i32", ".qweight"}, {zeros, ".qzeros"}, {"scales", ".scales"},
                                                       {"biases", ".biases"}, {"weight_packed_i32", ".weight_packed"},
                                                       {"weight_zero_point_i32", ".weight_zero_point"},
                                                       {"weight_scale", ".weight_scale"}, {"weight_u32", ".weight"}, {"g_idx", ".g_idx"}};
    for (const auto& [key, suffix] : kNames) {
        if (!c.contains(key)) {
            continue;
        }
        Shape shape = {static_cast<std::int64_t>(c[key].size())};
        json flat = c[key];
        if (c[key][0].is_array()) {
            shape.push_back(static_cast<std::int64_t>(c[key][0].size()));
            flat = json::array();
            for (const json& row : c[key]) {
                flat.insert(flat.end(), row.begin(), row.end());
            }
        }
        if (key == "scales" || key == "biases" || key == "weight_scale") {
            module.add(suffix, DType::F32, shape, flat.get<std::vector<float>>());
        } else {
            std::vector<std::uint32_t> words;
            for (const json& word : flat) {
                words.push_back(static_cast<std::uint32_t>(word.get<std::int64_t>()));
            }
            module.add(suffix, key == "weight_u32" ? DType::U32 : DType::I32, shape, words);
        }
    }
    if (c.contains("weight_shape")) {
        module.add(".weight_shape", DType::I64, {2}, c["weight_shape"].get<std::vector<std::int64_t>>());
    }
    return module;
}

void expect_decodes(const json& c, const std::string& zeros, QuantHints hints) {
    const ModuleBuilder module = module_of(c, zeros, hints);
    const auto w = open_module(module.tensors(), {.rows = c["out"].get<std::int64_t>(), .cols = c["in"].get<std::int64_t>()});
    ASSERT_TRUE(w) << w.error().message;
    std::vector<float> expected;
    for (const json& row : c["weight_out_in"]) {
        const auto values = row.get<std::vector<float>>();
        expected.insert(expected.end(), values.begin(), values.end());
    }
    EXPECT_EQ(decoded(*w), expected);
}

void expect_every_vector();

TEST(PackedModules, DecodeTheVectorsToTheBit) { on_every_instruction_set(expect_every_vector); }

void expect_every_vector() {
    int compared = 0;
    for (const json& c : packing_cases()) {
        if (!c.contains("weight_out_in")) {
            continue;
        }
        SCOPED_TRACE(c["format"].get<std::string>());
        expect_decodes(c, c.contains("qzeros_v1_i32") ? "qzeros_v1_i32" : "qzeros_i32", {});
        ++compared;
        if (c.contains("qzeros_v2_i32")) {
            expect_decodes(c, "qzeros_v2_i32", {.gptq_zeros_are_exact = true});
            ++compared;
        }
    }
    EXPECT_EQ(compared, 13);
}

// A symmetric file shows by its zero points which version it is, whatever its config says.
TEST(PackedModules, SymmetricGptqIsReadByItsZeroPoints) {
    for (const json& c : packing_cases()) {
        if (c["format"] == "gptq4" || c["format"] == "gptq8") {
            expect_decodes(c, "qzeros_v1_i32", {.gptq_zeros_are_exact = true, .is_symmetric = true});
            expect_decodes(c, "qzeros_v2_i32", {.gptq_zeros_are_exact = false, .is_symmetric = true});
        }
    }
}

// Byte i of the weights is i; each scale is a power of two, so that products are exact.
ModuleBuilder fp8_module(std::int64_t rows, std::int64_t cols, const std::string& suffix, const Shape& scales) {
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(rows * cols));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i % 256);
    }
    std::int64_t count = 1;
    for (const std::int64_t d : scales) {
        count *= d;
    }
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
        values.push_back(std::ldexp(1.0F, static_cast<int>(i % 7)));
    }
    ModuleBuilder module;
    module.add(".weight", DType::F8E4M3, {rows, cols}, bytes);
    module.add(suffix, DType::F32, scales, values);
    return module;
}

TEST(Fp8, DecodesWithEveryShapeOfScale) {
    const json table = [] {
        for (const json& c : packing_cases()) {
            if (c["format"] == "f8_e4m3fn_decode") {
                return c["table"];
            }
        }
        return json();
    }();
    ASSERT_EQ(table.size(), 256U);
    constexpr std::int64_t kRows = 130;
    constexpr std::int64_t kCols = 260; // blocks of 128: two rows of three, the last ones partial
    const auto check = [&](const std::string& suffix, const Shape& scales, const auto& scale_at) {
        const ModuleBuilder module = fp8_module(kRows, kCols, suffix, scales);
        const auto w = open_module(module.tensors(), {.rows = kRows, .cols = kCols});
        ASSERT_TRUE(w) << w.error().message;
        const std::vector<float> values = decoded(*w);
        for (std::int64_t i = 0; i < kRows * kCols; ++i) {
            const json& byte = table[static_cast<std::size_t>(i % 256)];
            const float got = values[static_cast<std::size_t>(i)];
            if (byte.is_null()) {
                ASSERT_TRUE(std::isnan(got)) << i;
            } else {
                ASSERT_EQ(got, byte.get<float>() * std::ldexp(1.0F, static_cast<int>(scale_at(i / kCols, i % kCols) % 7))) << i;
            }
        }
    };
    check(".weight_scale", {1}, [](auto, auto) { return 0; });
    check(".weight_scale", {}, [](auto, auto) { return 0; });
    check(".weight_scale", {kRows, 1}, [](auto row, auto) { return row; });
    check(".weight_scale", {kRows}, [](auto row, auto) { return row; });
    check(".weight_scale_inv", {2, 3}, [](auto row, auto col) { return row / 128 * 3 + col / 128; });
}

TEST(PackedModules, SomeOfTheRowsAreThoseRows) {
    for (const json& c : packing_cases()) {
        if (!c.contains("weight_out_in")) {
            continue;
        }
        const ModuleBuilder module = module_of(c, c.contains("qzeros_v1_i32") ? "qzeros_v1_i32" : "qzeros_i32", {});
        const auto w = open_module(module.tensors(), {.rows = c["out"].get<std::int64_t>(), .cols = c["in"].get<std::int64_t>()});
        ASSERT_TRUE(w) << w.error().message;
        const std::vector<float> all = decoded(*w);
        const std::vector<float> last = decoded(w->rows_from(1, w->rows - 1));
        EXPECT_TRUE(std::equal(last.begin(), last.end(), all.begin() + w->cols)) << c["format"];
    }
}

} // namespace
} // namespace handeye
