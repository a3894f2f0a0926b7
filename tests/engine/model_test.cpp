// SPDX-License-Identifier: Apache-2.0
// Opening checkpoints: what the config may say, and the name of every mistake.
#include "base/image_codec.h"
#include "engine/engine.h"
#include "engine/models/registry.h"
#include "engine/models/router.h"
#include "engine/models/vision_tower.h"
#include "temporary_folder.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v-f32";

// The tiny checkpoint with some of its files replaced.
class TinyCheckpoint {
public:
    TinyCheckpoint() {
        for (const auto& entry : fs::directory_iterator(kGolden)) {
            if (entry.is_regular_file()) {
                fs::create_symlink(entry.path(), folder_.path() / entry.path().filename());
            }
        }
    }
    void replace(const std::string& name, const std::string& bytes) {
        fs::remove(folder_.path() / name);
        folder_.write(name, bytes);
    }
    void remove(const std::string& name) { fs::remove(folder_.path() / name); }
    void edit(const std::string& name, const std::function<void(json&)>& change) {
        json document = json::parse(folder_.read(name));
        change(document);
        replace(name, document.dump());
    }
    [[nodiscard]] Result<std::unique_ptr<ChatModel>> open() const { return open_engine({.model_dir = folder_.path(), .threads = 1}); }
    [[nodiscard]] std::string read(const std::string& name) const { return folder_.read(name); }
    [[nodiscard]] const fs::path& path() const { return folder_.path(); }

private:
    TemporaryFolder folder_;
};

void expect_error(const TinyCheckpoint& checkpoint, ErrorCode code, const std::string& says) {
    const auto model = checkpoint.open();
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, code) << model.error().message;
    EXPECT_NE(model.error().message.find(says), std::string::npos) << model.error().message;
}

TEST(OpenEngine, SaysWhatItOpened) {
    const auto model = TinyCheckpoint().open();
    ASSERT_TRUE(model) << model.error().message;
    const ModelInfo& info = (*model)->info();
    EXPECT_EQ(info.family, "glm4v");
    EXPECT_EQ(info.weight_format, "f32");
    EXPECT_EQ(info.prompt, "glm-4.1v");
    EXPECT_EQ(info.weights_bytes, 4 * info.parameters);
    EXPECT_EQ(info.context_tokens_max, 32768);
    EXPECT_TRUE(info.reads_pictures);
    const auto text = open_engine({.model_dir = kGolden.parent_path() / "glm4-ct-int4", .threads = 1});
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_FALSE((*text)->info().reads_pictures);
}

// Its config is that of GLM-4.1V: only the name tells.
TEST(OpenEngine, KnowsAutoGlmByTheNameOfItsFolder) {
    TinyCheckpoint checkpoint;
    const TemporaryFolder folder;
    for (const auto& [name, prompt] : {std::pair{"AutoGLM-Phone-9B", "autoglm"}, {"autoglm-phone/9B-pytorch-none", "autoglm"}, {"autoglm-trials/GLM-4.1V-9B-Thinking", "glm-4.1v"}, {"GLM-4.1V", "glm-4.1v"}}) {
        fs::create_directories((folder.path() / name).parent_path());
        fs::create_directory_symlink(checkpoint.path(), folder.path() / name);
        const auto model = open_engine({.model_dir = folder.path() / name, .threads = 1});
        ASSERT_TRUE(model) << model.error().message;
        EXPECT_EQ((*model)->info().prompt, prompt) << name;
    }
}

// A packed copy of a model has as many parameters as the model; how they are stored does not count.
TEST(OpenEngine, CountsPackedWeightsOneByOne) {
    const auto gptq = open_model(kGolden.parent_path() / "glm4-gptq-int4-actorder");
    const auto packed = open_model(kGolden.parent_path() / "glm4-ct-int4");
    ASSERT_TRUE(gptq && packed);
    EXPECT_EQ(gptq->parameters, packed->parameters);
    EXPECT_EQ(gptq->weight_format, "gptq-4bit");
    EXPECT_EQ(packed->weight_format, "compressed-tensors-4bit");
}

