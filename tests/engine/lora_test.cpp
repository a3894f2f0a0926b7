// SPDX-License-Identifier: Apache-2.0
// LoRA adapters: peft's own numbers, and every adapter that must be refused, by name.
#include "engine/engine.h"
#include "engine/models/adapter.h"
#include "engine/models/adapter_config.h"
#include "engine/models/registry.h"
#include "temporary_folder.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGoldens = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

struct Pairing {
    const char* model;
    const char* adapter;
};

class LoraGoldens : public testing::TestWithParam<Pairing> {};

// Plain weights with a vision tower, rank-stabilised; and packed ones, whose own bytes stay as they are.
TEST_P(LoraGoldens, AgreeWithPeft) {
    const fs::path adapter = kGoldens / GetParam().adapter;
    const auto report = verify_model({.model_dir = kGoldens / GetParam().model, .threads = 1, .adapters = {adapter}}, adapter);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->cases.empty());
    for (const CaseResult& one : report->cases) {
        EXPECT_TRUE(one.pass) << one.name << ": " << one.why;
    }
}

TEST_P(LoraGoldens, FallShortWithoutTheAdapter) {
    const auto report = verify_model({.model_dir = kGoldens / GetParam().model, .threads = 1}, kGoldens / GetParam().adapter);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_FALSE(report->pass);
}

INSTANTIATE_TEST_SUITE_P(All, LoraGoldens, testing::Values(Pairing{"glm4v-f32", "lora-glm4v"}, Pairing{"glm4-ct-int4", "lora-glm4-ct-int4"}),
                         [](const auto& pairing) { return pairing.index == 0 ? "PlainWithVision" : "Packed"; });

// A copy of the adapter whose config may be changed.
class Adapter {
public:
    Adapter() {
        for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
            fs::copy_file(kGoldens / "lora-glm4v" / name, folder_.path() / name);
        }
    }
    void edit(const std::function<void(json&)>& change) {
        json config = json::parse(folder_.read("adapter_config.json"));
        change(config);
        folder_.write("adapter_config.json", config.dump());
    }
    [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }
    [[nodiscard]] Error refusal(const char* model_name = "glm4v-f32") const {
        auto model = open_model(kGoldens / model_name);
        EXPECT_TRUE(model);
        const auto applied = apply_adapter(folder_.path(), *model);
        EXPECT_FALSE(applied);
        EXPECT_TRUE(model->adapters.empty());
        EXPECT_EQ(model->decoder.layers[0].q.added, nullptr); // the model is as it was
        return applied ? Error{} : applied.error();
    }

private:
    TemporaryFolder folder_;
};

struct Refused {
    const char* key;
    const char* value;
    ErrorCode code;
};
class AdapterConfigKeys : public testing::TestWithParam<Refused> {};

TEST_P(AdapterConfigKeys, AreRefusedByName) {
    Adapter adapter;
    adapter.edit([](json& config) { config[GetParam().key] = json::parse(GetParam().value); });
    const Error error = adapter.refusal();
    EXPECT_EQ(error.code, GetParam().code) << error.message;
    EXPECT_NE(error.message.find(GetParam().key), std::string::npos) << error.message;
}

INSTANTIATE_TEST_SUITE_P(
    All, AdapterConfigKeys,
    testing::Values(Refused{"modules_to_save", R"(["lm_head"])", ErrorCode::Unsupported}, Refused{"use_dora", "true", ErrorCode::Unsupported},
                    Refused{"bias", R"("lora_only")", ErrorCode::Unsupported}, Refused{"peft_type", R"("IA3")", ErrorCode::Unsupported},
                    Refused{"init_lora_weights", R"("pissa_niter_4")", ErrorCode::Unsupported}, Refused{"fan_in_fan_out", "true", ErrorCode::Unsupported},
                    Refused{"r", "0", ErrorCode::InvalidArgument}, Refused{"lora_alpha", R"("x")", ErrorCode::InvalidArgument},
                    Refused{"rank_pattern", "[]", ErrorCode::ParseFailed}),
    [](const auto& row) { return std::string(row.param.key); });

TEST(AdapterFiles, ARankThatTheTensorsDoNotHaveIsNamed) {
    Adapter adapter;
    adapter.edit([](json& config) { config["r"] = 5; });
    const Error error = adapter.refusal();
    EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
    EXPECT_NE(error.message.find("expected [5,"), std::string::npos) << error.message;
}

TEST(AdapterFiles, AModuleThatTheModelLacksIsNamed) {
    const Error error = Adapter().refusal("glm4-ct-int4"); // no vision tower there
    EXPECT_TRUE(error.code == ErrorCode::NotFound || error.code == ErrorCode::InvalidArgument) << error.message;
    EXPECT_NE(error.message.find("layers.0"), std::string::npos) << error.message;
}

