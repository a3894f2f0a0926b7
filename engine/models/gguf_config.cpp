// SPDX-License-Identifier: Apache-2.0
// What GGUF metadata say, in the words of config.json, so that each family reads one language.
#include "engine/models/model_files.h"

#include "base/json.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

struct Words {
    const char* gguf; // after "glm4."
    const char* config;
};

class ConfigWriter {
public:
    ConfigWriter(const GgufMetadata& metadata, std::string prefix, json& out)
        : metadata_(metadata), prefix_(std::move(prefix)), out_(out) {}

    Result<void> integer(Words words) {
        const auto value = metadata_.integer(prefix_ + words.gguf);
        if (!value) {
            return Error{ErrorCode::NotFound, fmt::format("gguf: {}{} is missing or not a whole number", prefix_, words.gguf)};
        }
        put(words.config, *value);
        return {};
    }
    void integer_if_any(Words words) {
        if (const auto value = metadata_.integer(prefix_ + words.gguf)) {
            put(words.config, *value);
        }
    }
    Result<void> number(Words words) {
        const auto value = metadata_.number(prefix_ + words.gguf);
        if (!value) {
            return Error{ErrorCode::NotFound, fmt::format("gguf: {}{} is missing or not a number", prefix_, words.gguf)};
        }
        out_[words.config] = *value;
        return {};
    }

private:
    // Counts are unsigned where they can be, as in a config.json.
    void put(const char* key, std::int64_t value) {
        out_[key] = value < 0 ? json(value) : json(static_cast<std::uint64_t>(value));
    }
    const GgufMetadata& metadata_;
    std::string prefix_;
    json& out_;
};

Result<void> write_text(const GgufMetadata& metadata, const std::string& arch, json& config) {
    ConfigWriter out(metadata, arch + ".", config);
    for (const Words words : {Words{"block_count", "num_hidden_layers"}, Words{"context_length", "max_position_embeddings"},
                              Words{"embedding_length", "hidden_size"}, Words{"feed_forward_length", "intermediate_size"},
                              Words{"attention.head_count", "num_attention_heads"},
                              Words{"attention.head_count_kv", "num_key_value_heads"}}) {
        TRY(out.integer(words));
    }
    out.integer_if_any({"attention.key_length", "head_dim"});
    TRY(out.number({"attention.layer_norm_rms_epsilon", "rms_norm_eps"}));
    TRY(out.number({"rope.freq_base", "rope_theta"}));
    if (const auto kind = metadata.text(arch + ".rope.scaling.type"); kind && *kind != "none") {
        return Error{ErrorCode::Unsupported, fmt::format("gguf: {}.rope.scaling.type is not none", arch)};
    }
    return {};
}

// rope.dimension_count of the head's dimensions rotate.
Result<void> write_rotation(const GgufMetadata& metadata, const std::string& arch, json& config) {
    const auto rotary = metadata.integer(arch + ".rope.dimension_count");
    const auto hidden = config["hidden_size"].get<std::int64_t>();
    const auto heads = config["num_attention_heads"].get<std::int64_t>();
    const std::int64_t head = config.contains("head_dim") ? config["head_dim"].get<std::int64_t>() : heads > 0 ? hidden / heads : 0;
    if (!rotary || *rotary < 2 || *rotary > head) {
        return Error{ErrorCode::InvalidArgument, fmt::format("gguf: {}.rope.dimension_count is {} of a head of {}", arch,
                                                             rotary.value_or(0), head)};
    }
    config["partial_rotary_factor"] = static_cast<double>(*rotary) / static_cast<double>(head);
    const GgufIntegers* sections = metadata.integers(arch + ".rope.dimension_sections");
    if (sections == nullptr) {
        return {};
    }
    if (sections->size() < 3 || std::any_of(sections->begin(), sections->end(), [](std::int64_t n) { return n < 0 || n > 65536; })) {
        return Error{ErrorCode::InvalidArgument, fmt::format("gguf: {}.rope.dimension_sections are not four counts", arch)};
    }
    json three = json::array();
    for (std::size_t i = 0; i < 3; ++i) {
        three.push_back(static_cast<std::uint64_t>((*sections)[i]));
    }
    config["rope_scaling"] = {{"rope_type", "default"}, {"mrope_section", std::move(three)}};
    // With sections the converter has put the rows of q and k in the order that halves rotate in.
    config["rope_pairs"] = "half_split";
    return {};
}

Result<void> write_experts(const GgufMetadata& metadata, const std::string& arch, json& config) {
    ConfigWriter out(metadata, arch + ".", config);
    TRY(out.integer({"expert_count", "n_routed_experts"}));
    TRY(out.integer({"expert_used_count", "num_experts_per_tok"}));
    TRY(out.integer({"expert_feed_forward_length", "moe_intermediate_size"}));
    out.integer_if_any({"expert_shared_count", "n_shared_experts"});
    out.integer_if_any({"leading_dense_block_count", "first_k_dense_replace"});
    if (const auto gating = metadata.integer(arch + ".expert_gating_func").value_or(2); gating != 2) {
        return Error{ErrorCode::Unsupported, fmt::format("gguf: {}.expert_gating_func is {}, this engine knows 2 (sigmoid)", arch, gating)};
    }
    config["routed_scaling_factor"] = metadata.number(arch + ".expert_weights_scale").value_or(1.0);
    config["norm_topk_prob"] = metadata.flag(arch + ".expert_weights_norm").value_or(true);
    // Blocks that predict further tokens are counted with the others and come last.
    const std::int64_t extra = metadata.integer(arch + ".nextn_predict_layers").value_or(0);
    const auto blocks = config["num_hidden_layers"].get<std::int64_t>();
    if (extra < 0 || extra >= blocks) {
        return Error{ErrorCode::InvalidArgument, fmt::format("gguf: {} of {} blocks predict further tokens", extra, blocks)};
    }
    config["num_hidden_layers"] = static_cast<std::uint64_t>(blocks - extra);
    return {};
}

