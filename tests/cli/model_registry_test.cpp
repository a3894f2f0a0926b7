// SPDX-License-Identifier: Apache-2.0
// The registry of models: what `models list --json` prints against the file, names to rows, files of users, local copies.
#include "apps/models/registry.h"
#include "apps/models/store.h"
#include "base/file.h"
#include "base/json.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

/// Folders of this test alone in place of the user's.
class ModelRegistry : public testing::Test {
protected:
    void SetUp() override {
        folder_ = fs::temp_directory_path() / ("handeye-registry-" + std::to_string(::getpid()));
        fs::create_directories(folder_ / "config/handeye");
        ::setenv("XDG_CONFIG_HOME", (folder_ / "config").c_str(), 1);
        ::setenv("XDG_DATA_HOME", (folder_ / "data").c_str(), 1);
    }
    void TearDown() override { fs::remove_all(folder_); }
    void write(const fs::path& path, const std::string& text) const {
        fs::create_directories((folder_ / path).parent_path());
        std::ofstream(folder_ / path) << text;
    }
    /// A folder that passes for a checkpoint.
    void place(const std::string& folder) const { write("data/handeye/models/" + folder + "/config.json", "{}"); }
    static std::pair<std::string, int> run(const std::string& arguments) {
        FILE* const pipe = ::popen((std::string(HANDEYE_BINARY_DIR "/bin/handeye ") + arguments + " 2>&1").c_str(), "r");
        std::array<char, 4096> piece{};
        std::string out;
        for (std::size_t n = 0; (n = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;) {
            out.append(piece.data(), n);
        }
        const int status = ::pclose(pipe);
        return {out, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
    }
    fs::path folder_;
};

Result<ModelRow> row(const Registry& registry, const std::string& text, std::optional<double> size = {}) {
    WantedModel wanted = TRY(parse_wanted(text));
    wanted.size_in_billions = size;
    return find_row(registry, wanted);
}

TEST_F(ModelRegistry, ListPrintsEveryFieldOfTheFile) {
    const auto file = read_json(HANDEYE_SOURCE_DIR "/models/registry.json");
    ASSERT_TRUE(file) << file.error().message;
    const auto [text, code] = run("models list --json");
    ASSERT_EQ(code, 0) << text;
    const auto printed = parse_json(text);
    ASSERT_TRUE(printed) << text;
    ASSERT_EQ((*file)["models"].size(), (*printed)["models"].size());
    for (std::size_t i = 0; i < (*file)["models"].size(); ++i) {
        json shown = (*printed)["models"][i];
        for (json& spec : shown["specs"]) {
            EXPECT_EQ(spec["local"], json::object());
            spec.erase("local");
        }
        EXPECT_EQ(shown, (*file)["models"][i]) << i;
    }
}

TEST_F(ModelRegistry, TableFitsAndShowsWhatIsWrongAndWhatIsHere) {
    place("glm-4.1v-thinking/9B-gptq-Int4-Int8Mix");
    const auto [text, code] = run("models list");
    ASSERT_EQ(code, 0) << text;
    std::size_t longest = 0;
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
        longest = std::max(longest, end - begin);
    }
    EXPECT_LE(longest, 100U) << text;
    EXPECT_NE(text.find("Int4-Int8Mix*"), std::string::npos) << text;
    EXPECT_EQ(text.find("Int4*"), std::string::npos) << text;
    EXPECT_NE(text.find("! wrong: the page names the 9B repository for the 32B files"), std::string::npos) << text;
    EXPECT_NE(text.find("! wrong: the page says 131072"), std::string::npos) << text;
}

TEST_F(ModelRegistry, NamesBecomeRows) {
    const Registry registry = *load_registry();
    EXPECT_EQ(row(registry, "glm-4.1v-thinking")->arguments(), "glm-4.1v-thinking:pytorch:none");
    EXPECT_EQ(row(registry, "GLM-4.1V-Thinking:gptq")->folder(), fs::path("glm-4.1v-thinking/9B-gptq-Int4-Int8Mix"));
    EXPECT_EQ(*row(registry, "glm-4.5v:mlx:5bit")->id_at("modelscope"), "mlx-community/GLM-4.5V-5bit");
    EXPECT_EQ(row(registry, "glm4-chat-1m:gguf:q4_k")->quantization, "Q4_K");
    EXPECT_EQ(row(registry, "glm4-0414:gguf:Q4_K_M", 32)->arguments(), "glm4-0414:ggufv2:Q4_K_M --size-in-billions 32");
    EXPECT_EQ(row(registry, "glm4-chat-1m:pytorch:4-bit")->folder(), row(registry, "glm4-chat-1m")->folder()); // the same files
}

TEST_F(ModelRegistry, WhatFitsNoRowIsSaid) {
    const Registry registry = *load_registry();
    EXPECT_NE(row(registry, "glm-4.1v-thinkin").error().message.find("did you mean \"glm-4.1v-thinking\"?"), std::string::npos);
    EXPECT_NE(row(registry, "glm4-0414").error().message.find("--size-in-billions"), std::string::npos);
    EXPECT_NE(row(registry, "glm-4.5v:mlx").error().message.find("3bit, 4bit, 5bit, 6bit, 8bit"), std::string::npos);
    EXPECT_EQ(row(registry, "glm-4.5v:gptq").error().code, ErrorCode::NotFound);
    EXPECT_EQ(row(registry, "glm-4.5v", 9).error().code, ErrorCode::NotFound);
    for (const char* const text : {"", ":", "a::b", "a:b:c:d", "a:"}) {
        EXPECT_FALSE(parse_wanted(text)) << text;
    }
}

TEST_F(ModelRegistry, ErrorsShowTheNearestFewAndNotEveryRow) {
    const Registry registry = *load_registry();
    const auto said = [&](const std::string& text, std::optional<double> size = {}) { return row(registry, text, size).error().message; };
    EXPECT_EQ(said("glm-4.5v:gptq"), "glm-4.5v does not come as gptq; its formats are fp8, awq, mlx, pytorch");
    EXPECT_EQ(said("glm-4.5v", 9), "glm-4.5v does not come with 9 billion; --size-in-billions may be 106");
    const std::string quantization = said("glm4-chat-1m:gguf:Q4_K_L");
    EXPECT_NE(quantization.find("glm4-chat-1m:ggufv2 does not come as Q4_K_L; its quantisations are Q3_K_L, Q4_K_S, "), std::string::npos) << quantization;
    EXPECT_NE(quantization.find("in all: `handeye models list`)"), std::string::npos) << quantization;
    EXPECT_EQ(said("glm4-0414"), "glm4-0414 comes in several sizes; say --size-in-billions 9 or 32");
    for (const std::string& one : {quantization, said("glm4-0414:gguf:nonsense", 9), said("glm4-chat-1m:gguf"), said("glm4-0414:pytorch:Q4_K_M"), said("glm4-0414:awq")}) {
        EXPECT_LT(one.size(), 200U) << one;
    }
}

TEST_F(ModelRegistry, TheBundledModelHasItsNameLikeTheOthers) {
    const auto folder = find_checkpoint("nano", "");
    ASSERT_TRUE(folder) << folder.error().message;
    EXPECT_EQ(folder->path.filename(), "nano");
    EXPECT_TRUE(is_checkpoint(folder->path));
    const Registry registry = *load_registry();
    EXPECT_NE(row(registry, "nano:gguf").error().message.find("nano is the bundled model"), std::string::npos);
    const auto [text, code] = run("models pull nano");
    EXPECT_EQ(code, 2);
    EXPECT_NE(text.find("it comes with the program"), std::string::npos) << text;
    const std::string spec = R"({"format":"pytorch","size_in_billions":0.5,"quantizations":["none"],"engines":"","model_id":"me/own","hubs":{"huggingface":"me/own"}})";
    write("config/handeye/registry.json", R"({"models":[{"name":"nano","context_length":4096,"languages":["de"],"abilities":["chat"],"specs":[)" + spec + "]}]}");
    EXPECT_EQ(find_checkpoint("nano", "").error().code, ErrorCode::NotFound); // one's own is meant, which is not here
}

TEST_F(ModelRegistry, AUsersFileAddsAndReplaces) {
    const std::string spec = R"({"format":"pytorch","size_in_billions":0.5,"quantizations":["none"],"engines":"","model_id":"me/own","hubs":{"huggingface":"me/own"}})";
    write("config/handeye/registry.json", R"({"models":[{"name":"own","context_length":4096,"languages":["de"],"abilities":["chat"],"specs":[)" + spec +
                                              R"(]},{"name":"glm-4.5v","context_length":1,"languages":["en"],"abilities":["chat"],"specs":[)" + spec + "]}]}");
    const auto registry = load_registry();
    ASSERT_TRUE(registry) << registry.error().message;
    EXPECT_EQ(row(*registry, "own")->folder(), fs::path("own/0.5B-pytorch-none"));
    EXPECT_EQ(row(*registry, "glm-4.5v")->model->context_length, 1);
    EXPECT_TRUE(row(*registry, "glm-4.1v-thinking"));
}

TEST_F(ModelRegistry, AFileThatIsNotSoIsRefused) {
    const json good = *parse_json(bundled_registry_text());
    ASSERT_TRUE(parse_registry(good.dump(), "r"));
    const auto refused = [&](const char* pointer, const json& value) {
        json bad = good;
        bad[json::json_pointer(pointer)] = value;
        const auto parsed = parse_registry(bad.dump(), "r");
        EXPECT_FALSE(parsed) << pointer << " " << value;
        return parsed ? "" : parsed.error().message;
    };
    EXPECT_NE(refused("/models/0/specs/1/formt", 1).find("r: models[0].specs[1]: there is no key \"formt\"; did you mean \"format\"?"), std::string::npos);
    for (const char* const name : {"", "..", ".a", "a/b", "a b", "a\nb"}) {
        refused("/models/0/name", name);
        refused("/models/0/specs/0/quantizations/0", name);
    }
    for (const char* const id : {"x", "../y", "a/../b", "a/b/c", "https://h/x", "a/{quantization}{quantization}"}) {
        refused("/models/0/specs/0/hubs/huggingface", id);
    }
    refused("/models/1/name", "glm-4.1v-thinking");
    refused("/models/0/context_length", 0);
    refused("/models/0/context_length", 1e10);
    refused("/models/0/specs/0/size_in_billions", -9);
    refused("/models/0/specs/0/size_in_billions", "9");
    refused("/models/0/specs/0/format", "pickle");
    refused("/models/0/specs", json::array());
    refused("/models/0/specs/0/hubs/elsewhere", "a/b");
}

TEST_F(ModelRegistry, ANameIsTheCopyThatIsHere) {
    const auto absent = find_checkpoint("glm-4.1v-thinking:awq", "");
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, ErrorCode::NotFound);
    EXPECT_NE(absent.error().message.find("handeye models pull glm-4.1v-thinking:awq:Int4"), std::string::npos) << absent.error().message;
    place("glm-4.1v-thinking/9B-awq-Int4");
    EXPECT_EQ(find_checkpoint("glm-4.1v-thinking:awq", "")->path, folder_ / "data/handeye/models/glm-4.1v-thinking/9B-awq-Int4");
    EXPECT_EQ(find_checkpoint("glm-4.1v-thinking", "")->path, folder_ / "data/handeye/models/glm-4.1v-thinking/9B-awq-Int4"); // the only one
    EXPECT_NE(find_checkpoint("glm-4.1v-thinking:gptq", "").error().message.find("pull glm-4.1v-thinking:gptq:Int4-Int8Mix"), std::string::npos);
    place("glm4-0414/32B-mlx-4bit");
    EXPECT_TRUE(find_checkpoint("glm4-0414", "")); // its size need not be said
    place("glm4-0414/9B-mlx-4bit");
    EXPECT_NE(find_checkpoint("glm4-0414:mlx:4bit", "").error().message.find("--size-in-billions"), std::string::npos);
}