TEST(OpenEngine, TakesThePromptNameFromHandeyeJson) {
    TinyCheckpoint checkpoint;
    checkpoint.replace("handeye.json", R"({"prompt": "compact"})");
    const auto model = checkpoint.open();
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().prompt, "compact");
    checkpoint.replace("handeye.json", R"({"prompt": 3})");
    expect_error(checkpoint, ErrorCode::ParseFailed, "handeye.json");
}

TEST(OpenEngine, ReadsRopeParametersAsWellAsRopeScaling) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("config.json", [](json& c) {
        json& text = c["text_config"];
        text["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}, {"mrope_section", {1, 1, 2}}};
        text.erase("rope_scaling");
        text.erase("rope_theta");
        text.erase("partial_rotary_factor");
    });
    const auto model = checkpoint.open();
    ASSERT_TRUE(model) << model.error().message;
}

TEST(OpenEngine, HalfOfAHeadRotatesWhenTheConfigIsSilent) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("config.json", [](json& c) { c["text_config"].erase("partial_rotary_factor"); });
    const auto model = checkpoint.open();
    EXPECT_TRUE(model) << model.error().message; // sections 1 + 1 + 2 are half of half of 16
}

TEST(OpenEngine, NamesAFolderThatIsNotThere) {
    const auto model = open_engine({.model_dir = "/nowhere/model"});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::NotFound);
    EXPECT_NE(model.error().message.find("/nowhere/model"), std::string::npos);
}

TEST(OpenEngine, RefusesAContextBeyondTheModels) {
    EXPECT_EQ(open_engine({.model_dir = kGolden, .threads = 1, .context_tokens = 65537}).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(open_engine({.model_dir = kGolden, .threads = -1}).error().code, ErrorCode::InvalidArgument);
}

struct MissingFile {
    const char* name;
    const char* file;
};
class WithoutFile : public testing::TestWithParam<MissingFile> {};

TEST_P(WithoutFile, IsNotFoundByName) {
    TinyCheckpoint checkpoint;
    checkpoint.remove(GetParam().file);
    expect_error(checkpoint, ErrorCode::NotFound, GetParam().file);
}
INSTANTIATE_TEST_SUITE_P(Files, WithoutFile,
                         testing::Values(MissingFile{"Config", "config.json"}, MissingFile{"Weights", "model.safetensors"},
                                         MissingFile{"Tokenizer", "tokenizer.json"}, MissingFile{"Template", "chat_template.jinja"}),
                         [](const auto& each) { return each.param.name; });

struct BadConfig {
    const char* name;
    std::function<void(json&)> change;
    ErrorCode code;
    const char* says;
};
class WrongConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(WrongConfig, IsANamedError) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("config.json", GetParam().change);
    expect_error(checkpoint, GetParam().code, GetParam().says);
}