Result<void> write_vision(const GgufMetadata& metadata, json& config) {
    if (metadata.text("clip.projector_type") != "glm4v") {
        return Error{ErrorCode::Unsupported, "gguf: clip.projector_type is not glm4v"};
    }
    json vision = json::object();
    ConfigWriter out(metadata, "clip.vision.", vision);
    for (const Words words : {Words{"embedding_length", "hidden_size"}, Words{"block_count", "depth"},
                              Words{"attention.head_count", "num_heads"}, Words{"image_size", "image_size"},
                              Words{"patch_size", "patch_size"}, Words{"projection_dim", "out_hidden_size"},
                              Words{"feed_forward_length", "intermediate_size"}}) {
        TRY(out.integer(words));
    }
    out.integer_if_any({"spatial_merge_size", "spatial_merge_size"});
    TRY(out.number({"attention.layer_norm_epsilon", "rms_norm_eps"}));
    config["vision_config"] = std::move(vision);
    return {};
}

void write_tokens(const GgufMetadata& metadata, json& config) {
    const GgufStrings* tokens = metadata.strings("tokenizer.ggml.tokens");
    if (tokens == nullptr) {
        return; // the tokenizer says so
    }
    config["vocab_size"] = tokens->size();
    const auto id_of = [&](std::string_view text) {
        const auto found = std::find(tokens->begin(), tokens->end(), text);
        return found == tokens->end() ? std::int64_t{-1} : std::int64_t{found - tokens->begin()};
    };
    constexpr std::array<std::pair<const char*, const char*>, 6> kImageTokens = {
        {{"image_token_id", "<|image|>"},
         {"video_token_id", "<|video|>"},
         {"image_start_token_id", "<|begin_of_image|>"},
         {"image_end_token_id", "<|end_of_image|>"},
         {"video_start_token_id", "<|begin_of_video|>"},
         {"video_end_token_id", "<|end_of_video|>"}}};
    for (const auto& [key, text] : kImageTokens) {
        if (const std::int64_t id = id_of(text); id >= 0) {
            config[key] = static_cast<std::uint64_t>(id);
        }
    }
    // Converters name one or two of the ids that end a turn; all of these do.
    std::vector<std::int64_t> stops = {id_of("<|endoftext|>"), id_of("<|user|>"), id_of("<|observation|>")};
    for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
        stops.push_back(metadata.integer(key).value_or(-1));
    }
    json ids = json::array();
    for (const std::int64_t id : stops) {
        const bool is_usable = id >= 0 && id < static_cast<std::int64_t>(tokens->size());
        if (is_usable && std::find(ids.begin(), ids.end(), static_cast<std::uint64_t>(id)) == ids.end()) {
            ids.push_back(static_cast<std::uint64_t>(id));
        }
    }
    config["eos_token_id"] = std::move(ids);
}

} // namespace

Result<json> config_of_gguf(const GgufModel& model) {
    const GgufMetadata& metadata = model.metadata();
    const std::string arch(metadata.text("general.architecture").value_or(""));
    const bool has_vision = model.vision != nullptr;
    constexpr std::array<std::string_view, 3> kKnown = {"glm4", "glm4moe", "chatglm"};
    if (std::find(kKnown.begin(), kKnown.end(), arch) == kKnown.end()) {
        return Error{ErrorCode::Unsupported, fmt::format("gguf: the architecture is {}, this engine opens glm4, glm4moe and chatglm",
                                                         dump_json(json(arch)))};
    }
    json config = json::object();
    TRY(write_text(metadata, arch, config));
    TRY(write_rotation(metadata, arch, config));
    config["tie_word_embeddings"] = std::none_of(model.parts.begin(), model.parts.end(), [](const auto& part) {
        return part->tensors().contains("output.weight");
    });
    write_tokens(metadata, config);
    config["model_type"] = arch == "glm4moe" ? "glm4v_moe" : arch == "glm4" && has_vision ? "glm4v" : arch;
    if (arch == "glm4moe") {
        TRY(write_experts(metadata, arch, config));
    }
    if (has_vision && arch != "chatglm") {
        TRY(write_vision(model.vision->metadata(), config));
        if (!config.contains("rope_scaling")) {
            return Error{ErrorCode::Unsupported, fmt::format("gguf: {}.rope.dimension_sections are missing: a file converted without "
                                                             "pictures in mind; convert the model anew", arch)};
        }
    }
    if (arch == "glm4moe" && !has_vision) {
        return Error{ErrorCode::NotFound, "gguf: the vision tower's file (mmproj) is not beside the model"};
    }
    return config;
}

} // namespace handeye
