// SPDX-License-Identifier: Apache-2.0
#include "engine/models/model_files.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 10'000;

Error bad(std::string message) { return {ErrorCode::InvalidArgument, std::move(message)}; }

Result<std::vector<fs::path>> gguf_files(const fs::path& dir) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end && files.size() < kFilesMax; entry.increment(error)) {
        if (entry->path().extension() == ".gguf") {
            files.push_back(entry->path());
        }
    }
    if (error) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot list {}: {}", dir.string(), error.message())};
    }
    std::sort(files.begin(), files.end());
    return files;
}

bool is_vision(const fs::path& path) { return path.filename().string().find("mmproj") != std::string::npos; }

struct PartName {
    std::string prefix;
    unsigned number = 0; // from 1
    unsigned count = 0;
};

// "NAME-00001-of-00003.gguf"
std::optional<PartName> part_name(const fs::path& path) {
    constexpr std::size_t kTail = 15; // "-00001-of-00003"
    const std::string stem = path.stem().string();
    if (stem.size() <= kTail || stem[stem.size() - kTail] != '-' || stem.compare(stem.size() - 9, 4, "-of-") != 0) {
        return std::nullopt;
    }
    PartName part{.prefix = stem.substr(0, stem.size() - kTail)};
    const char* number = stem.data() + stem.size() - 14;
    const char* count = stem.data() + stem.size() - 5;
    const bool is_number = std::from_chars(number, number + 5, part.number).ptr == number + 5 &&
                           std::from_chars(count, count + 5, part.count).ptr == count + 5;
    return is_number ? std::optional(part) : std::nullopt;
}

Result<void> check_part(const GgufFile& file, const fs::path& path, const PartName& name) {
    const auto number = file.metadata().integer("split.no");
    const auto count = file.metadata().integer("split.count");
    if (number != std::int64_t{name.number} - 1 || count != std::int64_t{name.count}) {
        return bad(fmt::format("{} says it is part {} of {}", path.filename().string(), number.value_or(-1) + 1, count.value_or(0)));
    }
    return {};
}

Result<std::vector<std::shared_ptr<const GgufFile>>> open_parts(const fs::path& first) {
    std::vector<std::shared_ptr<const GgufFile>> parts;
    const auto name = part_name(first);
    if (!name) {
        parts.push_back(std::make_shared<const GgufFile>(TRY(GgufFile::open(first))));
        if (const auto count = parts[0]->metadata().integer("split.count"); count && *count > 1) {
            return bad(fmt::format("{} is one of {} parts and not named as such", first.filename().string(), *count));
        }
        return parts;
    }
    std::int64_t tensors = 0;
    for (unsigned i = 1; i <= name->count; ++i) {
        const fs::path path = first.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", name->prefix, i, name->count);
        parts.push_back(std::make_shared<const GgufFile>(TRY(GgufFile::open(path))));
        TRY(check_part(*parts.back(), path, {.prefix = name->prefix, .number = i, .count = name->count}));
        tensors += static_cast<std::int64_t>(parts.back()->tensors().size());
    }
    if (parts.empty()) {
        return bad(fmt::format("{} is a part of none", first.filename().string()));
    }
    if (const auto all = parts[0]->metadata().integer("split.tensors.count"); all && *all != tensors) {
        return bad(fmt::format("{} and its parts have {} tensors, the first says {}", first.filename().string(), tensors, *all));
    }
    return parts;
}

// The one model among the files of a folder; its first part when it is split.
Result<fs::path> choose_model(const fs::path& dir, const std::vector<fs::path>& files) {
    std::vector<fs::path> models;
    for (const fs::path& file : files) {
        const auto part = part_name(file);
        if (!is_vision(file) && (!part || part->number == 1)) {
            models.push_back(file);
        }
    }
    if (models.size() != 1) {
        return bad(fmt::format("{} holds {} GGUF models; name one of the files, or keep one in the folder", dir.string(), models.size()));
    }
    return models[0];
}

} // namespace

Result<std::optional<GgufModel>> open_gguf_model(const fs::path& path) {
    std::error_code ignored;
    const bool is_folder = fs::is_directory(path, ignored);
    if ((is_folder && fs::exists(path / "config.json", ignored)) || (!is_folder && path.extension() != ".gguf")) {
        return std::optional<GgufModel>();
    }
    const fs::path dir = is_folder ? path : path.parent_path();
    const std::vector<fs::path> files = TRY(gguf_files(dir.empty() ? "." : dir));
    if (is_folder && files.empty()) {
        return std::optional<GgufModel>();
    }
    const fs::path first = is_folder ? TRY(choose_model(dir, files)) : path;
    GgufModel model;
    model.parts = TRY(open_parts(first));
    std::vector<fs::path> vision;
    std::copy_if(files.begin(), files.end(), std::back_inserter(vision), is_vision);
    if (vision.size() > 1) {
        return bad(fmt::format("{} holds {} mmproj files, of which one is used", dir.string(), vision.size()));
    }
    if (!vision.empty()) {
        model.vision = std::make_shared<const GgufFile>(TRY(GgufFile::open(vision[0])));
    }
    return std::optional(std::move(model));
}

} // namespace handeye
