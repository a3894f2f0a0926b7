// SPDX-License-Identifier: Apache-2.0
// MLX's other widths: three-bit codes stored in wider fields are the same weights, so a repacked golden has the same expected values.
#include "engine/engine.h"
#include "temporary_folder.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kGolden = fs::path(HANDEYE_SOURCE_DIR) / "tests/golden/engine/glm4v_moe-mlx-3bit";

// Codes lie one after the other from the lowest bit of the first word on; rows are whole words.
std::string repacked(const std::string& words, unsigned from, unsigned to) {
    const std::size_t codes = words.size() * 8 / from;
    std::string out(codes * to / 8, '\0');
    const auto bit = [](const std::string& bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at / 8]) >> at % 8 & 1; };
    for (std::size_t code = 0; code < codes; ++code) {
        for (unsigned i = 0; i < from; ++i) {
            const std::size_t at = code * to + i;
            out[at / 8] = static_cast<char>(static_cast<unsigned char>(out[at / 8]) | bit(words, code * from + i) << at % 8);
        }
    }
    return out;
}

// The header as a document, and the bytes of each tensor.
json read_safetensors(const std::string& file, std::map<std::string, std::string>& tensors) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    json header = json::parse(file.substr(sizeof length, length));
    for (const auto& [name, entry] : header.items()) {
        if (name != "__metadata__") {
            const std::size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
            tensors[name] = file.substr(sizeof length + length + begin, end - begin);
        }
    }
    return header;
}

std::string write_safetensors(json header, const std::map<std::string, std::string>& tensors) {
    std::string data;
    for (const auto& [name, bytes] : tensors) {
        header[name]["data_offsets"] = {data.size(), data.size() + bytes.size()};
        data += bytes;
    }
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

void widen_folder(const fs::path& folder, unsigned bits) {
    const auto slurp = [](const fs::path& path) {
        std::ifstream file(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    std::map<std::string, std::string> tensors;
    json header = read_safetensors(slurp(kGolden / "model.safetensors"), tensors);
    for (auto& [name, bytes] : tensors) {
        if (header[name]["dtype"] == "U32") {
            bytes = repacked(bytes, 3, bits);
            json& columns = header[name]["shape"].back();
            columns = columns.get<unsigned>() * bits / 3;
        }
    }
    std::ofstream(folder / "model.safetensors", std::ios::binary) << write_safetensors(header, tensors);
    json config = json::parse(slurp(kGolden / "config.json"));
    for (const char* key : {"quantization", "quantization_config"}) {
        config[key]["bits"] = bits;
    }
    std::ofstream(folder / "config.json") << config.dump();
}

class MlxWidths : public testing::TestWithParam<unsigned> {};

TEST_P(MlxWidths, HoldTheSameWeights) {
    const TemporaryFolder folder;
    fs::copy(kGolden, folder.path(), fs::copy_options::recursive);
    widen_folder(folder.path(), GetParam());
    const auto report = verify_model({.model_dir = folder.path(), .threads = 2}, folder.path());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->cases.size(), 2U);
    for (const CaseResult& c : report->cases) {
        EXPECT_TRUE(c.pass) << c.name << ": " << c.why;
    }
    EXPECT_TRUE(report->pass);
}
INSTANTIATE_TEST_SUITE_P(Bits, MlxWidths, testing::Values(4U, 5U, 6U, 8U), testing::PrintToStringParamName());

} // namespace
} // namespace handeye
