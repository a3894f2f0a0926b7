// SPDX-License-Identifier: Apache-2.0
// What hubs answer, read as input from outside: listings of both layouts, links, redirects; which files of one a row needs.
#include "apps/models/hub_listing.h"
#include "apps/models/shape.h"
#include "base/file.h"

#include <array>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

json file(const std::string& path = "config.json") { return {{"type", "file"}, {"oid", std::string(40, 'a')}, {"size", 3}, {"path", path}}; }

json with(json row, const char* key, json value) {
    row[key] = std::move(value);
    return row;
}

std::string fault(const json& listing) {
    const auto parsed = parse_huggingface_tree(listing.dump());
    return parsed ? "" : parsed.error().message;
}

TEST(HubListing, TellsFilesSizesAndHashes) {
    const json large{{"type", "file"}, {"oid", std::string(40, 'b')}, {"size", 135}, {"path", "a/model.safetensors"}, {"lfs", {{"oid", std::string(64, 'c')}, {"size", 9'000'000'000}}}};
    const auto files = parse_huggingface_tree(json::array({file(), {{"type", "directory"}, {"path", "a"}}, large}).dump());
    ASSERT_TRUE(files) << files.error().message;
    ASSERT_EQ(files->size(), 2U);
    EXPECT_EQ((*files)[0].git_blob, std::string(40, 'a'));
    EXPECT_EQ((*files)[1].bytes, 9'000'000'000U); // of the file, not of the pointer to it
    EXPECT_EQ((*files)[1].sha256, std::string(64, 'c'));
    EXPECT_TRUE((*files)[1].git_blob.empty());
}

TEST(HubListing, PathsLeadDownwardsOnly) {
    for (const char* const path : {"", "/etc/passwd", "../x", "a/../b", "a/..", "..", ".", "a//b", "a/", "./a", "a/./b", "a\\b", "C:x", "a b", "a\nb", "a\"b", "\xc3\xa4"}) {
        EXPECT_NE(fault(json::array({file(path)})).find("is no path"), std::string::npos) << path;
    }
    EXPECT_NE(fault(json::array({file(std::string(513, 'a'))})).find("is no path"), std::string::npos);
    EXPECT_EQ(fault(json::array({file("a/b-c_d.0/e..f")})), "");
}

TEST(HubListing, WhatItSaysForgesNoLine) {
    EXPECT_EQ(fault(json::array({file("x\nhandeye: done\t\x1b[2J")})),
              "the hub's listing: \"x\\x0ahandeye: done\\x09\\x1b[2J\" is no path of a file below the model's folder");
    const auto refused = parse_modelscope_files(R"({"Message": "no\nhandeye: done"})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(refused.error().message, "the hub's listing: it has no Data.Files, but says: no\\x0ahandeye: done");
}

TEST(HubListing, SizesAndHashesAreWhole) {
    for (const json& size : {json(-1), json(1.5), json("3"), json(), json(std::uint64_t{1} << 60U)}) {
        EXPECT_NE(fault(json::array({with(file(), "size", size)})).find("has no size"), std::string::npos) << size;
    }
    EXPECT_NE(fault(json::array({with(file(), "oid", "xyz")})).find("no git object"), std::string::npos);
    EXPECT_NE(fault(json::array({with(file(), "oid", "")})).find("without a hash"), std::string::npos);
    EXPECT_NE(fault(json::array({with(file(), "lfs", {{"oid", "12"}, {"size", 3}})})).find("no SHA-256"), std::string::npos);
    EXPECT_NE(fault(json::array({with(file(), "lfs", {{"size", 3}})})).find("without a hash"), std::string::npos);
}

TEST(HubListing, RowsAreFilesOnceAndNotTooMany) {
    EXPECT_NE(fault(json::array({file(), file()})).find("is there twice"), std::string::npos);
    EXPECT_NE(fault(json::array({with(file(), "type", "link")})).find("neither a file nor a directory"), std::string::npos);
    EXPECT_NE(fault(json::array({7})).find("neither a file nor a directory"), std::string::npos);
    EXPECT_NE(fault(json::object()).find("it is no list"), std::string::npos);
    json many = json::array();
    for (std::size_t i = 0; i <= kListingFilesMax; ++i) {
        many.push_back(file("f" + std::to_string(i)));
    }
    EXPECT_NE(fault(many).find("more than 10000 files"), std::string::npos);
    EXPECT_FALSE(parse_huggingface_tree("["));
    EXPECT_FALSE(parse_huggingface_tree(std::string(100'000, '[')));
}

TEST(HubListing, ModelScopesLayoutIsReadAsStrictly) {
    const json good{{"Path", "config.json"}, {"Type", "blob"}, {"Size", 3}, {"Sha256", std::string(64, 'd')}};
    const auto fault_of = [](const json& rows) {
        const auto parsed = parse_modelscope_files(json{{"Code", 200}, {"Data", {{"Files", rows}}}}.dump());
        return parsed ? "" : parsed.error().message;
    };
    EXPECT_EQ(fault_of(json::array({good, {{"Path", "x"}, {"Type", "tree"}}})), "");
    EXPECT_NE(fault_of(json::array({with(good, "Path", "../x")})).find("is no path"), std::string::npos);
    EXPECT_NE(fault_of(json::array({with(good, "Sha256", "")})).find("without a hash"), std::string::npos);
    EXPECT_NE(fault_of(json::array({with(good, "Sha256", std::string(64, 'D'))})).find("no SHA-256"), std::string::npos);
    EXPECT_NE(fault_of(json::array({good, good})).find("is there twice"), std::string::npos);
    EXPECT_NE(fault_of(json::array({with(good, "Size", nullptr)})).find("has no size"), std::string::npos);
    EXPECT_NE(fault_of(json::array({7})).find("neither a blob nor a tree"), std::string::npos);
}

TEST(HubRedirect, NeverLeavesTls) {
    const HttpUrl home = *parse_http_url("https://hub.example/api");
    EXPECT_EQ(origin_of(*redirected(home, "/x?y")), "https://hub.example:443");
    EXPECT_EQ(redirected(home, "/x?y")->target, "/x?y");
    EXPECT_EQ(origin_of(*redirected(home, "https://content.example/x")), "https://content.example:443");
    for (const char* const to : {"http://hub.example/x", "file:///etc/passwd", "ftp://h/x", "gopher:x", "//evil.example/x", "javascript:1", "", "x", "https://u:p@h/", "https://h/\nx"}) {
        const auto led = redirected(home, to);
        EXPECT_FALSE(led) << to;
        EXPECT_EQ(led ? ErrorCode::Internal : led.error().code, ErrorCode::PermissionDenied) << to;
    }
    EXPECT_TRUE(redirected(*parse_http_url("http://127.0.0.1:1/"), "http://127.0.0.1:2/x"));
}

/// Names of what a row of the bundled registry takes of these files.
std::vector<std::string> chosen_of(const std::vector<std::string>& paths, const std::string& wanted) {
    std::vector<HubFile> files;
    for (const std::string& path : paths) {
        files.push_back({.path = path, .bytes = 1, .sha256 = std::string(64, 'a')});
    }
    static const Registry registry = *parse_registry(bundled_registry_text(), "registry");
    const auto chosen = choose_files(files, *find_row(registry, *parse_wanted(wanted)));
    std::vector<std::string> names;
    for (const PullFile& one : chosen ? *chosen : std::vector<PullFile>()) {
        names.push_back(one.name);
    }
    return names;
}

TEST(HubFiles, OfGgufTheQuantisationItselfInAllItsParts) {
    const std::vector<std::string> repository{"README.md",         "imatrix.dat",      "m.Q4_K.gguf",   "m.Q4_K_S.gguf", "m.IQ4_XS.gguf", "m-IQ3_M.gguf", "m.Q2_K_L.gguf",
                                              "m.BF16/m.BF16-00001-of-00002.gguf", "m.BF16/m.BF16-00002-of-00002.gguf"};
    EXPECT_EQ(chosen_of(repository, "glm4-chat-1m:gguf:Q4_K"), std::vector<std::string>{"m.Q4_K.gguf"});
    EXPECT_EQ(chosen_of(repository, "glm4-chat-1m:gguf:BF16"), (std::vector<std::string>{"m.BF16-00001-of-00002.gguf", "m.BF16-00002-of-00002.gguf"}));
    EXPECT_EQ(chosen_of(repository, "glm4-chat-1m:gguf:Q8_0"), std::vector<std::string>());
    EXPECT_EQ(chosen_of({"a/m.Q4_K.gguf", "b/m.Q4_K.gguf"}, "glm4-chat-1m:gguf:Q4_K"), std::vector<std::string>()); // which one?
}

TEST(HubFiles, WhatIsNoWeightsIsSmall) {
    static const Registry registry = *parse_registry(bundled_registry_text(), "registry");
    const ModelRow row = *find_row(registry, *parse_wanted("glm-4.5v"));
    const auto chosen = [&](std::uint64_t bytes) {
        return choose_files({{.path = "a.txt", .bytes = bytes}, {.path = "config.json", .bytes = 1000}, {.path = "model.safetensors", .bytes = 90'000'000'000}}, row);
    };
    EXPECT_TRUE(chosen(999'999'000));
    ASSERT_FALSE(chosen(999'999'001));
    EXPECT_EQ(chosen(999'999'001).error().code, ErrorCode::LimitExceeded);
}

TEST(HubFiles, NothingThatRuns) {
    EXPECT_EQ(chosen_of({"config.json", "model.safetensors", "pytorch_model.bin", "modeling_x.py", ".gitattributes", "sub/config.json", "tokenizer.model", "chat_template.jinja"}, "glm-4.5v"),
              (std::vector<std::string>{"chat_template.jinja", "config.json", "model.safetensors", "tokenizer.model"}));
    EXPECT_EQ(chosen_of({"model.safetensors"}, "glm-4.5v"), std::vector<std::string>());
}

TEST(Shape, TheBundledModelsCountIsExactToAPercent) {
    const auto shape = shape_of_config(*read_file(HANDEYE_SOURCE_DIR "/models/nano/config.json", 1U << 20U));
    ASSERT_TRUE(shape) << shape.error().message;
    EXPECT_NEAR(shape->parameters, 9'603'008, 96'000); // its card
    EXPECT_TRUE(shape->has_vision);
}

TEST(Shape, RowsOfTheRegistryFitTheirModels) {
    // Numbers of the published configurations.
    const json glm4_9b{{"model_type", "glm4"},     {"hidden_size", 4096},        {"num_hidden_layers", 40}, {"num_attention_heads", 32}, {"num_key_value_heads", 2},
                       {"head_dim", 128},          {"intermediate_size", 13696}, {"vocab_size", 151552}};
    static const Registry registry = *parse_registry(bundled_registry_text(), "registry");
    WantedModel wanted = *parse_wanted("glm4-0414");
    wanted.size_in_billions = 9;
    const ModelRow nine = *find_row(registry, wanted);
    wanted.size_in_billions = 32;
    const ModelRow thirty_two = *find_row(registry, wanted);
    const CheckpointShape shape = *shape_of_config(glm4_9b.dump());
    EXPECT_NEAR(shape.parameters / 1e9, 9.4, 0.1);
    EXPECT_TRUE(check_shape(shape, nine, 18'800'000'000));
    EXPECT_FALSE(check_shape(shape, thirty_two, 18'800'000'000));
    EXPECT_FALSE(check_shape(shape, nine, 5'000'000'000)); // too few bytes for 16 bits
    EXPECT_FALSE(check_shape(*shape_of_config(with(glm4_9b, "quantization_config", {{"quant_method", "gptq"}}).dump()), nine, 18'800'000'000));
    EXPECT_FALSE(check_shape(*shape_of_config(with(glm4_9b, "model_type", "chatglm").dump()), nine, 18'800'000'000));
    EXPECT_NE(check_shape(*shape_of_config(with(glm4_9b, "model_type", "x\nhandeye: done").dump()), nine, 1).error().message.find("\"x\\x0ahandeye: done\""), std::string::npos);
    EXPECT_FALSE(shape_of_config(with(glm4_9b, "hidden_size", -1).dump()));
    EXPECT_FALSE(shape_of_config(with(glm4_9b, "num_hidden_layers", 1e300).dump()));
    EXPECT_FALSE(shape_of_config("[]"));
}

} // namespace
} // namespace handeye
