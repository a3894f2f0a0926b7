// SPDX-License-Identifier: Apache-2.0
// Which of a repository's files a row of the registry needs.
#include "apps/models/hub_listing.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kNamesShown = 8;
constexpr std::uint64_t kBesideBytesMax = 1'000'000'000; // tokenizer, configuration, template: some ten MB as a rule

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "MODEL-Q4_K_M", without ".gguf" and "-00001-of-00003".
std::string gguf_stem(const std::string& path) {
    constexpr std::size_t kPartBytes = 15;
    std::string stem = base_name(path);
    stem.resize(stem.size() - 5);
    const bool is_part = stem.size() > kPartBytes && stem[stem.size() - kPartBytes] == '-' && stem.compare(stem.size() - 9, 4, "-of-") == 0;
    if (is_part) {
        stem.resize(stem.size() - kPartBytes);
    }
    return lower(stem);
}

bool is_of_quantization(const std::string& path, const std::string& quantization) {
    const std::string stem = gguf_stem(path);
    const std::string wanted = lower(quantization);
    const bool has_break = stem.size() > wanted.size() && std::string_view("-._").find(stem[stem.size() - wanted.size() - 1]) != std::string_view::npos;
    return stem == wanted || (has_break && stem.ends_with(wanted));
}

// Nothing that runs: no .bin, .pt, .py.
bool is_checkpoint_file(const std::string& path) {
    constexpr std::array<std::string_view, 5> kEndings{".safetensors", ".json", ".model", ".jinja", ".txt"};
    return path.find('/') == std::string::npos && path.front() != '.' &&
           std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return path.ends_with(ending); });
}

std::string some_of(const std::vector<HubFile>& files) {
    std::string out;
    for (std::size_t i = 0; i < std::min(files.size(), kNamesShown); ++i) {
        out += (i == 0 ? "" : ", ") + files[i].path;
    }
    return out + (files.size() > kNamesShown ? fmt::format(" and {} more", files.size() - kNamesShown) : "");
}

Result<std::vector<PullFile>> choose_gguf(const std::vector<HubFile>& files, const ModelRow& row) {
    std::vector<PullFile> chosen;
    bool has_weights = false;
    for (const HubFile& file : files) {
        if (!file.path.ends_with(".gguf")) {
            continue;
        }
        const std::string name = base_name(file.path);
        const bool is_vision = name.find("mmproj") != std::string::npos;
        const bool has_vision = std::any_of(chosen.begin(), chosen.end(), [](const PullFile& one) { return one.name.find("mmproj") != std::string::npos; });
        if (is_vision ? row.model->has_ability("vision") && !has_vision : is_of_quantization(file.path, row.quantization)) {
            chosen.push_back({file, name});
            has_weights = has_weights || !is_vision;
        }
    }
    return has_weights ? Result<std::vector<PullFile>>(std::move(chosen))
                       : Error{ErrorCode::NotFound, fmt::format("the repository has no GGUF file of {}: {}", row.quantization, some_of(files))};
}

Result<std::vector<PullFile>> choose_safetensors(const std::vector<HubFile>& files) {
    std::vector<PullFile> chosen;
    for (const HubFile& file : files) {
        if (is_checkpoint_file(file.path)) {
            chosen.push_back({file, file.path});
        }
    }
    const bool has_config = std::any_of(chosen.begin(), chosen.end(), [](const PullFile& one) { return one.name == "config.json"; });
    const bool has_weights = std::any_of(chosen.begin(), chosen.end(), [](const PullFile& one) { return one.name.ends_with(".safetensors"); });
    if (!has_config || !has_weights) {
        return Error{ErrorCode::NotFound, fmt::format("the repository has no {}: {}", has_config ? ".safetensors file" : "config.json", some_of(files))};
    }
    std::uint64_t beside = 0;
    for (const PullFile& one : chosen) {
        beside += is_weight_file(one) ? 0 : one.file.bytes;
    }
    if (beside > kBesideBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("beside its weights the repository has {} bytes, at most {} are fetched", beside, kBesideBytesMax)};
    }
    return chosen;
}

} // namespace

bool is_weight_file(const PullFile& file) { return file.name.ends_with(".safetensors") || file.name.ends_with(".gguf"); }

Result<std::vector<PullFile>> choose_files(const std::vector<HubFile>& files, const ModelRow& row) {
    std::vector<PullFile> chosen = row.spec->format == "ggufv2" ? TRY(choose_gguf(files, row)) : TRY(choose_safetensors(files));
    std::sort(chosen.begin(), chosen.end(), [](const PullFile& a, const PullFile& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(chosen.begin(), chosen.end(), [](const PullFile& a, const PullFile& b) { return a.name == b.name; });
    if (twice != chosen.end()) {
        return Error{ErrorCode::ParseFailed, fmt::format("the repository has two files named {}", twice->name)};
    }
    return chosen;
}

} // namespace handeye
