// SPDX-License-Identifier: Apache-2.0
#include "engine/models/decoder_names.h"

namespace handeye {
namespace {

DecoderNames hub_names() {
    return {.prefixes = {"model.language_model.", "model.", "language_model.model."},
            .embed = "embed_tokens",
            .norm = "norm",
            .heads = {"lm_head", "language_model.lm_head"},
            .layer = "layers.",
            .in_layer = {.input_norm = "input_layernorm",
                         .pre_mlp_norm = "post_attention_layernorm", // named after what it follows
                         .q = "self_attn.q_proj",
                         .k = "self_attn.k_proj",
                         .v = "self_attn.v_proj",
                         .qkv = "self_attn.qkv_proj",
                         .o = "self_attn.o_proj",
                         .gate = "mlp.gate_proj",
                         .up = "mlp.up_proj",
                         .down = "mlp.down_proj",
                         .gate_up = "mlp.gate_up_proj",
                         .router = "mlp.gate",
                         .router_bias = "mlp.gate.e_score_correction_bias",
                         .expert = "mlp.experts.",
                         .expert_gate = ".gate_proj",
                         .expert_up = ".up_proj",
                         .expert_down = ".down_proj",
                         .stacked_gate = "mlp.switch_mlp.gate_proj",
                         .stacked_up = "mlp.switch_mlp.up_proj",
                         .stacked_down = "mlp.switch_mlp.down_proj",
                         .shared_gate = "mlp.shared_experts.gate_proj",
                         .shared_up = "mlp.shared_experts.up_proj",
                         .shared_down = "mlp.shared_experts.down_proj"}};
}

DecoderNames gguf_names() {
    return {.prefixes = {""},
            .embed = "token_embd",
            .norm = "output_norm",
            .heads = {"output"},
            .layer = "blk.",
            .in_layer = {.input_norm = "attn_norm",
                         .pre_mlp_norm = "ffn_norm",
                         .q = "attn_q",
                         .k = "attn_k",
                         .v = "attn_v",
                         .qkv = "attn_qkv",
                         .o = "attn_output",
                         .down = "ffn_down",
                         .gate_up = "ffn_up"}};
}

} // namespace

const DecoderNames& hub_two_norm_names() {
    static const DecoderNames kNames = hub_names();
    return kNames;
}

const DecoderNames& hub_four_norm_names() {
    static const DecoderNames kNames = [] {
        DecoderNames names = hub_names();
        names.in_layer.post_attention_norm = "post_self_attn_layernorm";
        names.in_layer.post_mlp_norm = "post_mlp_layernorm";
        return names;
    }();
    return kNames;
}

const DecoderNames& chatglm_names() {
    static const DecoderNames kNames = {
        .prefixes = {"transformer."},
        .embed = "embedding.word_embeddings",
        .norm = "encoder.final_layernorm",
        .heads = {"transformer.output_layer"},
        .layer = "encoder.layers.",
        .in_layer = {.input_norm = "input_layernorm",
                     .pre_mlp_norm = "post_attention_layernorm",
                     .qkv = "self_attention.query_key_value",
                     .o = "self_attention.dense",
                     .down = "mlp.dense_4h_to_h",
                     .gate_up = "mlp.dense_h_to_4h"}};
    return kNames;
}

const DecoderNames& gguf_chatglm_names() {
    static const DecoderNames kNames = gguf_names();
    return kNames;
}

const DecoderNames& gguf_glm4_names() {
    static const DecoderNames kNames = [] {
        DecoderNames names = gguf_names();
        names.in_layer.post_attention_norm = "post_attention_norm";
        names.in_layer.post_mlp_norm = "post_ffw_norm";
        return names;
    }();
    return kNames;
}

const DecoderNames& gguf_glm4moe_names() {
    static const DecoderNames kNames = [] {
        DecoderNames names = gguf_names();
        LayerNames& layer = names.in_layer;
        layer.pre_mlp_norm = "post_attention_norm"; // the same string as glm4's, another place
        layer.gate_up = "";
        layer.gate = "ffn_gate";
        layer.up = "ffn_up";
        layer.router = "ffn_gate_inp";
        layer.router_bias = "exp_probs_b.bias";
        layer.stacked_gate = "ffn_gate_exps";
        layer.stacked_up = "ffn_up_exps";
        layer.stacked_down = "ffn_down_exps";
        layer.shared_gate = "ffn_gate_shexp";
        layer.shared_up = "ffn_up_shexp";
        layer.shared_down = "ffn_down_shexp";
        return names;
    }();
    return kNames;
}

} // namespace handeye
