// SPDX-License-Identifier: Apache-2.0
#include "apps/models/shape.h"

#include "apps/models/hub_listing.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kConfigBytesMax = 4U << 20U;
constexpr std::int64_t kNumberMax = 1 << 24;
constexpr double kSizeSlack = 0.25; // a vision tower counts in some names and not in others
constexpr std::int64_t kTemporalPatch = 2;
constexpr std::int64_t kColours = 3;

/// Whole numbers of one object, under one of several names.
class Numbers {
public:
    explicit Numbers(const json& object) : object_(object) {}
    double get(std::initializer_list<const char*> names, std::int64_t otherwise) {
        for (const char* const name : names) {
            const auto found = object_.find(name);
            if (found == object_.end() || found->is_null()) {
                continue;
            }
            if (!found->is_number_integer() || found->get<std::int64_t>() < 0 || found->get<std::int64_t>() > kNumberMax) {
                problem_ = name;
                return 0;
            }
            return static_cast<double>(found->get<std::int64_t>());
        }
        return static_cast<double>(otherwise);
    }
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    const json& object_;
    std::string problem_;
};

double decoder_parameters(Numbers& config, bool ties_embeddings) {
    const double hidden = config.get({"hidden_size"}, 0);
    const double layers = config.get({"num_hidden_layers", "num_layers"}, 0);
    const double heads = config.get({"num_attention_heads"}, 1);
    const double kv_heads = config.get({"num_key_value_heads", "multi_query_group_num"}, static_cast<std::int64_t>(heads));
    const double head_dim = config.get({"head_dim", "kv_channels"}, static_cast<std::int64_t>(hidden / std::max(1.0, heads)));
    const double ffn = config.get({"intermediate_size", "ffn_hidden_size"}, 0);
    const double vocabulary = config.get({"vocab_size", "padded_vocab_size"}, 0);
    const double experts = config.get({"n_routed_experts"}, 0);
    const double shared = config.get({"n_shared_experts"}, 0);
    const double expert_ffn = config.get({"moe_intermediate_size"}, 0);
    const double plain_layers = experts > 0 ? std::min(layers, config.get({"first_k_dense_replace"}, 0)) : layers;
    const double attention = hidden * head_dim * (2 * heads + 2 * kv_heads);
    return layers * attention + plain_layers * 3 * hidden * ffn + (layers - plain_layers) * (3 * hidden * expert_ffn * (experts + shared) + hidden * experts) +
           (ties_embeddings ? 1 : 2) * vocabulary * hidden;
}

double vision_parameters(Numbers& config) {
    const double hidden = config.get({"hidden_size"}, 0);
    const double out = config.get({"out_hidden_size"}, 0);
    const double patch = config.get({"patch_size"}, 14);
    const double merge = config.get({"spatial_merge_size"}, 2);
    const double side = config.get({"image_size"}, 336) / std::max(1.0, patch);
    const double blocks = config.get({"depth"}, 0) * (4 * hidden * hidden + 3 * hidden * out);
    const double merger = merge * merge * hidden * out + out * out + 3 * out * config.get({"intermediate_size"}, 0);
    return blocks + merger + hidden * (kColours * kTemporalPatch * patch * patch + side * side);
}

void read_quantizer(const json& config, CheckpointShape& shape) {
    for (const char* const key : {"quantization_config", "quantization"}) {
        const auto found = config.find(key);
        if (found == config.end() || !found->is_object()) {
            continue;
        }
        const json method = found->value("quant_method", json());
        const json bits = found->value("bits", json());
        if (method.is_string()) {
            shape.quantizer = method.get<std::string>();
        } else if (found->contains("group_size") && bits.is_number_integer()) { // MLX names no method
            shape.quantizer = "mlx";
        }
        shape.bits = bits.is_number_integer() ? static_cast<int>(std::clamp<std::int64_t>(bits.get<std::int64_t>(), 0, 64)) : shape.bits;
    }
}

/// Which families a name of the bundled registry stands for.
struct NamedFamily {
    std::string_view name;
    std::array<std::string_view, 2> families;
};
constexpr std::array kNamedFamilies{
    NamedFamily{"glm-4.1v-thinking", {"glm4v", "glm4"}}, // as GGUF its decoder is a "glm4"
    NamedFamily{"glm-4.5v", {"glm4v_moe", "glm4moe"}},
    NamedFamily{"glm4-chat-1m", {"chatglm", "glm"}},
    NamedFamily{"glm4-0414", {"glm4", "glm4"}},
};

/// What a format's files may say, and how many bits of them a weight may take.
struct FormatRule {
    std::string_view format;
    std::array<std::string_view, 2> quantizers;
    double bits_min;
    double bits_max;
};
constexpr std::array kFormatRules{
    FormatRule{"pytorch", {"", ""}, 14, 34},
    FormatRule{"awq", {"awq", "compressed-tensors"}, 3.5, 17},
    FormatRule{"gptq", {"gptq", "compressed-tensors"}, 2, 17},
    FormatRule{"fp8", {"fp8", "compressed-tensors"}, 7, 17},
    FormatRule{"mlx", {"mlx", "mlx"}, 2.5, 34},
    FormatRule{"ggufv2", {"", ""}, 1.5, 34},
};

