// SPDX-License-Identifier: Apache-2.0
#include "engine/models/load_decoder.h"

#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

struct LayerLoader {
    WeightLoader& weights;
    const LayerNames& names;
    const DecoderConfig& config;
    std::string at; // "model.layers.0."
    QkvBias bias;

    [[nodiscard]] std::string name(std::string_view part) const { return fmt::format("{}{}", at, part); }
    Result<std::vector<float>> norm(std::string_view part) const {
        return part.empty() ? Result<std::vector<float>>(std::vector<float>())
                            : weights.floats(name(part) + ".weight", {config.hidden});
    }
    Result<std::vector<float>> bias_of(std::string_view module, std::int64_t rows) const {
        const std::string tensor = name(module) + ".bias";
        return bias == QkvBias::Required ? weights.floats(tensor, {rows}) : weights.floats_if_any(tensor, {rows});
    }
};

Result<void> load_attention(const LayerLoader& l, DecoderLayer& layer) {
    const std::int64_t hidden = l.config.hidden;
    const std::int64_t q = std::int64_t{l.config.heads} * l.config.head_dim;
    const std::int64_t kv = std::int64_t{l.config.kv_heads} * l.config.head_dim;
    layer.o = TRY(l.weights.linear(l.name(l.names.o), {.rows = hidden, .cols = q}));
    if (l.names.q.empty() || (!l.names.qkv.empty() && l.weights.has_module(l.name(l.names.qkv)))) {
        const WeightMatrix all = TRY(l.weights.linear(l.name(l.names.qkv), {.rows = q + 2 * kv, .cols = hidden}));
        layer.q = all.rows_from(0, q);
        layer.k = all.rows_from(q, kv);
        layer.v = all.rows_from(q + kv, kv);
        const std::vector<float> bias = TRY(l.bias_of(l.names.qkv, q + 2 * kv));
        if (!bias.empty()) {
            layer.q_bias.assign(bias.begin(), bias.begin() + q);
            layer.k_bias.assign(bias.begin() + q, bias.begin() + q + kv);
            layer.v_bias.assign(bias.begin() + q + kv, bias.end());
        }
        return {};
    }
    layer.q = TRY(l.weights.linear(l.name(l.names.q), {.rows = q, .cols = hidden}));
    layer.k = TRY(l.weights.linear(l.name(l.names.k), {.rows = kv, .cols = hidden}));
    layer.v = TRY(l.weights.linear(l.name(l.names.v), {.rows = kv, .cols = hidden}));
    layer.q_bias = TRY(l.bias_of(l.names.q, q));
    layer.k_bias = TRY(l.bias_of(l.names.k, kv));
    layer.v_bias = TRY(l.bias_of(l.names.v, kv));
    if (layer.q_bias.empty() != layer.k_bias.empty() || layer.q_bias.empty() != layer.v_bias.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{}: only some of q, k and v have a bias", l.at)};
    }
    return {};
}

Result<Mlp> load_mlp(const LayerLoader& l, std::int64_t ffn) {
    const std::int64_t hidden = l.config.hidden;
    Mlp mlp;
    if (l.names.gate.empty() || (!l.names.gate_up.empty() && l.weights.has_module(l.name(l.names.gate_up)))) {
        const WeightMatrix both = TRY(l.weights.linear(l.name(l.names.gate_up), {.rows = 2 * ffn, .cols = hidden}));
        mlp.gate = both.rows_from(0, ffn);
        mlp.up = both.rows_from(ffn, ffn);
    } else {
        mlp.gate = TRY(l.weights.linear(l.name(l.names.gate), {.rows = ffn, .cols = hidden}));
        mlp.up = TRY(l.weights.linear(l.name(l.names.up), {.rows = ffn, .cols = hidden}));
    }
    mlp.down = TRY(l.weights.linear(l.name(l.names.down), {.rows = hidden, .cols = ffn}));
    return mlp;
}

Result<void> load_stacked_experts(const LayerLoader& l, DecoderLayer& layer) {
    const ExpertsConfig& e = l.config.experts;
    const ModuleShape inner{.rows = e.ffn, .cols = l.config.hidden, .stacked = e.count};
    const ModuleShape outer{.rows = l.config.hidden, .cols = e.ffn, .stacked = e.count};
    const WeightMatrix gate = TRY(l.weights.matrix(l.name(l.names.stacked_gate), inner));
    const WeightMatrix up = TRY(l.weights.matrix(l.name(l.names.stacked_up), inner));
    const WeightMatrix down = TRY(l.weights.matrix(l.name(l.names.stacked_down), outer));
    for (std::int64_t i = 0; i < e.count; ++i) {
        layer.experts.push_back({.gate = gate.rows_from(i * inner.rows, inner.rows),
                                 .up = up.rows_from(i * inner.rows, inner.rows),
                                 .down = down.rows_from(i * outer.rows, outer.rows)});
    }
    return {};
}