TEST_F(ModelRegistry, ANameMaySayThatItsSixteenBitsArePackedWhileLoading) {
    place("glm4-chat-1m/9B-pytorch-none");
    EXPECT_EQ(find_checkpoint("glm4-chat-1m", "")->quantize, Quantize::None);
    EXPECT_EQ(find_checkpoint("glm4-chat-1m:pytorch", "")->quantize, Quantize::None);
    EXPECT_EQ(find_checkpoint("glm4-chat-1m:pytorch:8-bit", "")->quantize, Quantize::Bits8);
    const auto four = find_checkpoint("glm4-chat-1m:pytorch:4-bit", "");
    ASSERT_TRUE(four) << four.error().message;
    EXPECT_EQ(four->quantize, Quantize::Bits4);
    EXPECT_EQ(four->path, folder_ / "data/handeye/models/glm4-chat-1m/9B-pytorch-none");
    EXPECT_EQ(*quantize_of(*four, "4bit"), Quantize::Bits4);
    EXPECT_EQ(*quantize_of({.path = four->path}, "8bit"), Quantize::Bits8);
    EXPECT_EQ(quantize_of(*four, "8bit").error().message, "quantize is 8bit, and the model's name says 4-bit");
}

TEST_F(ModelRegistry, TheConfigurationSaysWhereModelsLie) {
    write("config/handeye/config.yaml", "models: {root: " + (folder_ / "elsewhere").string() + "}\n");
    write("elsewhere/glm-4.5v/106B-fp8-FP8/config.json", "{}");
    EXPECT_EQ(find_checkpoint("glm-4.5v:fp8", "")->path, folder_ / "elsewhere/glm-4.5v/106B-fp8-FP8");
    const auto [text, code] = run("models verify glm4-chat-1m --cases /none");
    EXPECT_EQ(code, 2);
    EXPECT_NE(text.find((folder_ / "elsewhere/glm4-chat-1m/9B-pytorch-none").string()), std::string::npos) << text;
    EXPECT_NE(text.find("handeye models pull glm4-chat-1m:pytorch:none"), std::string::npos) << text;
}

} // namespace
} // namespace handeye
