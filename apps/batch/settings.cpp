// SPDX-License-Identifier: Apache-2.0
#include "apps/batch/settings.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::batch {
namespace {

using nlohmann::json;

constexpr std::uint64_t kSampleBytes = 1U << 20U;
constexpr std::size_t kFilesMax = 4096;
constexpr std::size_t kShownBytesMax = 200;

Result<std::string> file_print(const std::filesystem::path& path) {
    std::error_code problem;
    const std::uint64_t size = std::filesystem::file_size(path, problem);
    std::ifstream in(path, std::ios::binary);
    if (problem || !in) {
        return Error{ErrorCode::IoFailed, fmt::format("{} cannot be read", path.string())};
    }
    std::string sample(std::min(size, 2 * kSampleBytes), '\0');
    const std::uint64_t first = std::min<std::uint64_t>(sample.size(), size <= 2 * kSampleBytes ? sample.size() : kSampleBytes);
    in.read(sample.data(), static_cast<std::streamsize>(first));
    if (first < sample.size()) {
        in.seekg(static_cast<std::streamoff>(size - kSampleBytes));
        in.read(sample.data() + first, static_cast<std::streamsize>(sample.size() - first));
    }
    return in ? Result<std::string>(fmt::format("{} {} {}\n", path.filename().string(), size, to_hex(sha256(sample))))
              : Error{ErrorCode::IoFailed, fmt::format("{} cannot be read to its end", path.string())};
}

std::string shown(const json& settings, const std::string& name) {
    const auto found = settings.find(name);
    if (found == settings.end() || found->is_null()) {
        return "not set";
    }
    return !found->is_string() ? dump_json(*found) : found->get<std::string>().empty() ? "empty" : found->get<std::string>();
}

/// A folder of others may hold anything: not all of it is told.
std::string cut(const std::string& text) {
    return text.size() <= kShownBytesMax ? text : fmt::format("{}... ({} bytes)", text.substr(0, kShownBytesMax), text.size());
}

} // namespace

Result<std::string> checkpoint_print(const std::filesystem::path& checkpoint) {
    std::vector<std::filesystem::path> files;
    std::error_code problem;
    if (std::filesystem::is_directory(checkpoint, problem)) {
        for (const auto& entry : std::filesystem::directory_iterator(checkpoint, problem)) {
            const std::string ending = entry.path().extension().string();
            const bool is_of_model = ending == ".json" || ending == ".jinja" || ending == ".safetensors" || ending == ".gguf" || ending == ".model";
            if (is_of_model && files.size() < kFilesMax && entry.is_regular_file(problem)) {
                files.push_back(entry.path());
            }
        }
        std::sort(files.begin(), files.end());
    } else {
        files.push_back(checkpoint);
    }
    std::string all;
    for (const std::filesystem::path& file : files) {
        all += TRY(file_print(file));
    }
    if (all.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("{} holds no files of a model", checkpoint.string())};
    }
    return fmt::format("{} {}", std::filesystem::weakly_canonical(checkpoint, problem).filename().string(), to_hex(sha256(all)).substr(0, 16));
}

Result<void> keep_settings(const std::filesystem::path& file, const json& settings) {
    std::error_code problem;
    if (!std::filesystem::exists(file, problem)) {
        return write_file_atomic(file, settings.dump(2, ' ', false, json::error_handler_t::replace) + "\n", 0600);
    }
    const json before = TRY(read_json(file));
    if (!before.is_object()) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} is no JSON object", file.string())};
    }
    json both = before; // in the order of their names, what both have first: what only one has comes of the others
    both.update(settings);
    for (const bool is_in_both : {true, false}) {
        for (const auto& [name, value] : both.items()) {
            if ((before.contains(name) && settings.contains(name)) == is_in_both && shown(before, name) != shown(settings, name)) {
                return Error{ErrorCode::InvalidArgument, fmt::format("{} holds another run: {} was {} and is {} now. Go on with what it was, or name another --out",
                                                                     file.parent_path().string(), name, cut(shown(before, name)), cut(shown(settings, name)))};
            }
        }
    }
    return {};
}

} // namespace handeye::batch