Error differs(const ModelRow& row, const std::string& what) {
    const std::string& remark = row.spec->remark.empty() ? row.model->remark : row.spec->remark;
    return {ErrorCode::InvalidArgument, fmt::format("this is not {}: {}{}", row.arguments(), what, remark.empty() ? "" : fmt::format(" (of the row it is known: {})", remark))};
}

Result<void> check_family(const CheckpointShape& shape, const ModelRow& row) {
    const auto named = std::find_if(kNamedFamilies.begin(), kNamedFamilies.end(), [&](const NamedFamily& one) { return one.name == row.model->name; });
    if (named != kNamedFamilies.end() && std::find(named->families.begin(), named->families.end(), shape.family) == named->families.end()) {
        return differs(row, fmt::format("it is a model of the family \"{}\", the row wants \"{}\"", one_line(shape.family.substr(0, 64)), named->families[0]));
    }
    const bool is_gguf = row.spec->format == "ggufv2"; // its vision tower is a file of its own
    if (!is_gguf && shape.has_vision != row.model->has_ability("vision")) {
        return differs(row, shape.has_vision ? "it has a vision tower" : "it has no vision tower");
    }
    return {};
}

Result<void> check_quantizer(const CheckpointShape& shape, const ModelRow& row, const FormatRule& rule) {
    const bool is_plain_mlx = rule.format == "mlx" && (row.quantization == "bf16" || row.quantization == "none");
    const bool is_named = std::find(rule.quantizers.begin(), rule.quantizers.end(), shape.quantizer) != rule.quantizers.end();
    if (is_plain_mlx ? !shape.quantizer.empty() : !is_named) {
        return differs(row, fmt::format("its configuration says that it is quantised by \"{}\", the row says {}", one_line(shape.quantizer.substr(0, 64)), row.quantization));
    }
    if (rule.format == "mlx" && !is_plain_mlx && row.quantization != fmt::format("{}bit", shape.bits)) {
        return differs(row, fmt::format("its weights have {} bits, the row says {}", shape.bits, row.quantization));
    }
    return {};
}

} // namespace

Result<CheckpointShape> shape_of_config(std::string_view text) {
    const json config = TRY(parse_json(text, {.bytes_max = kConfigBytesMax}).with_context("config.json"));
    const auto family = config.is_object() ? config.find("model_type") : config.end();
    if (!config.is_object() || family == config.end() || !family->is_string()) {
        return Error{ErrorCode::ParseFailed, "config.json names no model_type"};
    }
    CheckpointShape shape{.family = family->get<std::string>()};
    const auto inner = config.find("text_config");
    const json& text_config = inner != config.end() && inner->is_object() ? *inner : config;
    const json ties = config.value("tie_word_embeddings", text_config.value("tie_word_embeddings", json()));
    Numbers numbers(text_config);
    shape.hidden = static_cast<std::int64_t>(numbers.get({"hidden_size"}, 0));
    shape.layers = static_cast<std::int64_t>(numbers.get({"num_hidden_layers", "num_layers"}, 0));
    shape.parameters = decoder_parameters(numbers, ties.is_boolean() && ties.get<bool>());
    std::string problem = numbers.problem();
    if (const auto vision = config.find("vision_config"); vision != config.end() && vision->is_object()) {
        Numbers of_vision(*vision);
        shape.has_vision = true;
        shape.parameters += vision_parameters(of_vision);
        problem += of_vision.problem();
    }
    if (!problem.empty() || shape.hidden == 0 || shape.layers == 0) {
        return Error{ErrorCode::ParseFailed, fmt::format("config.json: {} is no number from 1 to {}", problem.empty() ? "hidden_size or the number of layers" : problem, kNumberMax)};
    }
    read_quantizer(config, shape);
    return shape;
}

Result<void> check_shape(const CheckpointShape& shape, const ModelRow& row, std::uint64_t weights_bytes) {
    TRY(check_family(shape, row));
    const double promised = row.spec->size_in_billions * 1e9;
    if (std::abs(shape.parameters - promised) > kSizeSlack * promised) {
        return differs(row, fmt::format("with {} layers of width {} it has {:.3g} billion parameters, the row says {}", shape.layers, shape.hidden, shape.parameters / 1e9,
                                        billions_text(row.spec->size_in_billions)));
    }
    const auto rule = std::find_if(kFormatRules.begin(), kFormatRules.end(), [&](const FormatRule& one) { return one.format == row.spec->format; });
    if (rule == kFormatRules.end()) {
        return differs(row, fmt::format("nothing is known of the format {}", row.spec->format));
    }
    TRY(check_quantizer(shape, row, *rule));
    const double bits = 8.0 * static_cast<double>(weights_bytes) / shape.parameters;
    if (bits < rule->bits_min || bits > rule->bits_max) {
        return differs(row, fmt::format("its weights are {} bytes, {:.2g} bits for each of {:.3g} billion parameters; {} takes {} to {}", weights_bytes, bits,
                                        shape.parameters / 1e9, row.spec->format, rule->bits_min, rule->bits_max));
    }
    return {};
}

} // namespace handeye
