// SPDX-License-Identifier: Apache-2.0
#include "engine/models/registry.h"

#include "base/json.h"
#include "base/log.h"
#include "base/printable.h"
#include "engine/models/config_reader.h"
#include "engine/models/model_files.h"

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
    Family{"glm4v", open_glm4v}, Family{"glm4v_moe", open_glm4v_moe}, Family{"glm4", open_glm4},
    Family{"glm", open_glm},     Family{"chatglm", open_chatglm},
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

// Community files disagree about these keys, so only what no tensor can say is taken from them.
QuantHints read_hints(const json& config) {
    QuantHints hints;
    const auto found = config.find("quantization_config");
    if (found == config.end() || !found->is_object()) {
        return hints;
    }
    for (const char* key : {"checkpoint_format", "format"}) {
        const auto format = found->find(key);
        hints.gptq_zeros_are_exact |= format != found->end() && *format == "gptq_v2";
    }
    const auto symmetric = found->find("sym");
    hints.is_symmetric = symmetric != found->end() && *symmetric == true;
    return hints;
}

Result<Model> open_tensors(const json& config, Checkpoint checkpoint, Container container, const LoadOptions& options) {
    const Family* family = TRY(find_family(config));
    WeightLoader weights(checkpoint, read_hints(config), options);
    Model model = TRY(family->open({.config = config, .weights = weights, .container = container}));
    model.weight_format = weights.main_format();
    model.parameters = weights.parameters();
    model.modules = weights.taken();
    model.unused_tensors = weights.unused();
    if (!model.unused_tensors.empty() && options.contents == Contents::Read) {
        constexpr std::size_t kNamed = 8;
        const std::size_t named = std::min(kNamed, model.unused_tensors.size());
        const std::span<const std::string> shown(model.unused_tensors.data(), named);
        log::warn("engine", fmt::format("{} tensors of the checkpoint are not used by {}: {}{}", model.unused_tensors.size(),
                                        model.family, printable(fmt::format("{}", fmt::join(shown, ", "))),
                                        named < model.unused_tensors.size() ? ", ..." : ""));
    }
    model.weights = std::move(checkpoint);
    return model;
}

Result<Model> open_hub(const fs::path& dir, const OnProgress& on_progress, const LoadOptions& options) {
    const json config = TRY(read_json(dir / "config.json", kConfigLimits));
    if (!config.is_object()) {
        return Error{ErrorCode::ParseFailed, "config.json is not an object"};
    }
    (void)TRY(find_family(config)); // before the weights are looked for
    Checkpoint weights = TRY(Checkpoint::open(dir, [&](std::size_t done, std::size_t all) {
        if (on_progress) {
            on_progress("weights", static_cast<double>(done) / static_cast<double>(all));
        }
    }));
    Model model = TRY(open_tensors(config, std::move(weights), Container::Safetensors, options));
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

Result<Model> open_gguf(const GgufModel& files, const LoadOptions& options) {
    const json config = TRY(config_of_gguf(files));
    std::vector<std::shared_ptr<const GgufFile>> all = files.parts;
    if (files.vision != nullptr) {
        all.push_back(files.vision);
    }
    Checkpoint weights = TRY(Checkpoint::of_gguf(all));
    Model model = TRY(open_tensors(config, std::move(weights), Container::Gguf, options));
    model.gguf = files.parts.front();
    return model;
}

} // namespace

std::span<const Family> families() { return kFamilies; }

Result<Model> open_model(const fs::path& path, const OnProgress& on_progress, const LoadOptions& options) {
    const std::optional<GgufModel> gguf = TRY(open_gguf_model(path));
    return gguf ? open_gguf(*gguf, options) : open_hub(path, on_progress, options);
}

} // namespace handeye
