// SPDX-License-Identifier: Apache-2.0
#include "engine/models/registry.h"

#include "base/json.h"
#include "engine/models/config_reader.h"
#include "engine/models/glm4v.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// A new family is one file and one row.
constexpr std::array kFamilies = {
    Family{"glm4v", open_glm4v},
};

constexpr JsonLimits kConfigLimits{.bytes_max = 16U << 20U, .depth_max = 32};

Result<const Family*> find_family(const json& config) {
    const auto type = config.find("model_type");
    if (type == config.end() || !type->is_string()) {
        return Error{ErrorCode::InvalidArgument, "config.json has no model_type"};
    }
    const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& family) {
        return family.model_type == type->get_ref<const std::string&>();
    });
    if (found == kFamilies.end()) {
        std::vector<std::string_view> known;
        for (const Family& family : kFamilies) {
            known.push_back(family.model_type);
        }
        return Error{ErrorCode::Unsupported, fmt::format("config.json: model_type {} is not known, this engine opens {}",
                                                         dump_json(*type), fmt::join(known, ", "))};
    }
    return &*found;
}

std::string format_name(DType dtype) {
    std::string name(dtype_name(dtype));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return name;
}

} // namespace

std::span<const Family> families() { return kFamilies; }

Result<Model> open_model(const fs::path& dir, const OnProgress& on_progress) {
    const json config = TRY(read_json(dir / "config.json", kConfigLimits));
    if (!config.is_object()) {
        return Error{ErrorCode::ParseFailed, "config.json is not an object"};
    }
    const Family* family = TRY(find_family(config));
    if (config.contains("quantization_config") || config.contains("quantization")) {
        return Error{ErrorCode::Unsupported, "config.json: quantised weights are not read yet; use bf16, f16 or f32"};
    }
    Checkpoint weights = TRY(Checkpoint::open(dir, [&](std::size_t done, std::size_t all) {
        if (on_progress) {
            on_progress("weights", static_cast<double>(done) / static_cast<double>(all));
        }
    }));
    Model model = TRY(family->open(config, std::move(weights)));
    model.weight_format = format_name(model.decoder.embed.dtype);
    std::error_code ignored;
    if (fs::exists(dir / "generation_config.json", ignored)) {
        const json generation = TRY(read_json(dir / "generation_config.json", kConfigLimits));
        const ConfigReader reader(nullptr, &generation, "generation_config");
        std::vector<TokenId> ids = TRY(reader.ids("eos_token_id"));
        if (!ids.empty()) {
            model.stop_ids = std::move(ids);
        }
    }
    return model;
}

} // namespace handeye