std::vector<BadConfig> bad_configs() {
    const ErrorCode invalid = ErrorCode::InvalidArgument;
    const ErrorCode unsupported = ErrorCode::Unsupported;
    const auto text = [](const char* key, json value) {
        return [=](json& c) { c["text_config"][key] = value; };
    };
    const auto vision = [](const char* key, json value) {
        return [=](json& c) { c["vision_config"][key] = value; };
    };
    return {
        {"UnknownFamily", [](json& c) { c["model_type"] = "glm9x"; }, unsupported, "glm9x"},
        {"NoFamily", [](json& c) { c.erase("model_type"); }, invalid, "model_type"},
        {"FamilyIsAList", [](json& c) { c["model_type"] = json::array(); }, invalid, "model_type"},
        {"UnknownRopePairs", text("rope_pairs", "spiral"), unsupported, "rope_pairs"},
        {"UnknownActivation", text("hidden_act", "relu6"), unsupported, "relu6"},
        {"UnknownVisionActivation", vision("hidden_act", "gelu_new"), unsupported, "gelu_new"},
        {"UnknownRope", text("rope_scaling", {{"rope_type", "yarn"}, {"mrope_section", {1, 1, 2}}}), unsupported, "yarn"},
        {"NoRopeSections", text("rope_scaling", {{"rope_type", "default"}}), ErrorCode::NotFound, "mrope_section"},
        {"RopeSectionsOfAnotherSum", text("rope_scaling", {{"mrope_section", {1, 1, 3}}}), invalid, "sum 4"},
        {"RopeSectionsAreTexts", text("rope_scaling", {{"mrope_section", {"1", "1", "2"}}}), invalid, "three counts"},
        {"NothingRotates", text("partial_rotary_factor", 0.0), invalid, "rotate"},
        {"RotaryFactorAboveOne", text("partial_rotary_factor", 1.5), invalid, "partial_rotary_factor"},
        {"ZeroWidth", text("hidden_size", 0), invalid, "hidden_size"},
        {"HugeWidth", text("hidden_size", 1LL << 40), invalid, "hidden_size"},
        {"WidthIsAText", text("hidden_size", "64"), invalid, "hidden_size"},
        {"NoWidth", [](json& c) { c["text_config"].erase("hidden_size"); }, ErrorCode::NotFound, "hidden_size"},
        {"NegativeLayers", text("num_hidden_layers", -1), invalid, "num_hidden_layers"},
        {"HugeLayers", text("num_hidden_layers", 1'000'000), invalid, "num_hidden_layers"},
        {"MoreLayersThanWeights", text("num_hidden_layers", 4), ErrorCode::NotFound, "layers.3."},
        {"HeadsThatDoNotDivide", text("num_attention_heads", 3), invalid, "num_key_value_heads"},
        {"KvHeadsThatDoNotDivide", text("num_key_value_heads", 3), invalid, "num_key_value_heads"},
        {"AnotherVocabulary", text("vocab_size", 625), invalid, "embed_tokens"},
        {"VocabularyBelowTheTokenizer", text("vocab_size", 0), invalid, "vocab_size"},
        {"AnotherFfn", text("intermediate_size", 161), invalid, "gate_up_proj"},
        {"EpsIsNotANumber", text("rms_norm_eps", "small"), invalid, "rms_norm_eps"},
        {"NoVision", [](json& c) { c.erase("vision_config"); }, ErrorCode::NotFound, "vision_config"},
        {"VisionBias", vision("attention_bias", true), unsupported, "attention_bias"},
        {"VisionHeadsOfOddWidth", vision("num_heads", 32), invalid, "num_heads"},
        {"VisionZeroDepth", vision("depth", 0), invalid, "depth"},
        {"VisionDeeperThanWeights", vision("depth", 3), ErrorCode::NotFound, "blocks.2."},
        {"VisionOfAnotherWidthOut", vision("out_hidden_size", 32), invalid, "out_hidden_size"},
        {"VisionPatchZero", vision("patch_size", 0), invalid, "patch_size"},
        {"VisionGridOfAnotherSize", vision("image_size", 350), invalid, "position_embedding"},
        {"VisionUnknownRope", vision("rope_parameters", {{"rope_type", "spiral"}}), unsupported, "spiral"},
        {"ImageIdOutside", [](json& c) { c["image_token_id"] = 624; }, invalid, "image_token_id"},
        {"ImageIdOfAnotherModel", [](json& c) { c["image_token_id"] = 613; }, invalid, "<|image|>"},
        {"StopIdIsAText", text("eos_token_id", "</s>"), invalid, "eos_token_id"},
    };
}
INSTANTIATE_TEST_SUITE_P(Keys, WrongConfig, testing::ValuesIn(bad_configs()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(WrongFiles, TruncatedWeightsAreAParseError) {
    TinyCheckpoint checkpoint;
    const std::string weights = checkpoint.read("model.safetensors");
    for (const std::size_t size : {std::size_t{0}, std::size_t{7}, std::size_t{100}, weights.size() / 2, weights.size() - 1}) {
        checkpoint.replace("model.safetensors", weights.substr(0, size));
        expect_error(checkpoint, ErrorCode::ParseFailed, "model.safetensors");
    }
    checkpoint.replace("model.safetensors", weights + "x");
    expect_error(checkpoint, ErrorCode::ParseFailed, "belong to none");
}

TEST(WrongFiles, ATensorUnderAnotherNameIsMissed) {
    TinyCheckpoint checkpoint;
    std::string weights = checkpoint.read("model.safetensors");
    const std::string name = "language_model.layers.1.self_attn.k_proj.bias";
    const std::size_t at = weights.find(name);
    ASSERT_NE(at, std::string::npos);
    weights[at + name.size() - 1] = 'z';
    checkpoint.replace("model.safetensors", weights);
    expect_error(checkpoint, ErrorCode::NotFound, "layers.1.self_attn.k_proj.bias");
}

TEST(WrongFiles, ConfigThatIsNotJsonIsAParseError) {
    TinyCheckpoint checkpoint;
    for (const char* text : {"", "{", "[]", "{\"model_type\":\"glm4v\"", "nul"}) {
        checkpoint.replace("config.json", text);
        expect_error(checkpoint, ErrorCode::ParseFailed, "config.json");
    }
}

TEST(WrongFiles, AConfigOfAMillionBracketsIsALimitThatIsExceeded) {
    TinyCheckpoint checkpoint;
    for (const char* const bracket : {"[", "{\"a\":"}) {
        std::string text = "{\"model_type\":";
        for (int i = 0; i < 1'000'000; ++i) {
            text += bracket;
        }
        checkpoint.replace("config.json", text);
        expect_error(checkpoint, ErrorCode::LimitExceeded, "config.json");
    }
}

// Nothing is ever generated that equals it: the other ends of an answer hold.
TEST(WrongFiles, AStopIdBeyondTheVocabularyIsNeverMet) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("config.json", [](json& c) { c["text_config"]["eos_token_id"] = {613, 1 << 20}; });
    checkpoint.edit("generation_config.json", [](json& c) { c["eos_token_id"] = {613, 1 << 20}; });
    const auto model = checkpoint.open();
    ASSERT_TRUE(model) << model.error().message;
    ChatRequest request;
    request.messages.push_back({.role = Role::User, .parts = {TextPart{"Hello"}}});
    request.max_new_tokens = 3;
    const auto answer = (*model)->generate(request, {}, {});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_LE(answer->usage.completion_tokens, 3);
}

TEST(WrongFiles, PreprocessorOfAnotherPatchSizeIsRefused) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("preprocessor_config.json", [](json& c) { c["patch_size"] = 16; });
    expect_error(checkpoint, ErrorCode::InvalidArgument, "preprocessor_config.json");
}

