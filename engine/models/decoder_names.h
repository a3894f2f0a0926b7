// SPDX-License-Identifier: Apache-2.0
// How a family's decoder tensors are called in a container: data, no code. Modules are named without ".weight".
#pragma once

#include <string_view>
#include <vector>

namespace handeye {

/// Parts that are empty do not exist in the family; of fused and separate spellings the one in the file counts.
struct LayerNames {
    std::string_view input_norm;
    std::string_view post_attention_norm;
    std::string_view pre_mlp_norm;
    std::string_view post_mlp_norm;
    std::string_view q, k, v;
    std::string_view qkv; ///< rows: all of q, then k, then v
    std::string_view o;
    std::string_view gate, up, down;
    std::string_view gate_up; ///< rows: gate, then up
    std::string_view router;
    std::string_view router_bias; ///< a whole tensor name
    std::string_view expert;      ///< "mlp.experts." before "0.gate_proj"
    std::string_view expert_gate, expert_up, expert_down;    ///< after the number
    std::string_view stacked_gate, stacked_up, stacked_down; ///< all experts in one tensor
    std::string_view shared_gate, shared_up, shared_down;
};

struct DecoderNames {
    std::vector<std::string_view> prefixes; ///< before everything but the head; the published one first
    std::string_view embed, norm;
    std::vector<std::string_view> heads; ///< whole names
    std::string_view layer;              ///< "layers." before the number
    LayerNames in_layer;
};

/// The spelling of the Hugging Face classes, with four norms in a layer (0414, 4.1V) or two.
const DecoderNames& hub_four_norm_names();
const DecoderNames& hub_two_norm_names();
/// The original glm-4-9b-chat files.
const DecoderNames& chatglm_names();
/// GGUF files by architecture.
const DecoderNames& gguf_glm4_names();
const DecoderNames& gguf_chatglm_names();
const DecoderNames& gguf_glm4moe_names();

} // namespace handeye
