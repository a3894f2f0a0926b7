// SPDX-License-Identifier: Apache-2.0
// Which files a model consists of, from a folder or one GGUF file.
#pragma once

#include "base/result.h"
#include "engine/weights/gguf.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// The GGUF files of one model. Metadata are those of the first part.
struct GgufModel {
    std::vector<std::shared_ptr<const GgufFile>> parts; ///< in order
    std::shared_ptr<const GgufFile> vision;             ///< the mmproj file, or null
    [[nodiscard]] const GgufMetadata& metadata() const { return parts.front()->metadata(); }
};

/// `path` is a folder without config.json that holds one model's GGUF files, or one .gguf file (the first part of a split
/// model). Nothing when it is neither. The vision tower is the one file beside it with "mmproj" in its name.
/// Errors: two models or two vision towers in the folder, parts that are missing, twice there or of another model.
Result<std::optional<GgufModel>> open_gguf_model(const std::filesystem::path& path);

/// The config.json that says what the metadata say. Unsupported for another architecture or projector.
Result<nlohmann::json> config_of_gguf(const GgufModel& model);

} // namespace handeye
