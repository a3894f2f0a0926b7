// SPDX-License-Identifier: Apache-2.0
// Models in GGUF files: which files belong together, what their metadata may say, and what is refused by name.
#include "engine/engine.h"
#include "engine/models/model_files.h"
#include "engine/models/registry.h"
#include "engine/tokenizer/tokenizer.h"
#include "gguf_builder.h"
#include "temporary_folder.h"

#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using B = GgufBuilder;

const fs::path kGoldens = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine";

B text_metadata() {
    B b;
    b.word("general.architecture", "glm4").count("glm4.block_count", 1).count("glm4.context_length", 128).count("glm4.embedding_length", 32);
    b.count("glm4.feed_forward_length", 32).count("glm4.attention.head_count", 2).count("glm4.attention.head_count_kv", 1);
    b.real("glm4.attention.layer_norm_rms_epsilon", 1e-5F).real("glm4.rope.freq_base", 10000).count("glm4.rope.dimension_count", 8);
    return b;
}

Result<nlohmann::json> config_of(const B& text, const B* vision = nullptr) {
    TemporaryFolder folder;
    folder.write("m.gguf", text.build());
    if (vision != nullptr) {
        folder.write("mmproj-m.gguf", vision->build());
    }
    const auto model = open_gguf_model(folder.path());
    EXPECT_TRUE(model) << model.error().message;
    return config_of_gguf(**model);
}

TEST(GgufConfig, SaysInConfigKeysWhatTheMetadataSay) {
    const auto config = config_of(text_metadata().words("tokenizer.ggml.tokens", {"a", "<|user|>", "<|endoftext|>"}).count("tokenizer.ggml.eos_token_id", 2));
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ((*config)["model_type"], "glm4");
    EXPECT_EQ((*config)["hidden_size"], 32);
    EXPECT_EQ((*config)["partial_rotary_factor"], 0.5);
    EXPECT_EQ((*config)["vocab_size"], 3);
    EXPECT_EQ((*config)["eos_token_id"], (nlohmann::json::array({2, 1})));
    EXPECT_FALSE(config->contains("rope_pairs")) << "without sections the rows of q and k are as published";
}

TEST(GgufConfig, SectionsMeanThatHalvesRotate) {
    const auto config = config_of(text_metadata().counts("glm4.rope.dimension_sections", {1, 1, 2, 0}));
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ((*config)["rope_pairs"], "half_split");
    EXPECT_EQ((*config)["rope_scaling"]["mrope_section"], (nlohmann::json::array({1, 1, 2})));
}

TEST(GgufConfig, RefusesWhatItDoesNotKnowByName) {
    const auto expect = [](const B& text, ErrorCode code, const std::string& says, const B* vision = nullptr) {
        const auto config = config_of(text, vision);
        ASSERT_FALSE(config) << says;
        EXPECT_EQ(config.error().code, code) << config.error().message;
        EXPECT_NE(config.error().message.find(says), std::string::npos) << config.error().message;
    };
    expect(B().word("general.architecture", "llama"), ErrorCode::Unsupported, "llama");
    expect(B(), ErrorCode::Unsupported, "architecture");
    expect(B().word("general.architecture", "glm4"), ErrorCode::NotFound, "glm4.block_count");
    expect(B().word("general.architecture", "glm4").word("glm4.block_count", "2"), ErrorCode::NotFound, "glm4.block_count");
    expect(text_metadata().word("glm4.rope.scaling.type", "yarn"), ErrorCode::Unsupported, "scaling");
    expect(text_metadata().counts("glm4.rope.dimension_sections", {1, -1, 2, 0}), ErrorCode::InvalidArgument, "sections");
    expect(text_metadata().counts("glm4.rope.dimension_sections", {1}), ErrorCode::InvalidArgument, "sections");
    const B other = B().word("general.architecture", "clip").word("clip.projector_type", "qwen2vl_merger");
    expect(text_metadata(), ErrorCode::Unsupported, "projector_type", &other);
}

