// SPDX-License-Identifier: Apache-2.0
#include "engine/weights/checkpoint.h"

#include "base/json.h"

#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kIndexBytesMax = 100'000'000;
constexpr std::size_t kShardsMax = 1000;

using WeightMap = std::map<std::string, std::string, std::less<>>; // tensor -> shard

bool is_shard_name(std::string_view name) {
    constexpr std::string_view kNotAllowed("/\\\0", 3);
    return name.ends_with(".safetensors") && !name.starts_with('.') && name.find_first_of(kNotAllowed) == name.npos;
}

// Files without an index: model-00001-of-00002.safetensors and so on. Others beside them are not the model's, or hold the
// same weights once more.
std::set<std::string> shards_without_index(const fs::path& dir) {
    std::set<std::string> shards;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end && shards.size() <= kShardsMax; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (is_shard_name(name) && name.starts_with("model-")) {
            shards.insert(name);
        }
    }
    return shards;
}

Result<WeightMap> read_index(const fs::path& path) {
    const json index = TRY(read_json(path, JsonLimits{.bytes_max = kIndexBytesMax, .depth_max = 8}));
    if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} has no weight_map", path.filename().string())};
    }
    WeightMap map;
    for (const auto& [name, shard] : index["weight_map"].items()) {
        if (!shard.is_string() || !is_shard_name(shard.get_ref<const std::string&>())) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: {} is not the name of a file in this folder",
                                                             path.filename().string(), dump_json(shard))};
        }
        map.emplace(name, shard.get<std::string>());
    }
    return map;
}

} // namespace

Result<Checkpoint> Checkpoint::open(const fs::path& dir,
                                    const std::function<void(std::size_t, std::size_t)>& on_shard) {
    std::error_code ignored;
    WeightMap map;
    std::set<std::string> shards;
    const bool is_sharded = fs::exists(dir / "model.safetensors.index.json", ignored);
    if (is_sharded) {
        map = TRY(read_index(dir / "model.safetensors.index.json"));
        for (const auto& [name, shard] : map) {
            shards.insert(shard);
        }
    } else if (fs::exists(dir / "model.safetensors", ignored)) {
        shards.insert("model.safetensors");
    } else {
        shards = shards_without_index(dir);
    }
    if (shards.empty()) {
        return Error{ErrorCode::NotFound,
                     fmt::format("{} has neither model.safetensors nor model.safetensors.index.json", dir.string())};
    }
    if (shards.size() > kShardsMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} shards, at most {}", shards.size(), kShardsMax)};
    }
    Checkpoint checkpoint;
    for (const std::string& shard : shards) {
        auto file = std::make_shared<const SafetensorsFile>(TRY(SafetensorsFile::open(dir / shard)));
        for (const auto& [name, view] : file->tensors()) {
            if (!checkpoint.names_.emplace(name, view).second) {
                return Error{ErrorCode::ParseFailed, fmt::format("{} is in two shards, {} is one", name, shard)};
            }
        }
        for (const auto& [name, where] : map) {
            if (where == shard && file->find(name) == nullptr) {
                return Error{ErrorCode::NotFound, fmt::format("the index places {} in {}, which lacks it", name, shard)};
            }
        }
        checkpoint.file_bytes_ += file->file_bytes();
        checkpoint.shards_.push_back({shard, file});
        checkpoint.files_.push_back(std::move(file));
        if (on_shard) {
            on_shard(checkpoint.files_.size(), shards.size());
        }
    }
    return checkpoint;
}

Result<Checkpoint> Checkpoint::of_gguf(const std::vector<std::shared_ptr<const GgufFile>>& files) {
    Checkpoint checkpoint;
    for (const auto& file : files) {
        for (const auto& [name, view] : file->tensors()) {
            if (!checkpoint.names_.emplace(name, view).second) {
                return Error{ErrorCode::ParseFailed, fmt::format("{} is in two of the GGUF files", name)};
            }
        }
        checkpoint.file_bytes_ += file->file_bytes();
        checkpoint.files_.push_back(file);
    }
    return checkpoint;
}

const TensorView* Checkpoint::find(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : &found->second;
}

Result<TensorView> Checkpoint::weight(std::string_view name, const Shape& shape) const {
    const TensorView* view = find(name);
    if (view == nullptr) {
        return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}", name)};
    }
    if (view->shape != shape) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} has the shape {}, the config asks for {}", name,
                                                             shape_text(view->shape), shape_text(shape))};
    }
    if (!view->is_plain()) {
        return Error{ErrorCode::Unsupported, fmt::format("{} is {}; only F32, F16 and BF16 are read here", name,
                                                         view->type_name())};
    }
    return *view;
}

Result<std::vector<float>> Checkpoint::floats(std::string_view name, const Shape& shape) const {
    const TensorView view = TRY(weight(name, shape));
    std::vector<float> values(static_cast<std::size_t>(view.count()));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = element_as_float(view, static_cast<std::int64_t>(i));
    }
    return values;
}

std::int64_t Checkpoint::parameters() const {
    std::int64_t sum = 0;
    for (const auto& [name, view] : names_) {
        sum += view.count();
    }
    return sum;
}

std::int64_t Checkpoint::size_bytes() const {
    std::int64_t sum = 0;
    for (const auto& [name, view] : names_) {
        sum += static_cast<std::int64_t>(view.size_bytes());
    }
    return sum;
}

} // namespace handeye