TEST(AdapterFiles, APatternThatNeverEndsIsStopped) {
    Adapter adapter;
    adapter.edit([](json& config) { config["rank_pattern"] = {{"((a*)*)*b|([a-z._0-9]*)*!", 3}}; });
    EXPECT_EQ(adapter.refusal().code, ErrorCode::LimitExceeded);
}

TEST(AdapterFiles, APatternThatIsNoExpressionIsNamed) {
    Adapter adapter;
    adapter.edit([](json& config) { config["alpha_pattern"] = {{"(q_proj", 3}}; });
    EXPECT_EQ(adapter.refusal().code, ErrorCode::ParseFailed);
}

TEST(AdapterFiles, APickleIsNotRead) {
    Adapter adapter;
    fs::rename(adapter.folder().path() / "adapter_model.safetensors", adapter.folder().path() / "adapter_model.bin");
    const Error error = adapter.refusal();
    EXPECT_EQ(error.code, ErrorCode::Unsupported);
    EXPECT_NE(error.message.find("pickle"), std::string::npos);
}

TEST(AdapterFiles, ATruncatedFileIsRefused) {
    Adapter adapter;
    const fs::path file = adapter.folder().path() / "adapter_model.safetensors";
    fs::resize_file(file, fs::file_size(file) - 1);
    EXPECT_EQ(adapter.refusal().code, ErrorCode::ParseFailed);
}

// The first pattern that fits a name's end counts, as in peft: scale = alpha / rank, or alpha / sqrt(rank) when rank-stabilised.
TEST(AdapterConfigTest, ScalesFollowThePatterns) {
    const TemporaryFolder folder;
    folder.write("c.json", R"({"peft_type":"LORA","r":4,"lora_alpha":6,"rank_pattern":{"o_proj":2,"layers\\.1\\.mlp\\.down_proj":3},"alpha_pattern":{"o_proj":5}})");
    const auto config = AdapterConfig::read(folder.path() / "c.json");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(*config->rank("model.layers.0.mlp.down_proj"), 4);
    EXPECT_EQ(*config->rank("model.layers.1.mlp.down_proj"), 3);
    EXPECT_FLOAT_EQ(*config->scale("model.layers.0.self_attn.q_proj"), 1.5F);
    EXPECT_FLOAT_EQ(*config->scale("model.layers.0.self_attn.o_proj"), 2.5F);
    folder.write("c.json", R"({"peft_type":"LORA","r":4,"lora_alpha":6,"use_rslora":true})");
    const auto stabilised = AdapterConfig::read(folder.path() / "c.json");
    ASSERT_TRUE(stabilised);
    EXPECT_FLOAT_EQ(*stabilised->scale("model.layers.0.self_attn.q_proj"), 3.0F);
}

// Such GGUF files hold even rotary rows before odd ones; the adapter's rows must follow them.
TEST(AdapterFiles, RowsFollowTheOrderOfGgufFiles) {
    auto gguf = open_model(kGoldens / "glm4v-gguf");
    ASSERT_TRUE(gguf);
    ASSERT_EQ(gguf->decoder.config.rope_pairs, RopePairs::HalfSplit);
    const DecoderConfig& c = gguf->decoder.config;
    const TemporaryFolder folder;
    const std::int64_t rows = gguf->decoder.layers[0].k.rows;
    const std::int64_t cols = gguf->decoder.layers[0].k.cols;
    const std::string module = "base_model.model.model.language_model.layers.0.self_attn.k_proj.lora_";
    json header{{module + "A.weight", {{"dtype", "F32"}, {"shape", {1, cols}}, {"data_offsets", {0, 4 * cols}}}},
                {module + "B.weight", {{"dtype", "F32"}, {"shape", {rows, 1}}, {"data_offsets", {4 * cols, 4 * (cols + rows)}}}}};
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    std::string file(reinterpret_cast<const char*>(&length), 8);
    file += text;
    for (std::int64_t i = 0; i < cols + rows; ++i) {
        const float value = i < cols ? 1.0F : static_cast<float>(i - cols);
        file.append(reinterpret_cast<const char*>(&value), 4);
    }
    folder.write("adapter_model.safetensors", file);
    folder.write("adapter_config.json", R"({"peft_type":"LORA","r":1,"lora_alpha":1})");
    const auto applied = apply_adapter(folder.path(), *gguf);
    ASSERT_TRUE(applied) << applied.error().message;
    const LowRank& low = gguf->decoder.layers[0].k.added->front();
    const NumberView up{low.up.codes, low.up.dtype};
    const int half = c.rotary_dims / 2;
    EXPECT_EQ(up.at(1), 2.0F);            // the second even row
    EXPECT_EQ(up.at(half), 1.0F);         // the first odd row
    EXPECT_EQ(up.at(half + 1), 3.0F);
    EXPECT_EQ(up.at(c.rotary_dims), static_cast<float>(c.rotary_dims)); // what does not rotate stays
    EXPECT_EQ(up.at(c.head_dim + 1), static_cast<float>(c.head_dim + 2)); // the next head likewise
}

} // namespace
} // namespace handeye