TEST(GgufConfig, RefusesACountThatIsNoLayerCount) {
    for (const std::uint32_t blocks : {0U, 1025U, 0xFFFFFFFFU}) {
        TemporaryFolder folder;
        B b = B();
        b.word("general.architecture", "glm4").count("glm4.block_count", blocks).count("glm4.context_length", 128).count("glm4.embedding_length", 32);
        b.count("glm4.feed_forward_length", 32).count("glm4.attention.head_count", 2).count("glm4.attention.head_count_kv", 1);
        b.real("glm4.attention.layer_norm_rms_epsilon", 1e-5F).real("glm4.rope.freq_base", 10000).count("glm4.rope.dimension_count", 8);
        folder.write("m.gguf", b.words("tokenizer.ggml.tokens", {"a"}).build());
        const auto model = open_model(folder.path());
        ASSERT_FALSE(model);
        EXPECT_NE(model.error().message.find("num_hidden_layers"), std::string::npos) << model.error().message;
    }
}

TEST(GgufFiles, TwoModelsOrTwoTowersInAFolderAreRefused) {
    TemporaryFolder folder;
    folder.write("a.gguf", text_metadata().build());
    folder.write("b.gguf", text_metadata().build());
    EXPECT_EQ(open_gguf_model(folder.path()).error().code, ErrorCode::InvalidArgument);
    EXPECT_TRUE(open_gguf_model(folder.path() / "a.gguf")) << "one of them by name is one";
    folder.write("mmproj-1.gguf", B().build());
    folder.write("mmproj-2.gguf", B().build());
    EXPECT_NE(open_gguf_model(folder.path() / "a.gguf").error().message.find("2 mmproj"), std::string::npos);
}

TEST(GgufFiles, AFolderWithAConfigOrWithoutGgufIsNoGgufModel) {
    TemporaryFolder folder;
    auto model = open_gguf_model(folder.path());
    ASSERT_TRUE(model);
    EXPECT_FALSE(*model);
    folder.write("a.gguf", text_metadata().build());
    folder.write("config.json", "{}");
    model = open_gguf_model(folder.path());
    ASSERT_TRUE(model);
    EXPECT_FALSE(*model);
}

B part(std::uint16_t number, std::uint16_t count, std::int32_t tensors, const std::string& name) {
    B b = text_metadata();
    b.key("split.no", 2, B::raw(number)).key("split.count", 2, B::raw(count)).key("split.tensors.count", B::kI32, B::raw(tensors));
    return b.tensor(name, {1}, B::kTensorF32, "abcd");
}

TEST(GgufParts, AreJoinedInOrder) {
    TemporaryFolder folder;
    folder.write("m-00001-of-00002.gguf", part(0, 2, 2, "a").build());
    folder.write("m-00002-of-00002.gguf", part(1, 2, 2, "b").build());
    const auto model = open_gguf_model(folder.path());
    ASSERT_TRUE(model) << model.error().message;
    ASSERT_TRUE(*model);
    ASSERT_EQ((*model)->parts.size(), 2U);
    const auto checkpoint = Checkpoint::of_gguf((*model)->parts);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    EXPECT_EQ(checkpoint->tensor_count(), 2U);
}

TEST(GgufParts, ThatDoNotFitTogetherAreRefused) {
    const auto expect = [](const std::string& first, const std::string& second, const std::string& says) {
        TemporaryFolder folder;
        folder.write("m-00001-of-00002.gguf", first);
        if (!second.empty()) {
            folder.write("m-00002-of-00002.gguf", second);
        }
        const auto model = open_gguf_model(folder.path());
        ASSERT_FALSE(model) << says;
        EXPECT_NE(model.error().message.find(says), std::string::npos) << model.error().message;
    };
    expect(part(0, 2, 2, "a").build(), "", "m-00002-of-00002.gguf");
    expect(part(0, 2, 2, "a").build(), part(0, 2, 2, "b").build(), "part 1 of 2");
    expect(part(0, 65535, 2, "a").build(), part(1, 2, 2, "b").build(), "part 1 of 65535");
    expect(part(0, 2, 3, "a").build(), part(1, 2, 3, "b").build(), "2 tensors, the first says 3");
    expect(text_metadata().build(), part(1, 2, 2, "b").build(), "part 0 of 0");
}