Result<void> load_experts(const LayerLoader& l, DecoderLayer& layer) {
    const ExpertsConfig& e = l.config.experts;
    layer.router = TRY(l.weights.matrix(l.name(l.names.router), {.rows = e.count, .cols = l.config.hidden}));
    layer.router_bias = TRY(l.weights.floats(l.name(l.names.router_bias), {e.count}));
    LayerNames shared = l.names;
    shared.gate_up = "";
    shared.gate = l.names.shared_gate;
    shared.up = l.names.shared_up;
    shared.down = l.names.shared_down;
    layer.mlp = TRY(load_mlp({l.weights, shared, l.config, l.at, l.bias}, e.shared));
    if (l.names.expert.empty() || l.weights.has_module(l.name(l.names.stacked_gate))) {
        return load_stacked_experts(l, layer);
    }
    LayerNames one;
    one.gate = l.names.expert_gate;
    one.up = l.names.expert_up;
    one.down = l.names.expert_down;
    for (int i = 0; i < e.count; ++i) {
        layer.experts.push_back(
            TRY(load_mlp({l.weights, one, l.config, fmt::format("{}{}{}", l.at, l.names.expert, i), l.bias}, e.ffn)));
    }
    return {};
}

Result<DecoderLayer> load_layer(const LayerLoader& l, bool has_experts) {
    DecoderLayer layer;
    layer.input_norm = TRY(l.norm(l.names.input_norm));
    layer.post_attention_norm = TRY(l.norm(l.names.post_attention_norm));
    layer.pre_mlp_norm = TRY(l.norm(l.names.pre_mlp_norm));
    layer.post_mlp_norm = TRY(l.norm(l.names.post_mlp_norm));
    TRY(load_attention(l, layer));
    if (has_experts) {
        TRY(load_experts(l, layer));
    } else {
        layer.mlp = TRY(load_mlp(l, l.config.ffn));
    }
    return layer;
}

} // namespace

Result<std::string> find_prefix(const WeightLoader& weights, std::string_view probe,
                                const std::vector<std::string_view>& prefixes) {
    for (const std::string_view prefix : prefixes) {
        if (weights.has_module(fmt::format("{}{}", prefix, probe))) {
            return std::string(prefix);
        }
    }
    return Error{ErrorCode::NotFound, fmt::format("the checkpoint lacks the tensor {}{}.weight", prefixes.front(), probe)};
}

Result<Decoder> load_decoder(WeightLoader& weights, const DecoderNames& names, const DecoderConfig& c, bool tied,
                             QkvBias bias) {
    const std::string at = TRY(find_prefix(weights, names.embed, names.prefixes));
    Decoder decoder;
    decoder.config = c;
    const ModuleShape table{.rows = c.vocabulary, .cols = c.hidden};
    decoder.embed = TRY(weights.matrix(fmt::format("{}{}", at, names.embed), table));
    decoder.norm = TRY(weights.floats(fmt::format("{}{}.weight", at, names.norm), {c.hidden}));
    if (tied) {
        decoder.head = decoder.embed;
    } else {
        const std::string prefix = TRY(find_prefix(weights, "", names.heads));
        decoder.head = TRY(weights.matrix(prefix, table));
    }
    for (int i = 0; i < c.layers; ++i) {
        const std::string layer = fmt::format("{}{}{}.", at, names.layer, i);
        const bool has_experts = c.experts.count > 0 && i >= c.experts.first_layer;
        decoder.layers.push_back(TRY(load_layer({weights, names.in_layer, c, layer, bias}, has_experts)));
    }
    // A layer for predicting further tokens may follow the model's own; it is not used. Any other layer there is missed.
    const std::string next = fmt::format("{}{}{}.", at, names.layer, c.layers);
    if (weights.has(next + "eh_proj.weight") || weights.has(next + "nextn.eh_proj.weight")) {
        weights.ignore_prefix(next);
    }
    return decoder;
}

} // namespace handeye