// A family without vision: everything but pictures works.
TEST(TextModel, RefusesPicturesByName) {
    const auto model = open_engine({.model_dir = kGolden.parent_path() / "chatglm-f32", .threads = 1});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().family, "chatglm");
    ChatRequest request;
    request.messages.push_back({.role = Role::User, .parts = {ImagePart{read_image(kGolden / "images/c.png").value()}, TextPart{"What is this?"}}});
    const auto refused = (*model)->generate(request, {}, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Unsupported);
    EXPECT_NE(refused.error().message.find("text only"), std::string::npos) << refused.error().message;
    request.messages[0].parts = {TextPart{"Hello"}};
    request.max_new_tokens = 2;
    EXPECT_TRUE((*model)->generate(request, {}, {}));
}

// A layer that the config does not speak of: the model opens, and its tensors are named.
TEST(UnusedTensors, AreNamed) {
    TinyCheckpoint checkpoint;
    checkpoint.edit("config.json", [](json& c) { c["text_config"]["num_hidden_layers"] = 2; });
    const auto model = open_model(checkpoint.path());
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_FALSE(model->unused_tensors.empty());
    for (const std::string& name : model->unused_tensors) {
        EXPECT_NE(name.find("layers.2."), std::string::npos) << name;
    }
    const auto whole = open_model(kGolden);
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_TRUE(whole->unused_tensors.empty());
}