TEST(GgufParts, WithOneNameTwiceAreRefused) {
    TemporaryFolder folder;
    folder.write("m-00001-of-00002.gguf", part(0, 2, 2, "a").build());
    folder.write("m-00002-of-00002.gguf", part(1, 2, 2, "a").build());
    const auto model = open_gguf_model(folder.path());
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(Checkpoint::of_gguf((*model)->parts).error().code, ErrorCode::ParseFailed);
}

TEST(GgufParts, OneOfManyUnderAnotherNameIsRefused) {
    TemporaryFolder folder;
    folder.write("m.gguf", part(0, 3, 3, "a").build());
    EXPECT_NE(open_gguf_model(folder.path()).error().message.find("one of 3"), std::string::npos);
}

TEST(GgufTokenizer, RefusesVocabulariesThatLie) {
    const auto expect = [](const B& b, ErrorCode code, const std::string& says) {
        const std::string file = b.build();
        const auto contents = parse_gguf(std::as_bytes(std::span(file)));
        ASSERT_TRUE(contents) << contents.error().message;
        const auto tokenizer = Tokenizer::from_gguf(contents->metadata);
        ASSERT_FALSE(tokenizer) << says;
        EXPECT_EQ(tokenizer.error().code, code) << tokenizer.error().message;
        EXPECT_NE(tokenizer.error().message.find(says), std::string::npos) << tokenizer.error().message;
    };
    const auto glm = [] { return std::move(B().word("tokenizer.ggml.model", "gpt2").word("tokenizer.ggml.pre", "glm4")); };
    const auto with = [&](const std::vector<std::string>& tokens, const std::vector<std::int32_t>& types, const std::vector<std::string>& merges) {
        return glm().words("tokenizer.ggml.tokens", tokens).counts("tokenizer.ggml.token_type", types).words("tokenizer.ggml.merges", merges);
    };
    expect(B(), ErrorCode::Unsupported, "absent");
    expect(B().word("tokenizer.ggml.model", "llama").word("tokenizer.ggml.pre", "glm4"), ErrorCode::Unsupported, "llama");
    expect(B().word("tokenizer.ggml.model", "gpt2").word("tokenizer.ggml.pre", "qwen2"), ErrorCode::Unsupported, "qwen2");
    expect(glm(), ErrorCode::ParseFailed, "fit together");
    expect(with({"a", "b"}, {1}, {}), ErrorCode::ParseFailed, "fit together");
    expect(with({"a"}, {99}, {}), ErrorCode::ParseFailed, "type 99");
    expect(with({"a"}, {-1}, {}), ErrorCode::ParseFailed, "type -1");
    expect(with({"a", "a"}, {1, 1}, {}), ErrorCode::ParseFailed, "");
    expect(with({"\xE2\x82\xAC"}, {1}, {}), ErrorCode::ParseFailed, "alphabet");
    expect(with({"a"}, {1}, {}), ErrorCode::ParseFailed, ""); // 255 bytes have no token
}

// A golden checkpoint with one byte of its vocabulary or its numbers changed must open or fail; it must not crash.
TEST(GgufModel, SurvivesChangedBytesOfItsHeader) {
    const fs::path golden = kGoldens / "glm4v-gguf";
    TemporaryFolder source;
    fs::copy(golden / "model.gguf", source.path() / "model.gguf");
    const std::string bytes = source.read("model.gguf");
    TemporaryFolder folder;
    fs::copy(golden / "mmproj.gguf", folder.path() / "mmproj.gguf");
    const bool is_full = std::getenv("HANDEYE_FULL") != nullptr;
    const std::size_t step = is_full ? 7 : 331;
    int refused = 0;
    for (std::size_t at = 0; at < 30'000; at += step) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ (0x80U >> at % 8));
        folder.write("model.gguf", changed);
        refused += open_engine({.model_dir = folder.path(), .threads = 1, .checksums = Checksums::Skip}) ? 0 : 1;
    }
    EXPECT_GT(refused, 0);
}

} // namespace
} // namespace handeye
