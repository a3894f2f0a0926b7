// SPDX-License-Identifier: Apache-2.0
#include "engine/models/adapter.h"

#include "engine/models/adapter_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;
using Targets = std::vector<WeightMatrix*>; // one after the other they are the rows of the adapted module

// "12.rest" -> 12, and `name` becomes "rest".
std::optional<std::size_t> take_number(std::string_view& name) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    const auto length = static_cast<std::size_t>(end - name.data());
    if (error != std::errc() || length >= name.size() || name[length] != '.') {
        return std::nullopt;
    }
    name.remove_prefix(length + 1);
    return number;
}

bool take_prefix(std::string_view& name, std::string_view prefix) {
    const bool has = name.starts_with(prefix);
    name.remove_prefix(has ? prefix.size() : 0);
    return has;
}

Targets mlp_part(Mlp& mlp, std::string_view part) {
    return part == "gate_proj"                               ? Targets{&mlp.gate}
           : part == "up_proj"                               ? Targets{&mlp.up}
           : part == "down_proj" || part == "dense_4h_to_h"  ? Targets{&mlp.down}
           : part == "gate_up_proj" || part == "dense_h_to_4h" ? Targets{&mlp.gate, &mlp.up}
                                                             : Targets{};
}

Targets layer_part(DecoderLayer& layer, std::string_view part) {
    if (take_prefix(part, "self_attn.") || take_prefix(part, "self_attention.")) {
        return part == "q_proj"                                 ? Targets{&layer.q}
               : part == "k_proj"                               ? Targets{&layer.k}
               : part == "v_proj"                               ? Targets{&layer.v}
               : part == "o_proj" || part == "dense"            ? Targets{&layer.o}
               : part == "qkv_proj" || part == "query_key_value" ? Targets{&layer.q, &layer.k, &layer.v}
                                                                : Targets{};
    }
    if (!take_prefix(part, "mlp.")) {
        return {};
    }
    if (take_prefix(part, "experts.")) {
        const auto expert = take_number(part);
        return expert && *expert < layer.experts.size() ? mlp_part(layer.experts[*expert], part) : Targets{};
    }
    const bool is_shared = take_prefix(part, "shared_experts.");
    return is_shared == layer.experts.empty() ? Targets{} : mlp_part(layer.mlp, part);
}

Targets vision_part(VisionTower& vision, std::string_view part) {
    if (take_prefix(part, "merger.")) {
        return part == "proj" ? Targets{&vision.merger_proj} : mlp_part(vision.merger, part);
    }
    const auto number = take_prefix(part, "blocks.") ? take_number(part) : std::nullopt;
    if (!number || *number >= vision.blocks.size()) {
        return {};
    }
    VisionBlock& block = vision.blocks[*number];
    return part == "attn.qkv" ? Targets{&block.qkv} : part == "attn.proj" ? Targets{&block.proj} : take_prefix(part, "mlp.") ? mlp_part(block.mlp, part) : Targets{};
}

// Modules are named as in the Hugging Face classes or the original code, whatever container the model came in.
Targets find_targets(Model& model, std::string_view name) {
    if (take_prefix(name, "model.visual.") || take_prefix(name, "visual.")) {
        return model.vision ? vision_part(*model.vision, name) : Targets{};
    }
    for (const std::string_view head : {"lm_head", "language_model.lm_head", "transformer.output_layer"}) {
        if (name == head) {
            return {&model.decoder.head};
        }
    }
    for (const std::string_view prefix : {"model.language_model.", "language_model.model.", "model.", "transformer.encoder."}) {
        if (take_prefix(name, prefix)) {
            break;
        }
    }
    const auto number = take_prefix(name, "layers.") ? take_number(name) : std::nullopt;
    return number && *number < model.decoder.layers.size() ? layer_part(model.decoder.layers[*number], name) : Targets{};
}

// GGUF files of models with three axes hold the rotary rows of q and k halves first; the adapter was made for pairs.
bool has_halves(const Model& model, const WeightMatrix* target) {
    const bool is_permuted = model.gguf != nullptr && model.family == "glm4v" && model.decoder.config.rope_pairs == RopePairs::HalfSplit;
    return is_permuted && std::any_of(model.decoder.layers.begin(), model.decoder.layers.end(), [&](const DecoderLayer& layer) { return target == &layer.q || target == &layer.k; });
}

WeightMatrix halves_first(const WeightMatrix& up, const DecoderConfig& c) {
    const auto row_bytes = static_cast<std::size_t>(up.cols) * dtype_size(up.dtype);
    auto bytes = std::make_shared<std::vector<std::byte>>(row_bytes * static_cast<std::size_t>(up.rows));
    for (std::int64_t row = 0; row < up.rows; ++row) {
        const std::int64_t in_head = row % c.head_dim;
        const std::int64_t half = c.rotary_dims / 2;
        const std::int64_t from = in_head < half ? 2 * in_head : in_head < c.rotary_dims ? 2 * (in_head - half) + 1 : in_head;
        std::memcpy(bytes->data() + static_cast<std::size_t>(row) * row_bytes, up.codes + static_cast<std::size_t>(up.first_row + row - in_head + from) * row_bytes, row_bytes);
    }
    WeightMatrix w = matrix_of({.data = bytes->data(), .dtype = up.dtype, .shape = {up.rows, up.cols}}, up.cols);
    w.owner = std::move(bytes);
    return w;
}