TEST(Router, ChoosesByBiasedScoresAndWeighsWithUnbiased) {
    const ExpertsConfig config{.count = 4, .used = 2, .scale = 3};
    const std::vector<float> logits = {0, 2, 1, -5, 0, 0, 0, 0};
    const std::vector<float> bias = {10, 0, 0, 0};
    const auto chosen = route(config, bias, {logits.data(), 2, 4, 4});
    const float a = 0.5F;
    const float b = 1 / (1 + std::exp(-2.0F));
    ASSERT_EQ(chosen[0].size(), 2U); // the bias always wins
    ASSERT_EQ(chosen[1].size(), 2U); // the best of the rest; of equals the first
    EXPECT_TRUE(chosen[2].empty() && chosen[3].empty());
    EXPECT_NEAR(chosen[0][0].weight, 3 * a / (a + b), 1e-6F);
    EXPECT_NEAR(chosen[1][0].weight, 3 * b / (a + b), 1e-6F);
    EXPECT_EQ(chosen[1][1].row, 1);
    ExpertsConfig plain = config;
    plain.normalised = false;
    EXPECT_NEAR(route(plain, bias, {logits.data(), 2, 4, 4})[0][0].weight, 3 * a, 1e-6F);
}

TEST(Router, GivesEveryRowItsExpertsWhateverTheNumbers) {
    const float none = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> logits = {none, none, none, 1, none, none, none, none};
    const auto chosen = route({.count = 4, .used = 2}, std::vector<float>(4), {logits.data(), 2, 4, 4});
    std::size_t rows = 0;
    for (const ExpertRows& expert : chosen) {
        rows += expert.size();
    }
    EXPECT_EQ(rows, 4U);
    EXPECT_EQ(chosen[3].size(), 1U);
}

TEST(VisionTower, SamplesItsTableUnchangedOnItsOwnGrid) {
    const auto model = open_model(kGolden);
    ASSERT_TRUE(model) << model.error().message;
    const VisionTower& tower = *model->vision;
    const int side = tower.config.grid_side;
    std::vector<float> row(static_cast<std::size_t>(tower.config.hidden));
    for (const auto& [r, c] : {std::pair{0, 0}, {side - 1, side - 1}, {5, 17}}) {
        sample_position(tower, {1, side, side}, r, c, row);
        for (std::size_t i = 0; i < row.size(); ++i) {
            EXPECT_NEAR(row[i], tower.position_table[static_cast<std::size_t>((r * side + c) * tower.config.hidden) + i], 1e-4F);
        }
    }
}

TEST(VisionTower, RefusesPatchesThatDoNotFillTheGrid) {
    const auto model = open_model(kGolden);
    ASSERT_TRUE(model) << model.error().message;
    ThreadPool pool(1);
    const std::vector<float> patches(4 * 1176);
    const ConstMatrix four{patches.data(), 4, 1176, 1176};
    for (const VisionGrid grid : {VisionGrid{1, 2, 4}, VisionGrid{1, 1, 4}, VisionGrid{0, 0, 0}, VisionGrid{-1, 2, -2}}) {
        EXPECT_EQ(run_vision(*model->vision, pool, four, grid, {}).error().code, ErrorCode::InvalidArgument);
    }
    EXPECT_TRUE(run_vision(*model->vision, pool, four, {1, 2, 2}, {}));
}

TEST(VisionTower, StopsWhenAsked) {
    const auto model = open_model(kGolden);
    ASSERT_TRUE(model) << model.error().message;
    ThreadPool pool(1);
    const std::vector<float> patches(4 * 1176);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(run_vision(*model->vision, pool, {patches.data(), 4, 1176, 1176}, {1, 2, 2}, {.stop = stop.get_token(), .between = {}, .tap = {}}).error().code,
              ErrorCode::Cancelled);
}

} // namespace
} // namespace handeye
