// SPDX-License-Identifier: Apache-2.0
// Sums up what the loader took from a checkpoint.
#include "engine/checkpoints.h"
#include "engine/runtime/model_parts.h"
#include "engine/runtime/timeline.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

// Numbers between dots are layers and experts; those inside a word belong to the name.
std::string without_numbers(const std::string& name) {
    std::string out;
    for (std::size_t i = 0; i < name.size();) {
        const std::size_t end = std::min(name.find('.', i), name.size());
        const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
        const bool is_number = end > i && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(i), name.begin() + static_cast<std::ptrdiff_t>(end), is_digit);
        out += is_number ? "*" : name.substr(i, end - i);
        out += end < name.size() ? "." : "";
        i = end + 1;
    }
    return out;
}

void add_group(std::vector<ModuleGroup>& groups, std::map<std::string, std::size_t>& places, const ModuleRecord& module) {
    const std::string name = without_numbers(module.name);
    const std::string key = fmt::format("{} {} {} {}", name, module.format, module.rows, module.cols);
    const auto [place, is_new] = places.emplace(key, groups.size());
    if (is_new) {
        groups.push_back({.name = name, .format = module.format, .modules = 0, .rows = module.rows, .cols = module.cols, .bytes = 0});
    }
    ++groups[place->second].modules;
    groups[place->second].bytes += module.bytes;
}

void add_modules(const Model& model, ModelReport& report) {
    std::map<std::string, std::size_t> places;
    std::map<std::string, FormatShare> formats;
    for (const ModuleRecord& module : model.modules) {
        if (!module.is_matrix) {
            ++report.vectors;
            report.vector_bytes += module.bytes;
            continue;
        }
        add_group(report.modules, places, module);
        FormatShare& share = formats[module.format];
        share.format = module.format;
        ++share.modules;
        share.parameters += module.parameters;
        share.bytes += module.bytes;
    }
    for (auto& [name, share] : formats) {
        report.formats.push_back(std::move(share));
    }
    std::stable_sort(report.formats.begin(), report.formats.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
}

bool is_vision(const std::string& name) {
    return name.starts_with("v.") || name.starts_with("mm.") || name.find("visual.") != name.npos || name.starts_with("vision_tower.");
}

Result<VisionFacts> vision_facts(const fs::path& dir, const Model& model) {
    const VisionConfig& c = model.vision->config;
    const PreprocessConfig rules = TRY(read_preprocess(dir / "preprocessor_config.json", {}, c));
    VisionFacts facts{.blocks = c.depth, .width = c.hidden, .patch_px = c.patch_size};
    // A still is a volume of `temporal_patch_size` equal frames.
    const std::int64_t token_volume = std::int64_t{c.temporal_patch_size} * c.patch_size * c.patch_size * c.merge_size * c.merge_size;
    facts.image_tokens_max = static_cast<int>(rules.max_volume / token_volume);
    for (const ModuleRecord& module : model.modules) {
        if (is_vision(module.name)) {
            facts.parameters += module.parameters;
            facts.bytes += module.bytes;
        }
    }
    return facts;
}

TokenizerFacts tokenizer_facts(const fs::path& dir, const Model& model) {
    std::error_code ignored;
    TokenizerFacts facts;
    facts.source = model.gguf != nullptr                         ? "GGUF metadata"
                   : fs::exists(dir / "tokenizer.json", ignored) ? "tokenizer.json"
                                                                 : "tokenizer.model";
    const auto tokenizer = read_tokenizer(dir, model);
    const auto chat_template = read_template(dir, model);
    facts.vocabulary = tokenizer ? tokenizer->vocabulary_size() : 0;
    facts.has_chat_template = chat_template.has_value();
    facts.problem = !tokenizer ? tokenizer.error().message : !chat_template ? chat_template.error().message : "";
    return facts;
}

} // namespace

Result<ModelReport> inspect_model(const EngineOptions& options) {
    const fs::path& path = options.model_dir;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
        return Error{ErrorCode::NotFound, fmt::format("there is no model {}", path.string())};
    }
    const fs::path dir = fs::is_directory(path, ignored) ? path : path.parent_path();
    Model model = TRY(load_model(options, Contents::HeadersOnly));
    ModelReport report;
    report.family = model.family;
    report.weight_format = model.weight_format;
    report.parameters = model.parameters;
    report.tensor_bytes = model.weights.size_bytes();
    report.file_bytes = model.weights.file_bytes();
    report.files = static_cast<int>(model.weights.file_count());
    report.layers = model.decoder.config.layers;
    report.experts = model.decoder.config.experts.count;
    report.context_tokens_max = model.decoder.config.context_max;
    report.kv_bytes_per_token = kv_bytes_per_token(model.decoder.config, KvFormat::F16);
    add_modules(model, report);
    if (model.vision) {
        report.vision = TRY(vision_facts(dir, model));
    }
    report.tokenizer = tokenizer_facts(dir, model);
    for (const AppliedAdapter& adapter : model.adapters) {
        report.adapters.push_back({adapter.name, adapter.modules, adapter.rank_max, adapter.parameters});
    }
    report.unused_tensors = std::move(model.unused_tensors);
    return report;
}

} // namespace handeye