struct Pair {
    const TensorView* down = nullptr;
    const TensorView* up = nullptr;
};
using Pairs = std::map<std::string, Pair, std::less<>>; // by module

Result<Pairs> pair_tensors(const SafetensorsFile& file) {
    Pairs pairs;
    for (const auto& [name, view] : file.tensors()) {
        std::string_view module = name;
        const bool is_wrapped = take_prefix(module, "base_model.model.");
        const std::size_t at = module.rfind(".lora_");
        const std::string_view kind = at == module.npos ? "" : module.substr(at + 6);
        const bool is_down = kind == "A.weight" || kind == "A.default.weight";
        if (!is_wrapped || !(is_down || kind == "B.weight" || kind == "B.default.weight")) {
            return Error{ErrorCode::Unsupported, fmt::format("adapter_model.safetensors: {} is neither lora_A nor lora_B of a linear module", name)};
        }
        if (!view.is_plain() || view.shape.size() != 2) {
            return Error{ErrorCode::Unsupported, fmt::format("adapter_model.safetensors: {} is {} {}, expected a matrix of F32, F16 or BF16", name, view.type_name(), shape_text(view.shape))};
        }
        Pair& pair = pairs[std::string(module.substr(0, at))];
        (is_down ? pair.down : pair.up) = &view;
    }
    return pairs;
}

struct Addition {
    WeightMatrix* target;
    LowRank low;
};

Result<void> add_module(Model& model, const AdapterConfig& config, const std::string& module, const Pair& pair, std::vector<Addition>& additions) {
    if (pair.down == nullptr || pair.up == nullptr) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the adapter has only one of lora_A and lora_B of {}", module)};
    }
    const Targets targets = find_targets(model, module);
    if (targets.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("the adapter changes {}, which is no linear module of this {} model", module, model.family)};
    }
    const std::int64_t rank = TRY(config.rank(module));
    std::int64_t rows = 0;
    for (const WeightMatrix* target : targets) {
        rows += target->rows;
    }
    const Shape down_shape{rank, targets.front()->cols};
    const Shape up_shape{rows, rank};
    if (pair.down->shape != down_shape || pair.up->shape != up_shape) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the adapter's {} has lora_A {} and lora_B {}, expected {} and {}", module, shape_text(pair.down->shape),
                                                             shape_text(pair.up->shape), shape_text(down_shape), shape_text(up_shape))};
    }
    const float scale = TRY(config.scale(module));
    const WeightMatrix down = matrix_of(*pair.down, down_shape[1]);
    const WeightMatrix up = matrix_of(*pair.up, rank);
    std::int64_t first = 0;
    for (WeightMatrix* target : targets) {
        const WeightMatrix part = up.rows_from(first, target->rows);
        additions.push_back({target, {.down = down, .up = has_halves(model, target) ? halves_first(part, model.decoder.config) : part, .scale = scale}});
        first += target->rows;
    }
    return {};
}

std::string folder_name(const fs::path& dir) {
    const fs::path clean = dir.lexically_normal();
    return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

Result<void> apply(const fs::path& dir, Model& model) {
    std::error_code ignored;
    const AdapterConfig config = TRY(AdapterConfig::read(dir / "adapter_config.json"));
    if (!fs::exists(dir / "adapter_model.safetensors", ignored) && fs::exists(dir / "adapter_model.bin", ignored)) {
        return Error{ErrorCode::Unsupported, "adapter_model.bin is a pickle, which runs code when it is read; save it as safetensors"};
    }
    AppliedAdapter adapter{.name = folder_name(dir)};
    adapter.file = std::make_shared<const SafetensorsFile>(TRY(SafetensorsFile::open(dir / "adapter_model.safetensors")));
    const Pairs pairs = TRY(pair_tensors(*adapter.file));
    if (pairs.empty()) {
        return Error{ErrorCode::InvalidArgument, "adapter_model.safetensors holds no tensors"};
    }
    std::vector<Addition> additions;
    for (const auto& [module, pair] : pairs) {
        TRY(add_module(model, config, module, pair, additions));
        adapter.parameters += pair.down->count() + pair.up->count();
        adapter.rank_max = std::max(adapter.rank_max, static_cast<int>(pair.down->shape[0]));
    }
    for (Addition& addition : additions) {
        std::vector<LowRank> all;
        if (addition.target->added != nullptr) { // of an adapter before this one
            all = *addition.target->added;
        }
        all.push_back(std::move(addition.low));
        addition.target->added = std::make_shared<const std::vector<LowRank>>(std::move(all));
    }
    adapter.modules = static_cast<int>(pairs.size());
    adapter.bytes = adapter.file->file_bytes();
    model.adapters.push_back(std::move(adapter));
    return {};
}

} // namespace

Result<void> apply_adapter(const fs::path& dir, Model& model) { return apply(dir, model).with_context(fmt::format("adapter {}", dir.string())); }

} // namespace handeye
