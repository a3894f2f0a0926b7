// SPDX-License-Identifier: Apache-2.0
// Writes tiny GGUF models whose bytes come from a counter; tests/oracle/gguf_twins.py makes the same ones for the reference.
#pragma once

#include "engine/tokenizer/byte_alphabet.h"
#include "gguf_builder.h"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace handeye::twin {

using nlohmann::json;

// The first `count` outputs of SplitMix64 from the FNV-1a hash of `name`.
inline std::vector<std::uint64_t> words(const std::string& name, std::size_t count) {
    std::uint64_t state = 0xCBF29CE484222325U;
    for (const char c : name) {
        state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    }
    std::vector<std::uint64_t> out(count);
    for (std::uint64_t& word : out) {
        std::uint64_t z = state += 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
        word = z ^ (z >> 31U);
    }
    return out;
}

inline std::string random_bytes(const std::string& name, std::size_t count) {
    const std::vector<std::uint64_t> source = words(name, (count + 7) / 8);
    return {reinterpret_cast<const char*>(source.data()), count};
}

inline void put_16(std::string& bytes, std::size_t at, std::uint16_t value) { std::memcpy(bytes.data() + at, &value, sizeof value); }

// Sixteen bits as they come, but with one of four exponents.
inline std::string sixteen_bits(const std::string& name, const json& type, std::size_t elements) {
    const auto keep = type["keep"].get<unsigned>();
    const auto shift = type["shift"].get<unsigned>();
    const auto lowest = type["exponent"].get<unsigned>();
    std::string bytes = random_bytes(name, 2 * elements);
    for (std::size_t at = 0; at < bytes.size(); at += 2) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, bytes.data() + at, sizeof bits);
        put_16(bytes, at, static_cast<std::uint16_t>((bits & keep) | (lowest + ((bits >> shift) & 3U)) << shift));
    }
    return bytes;
}

// Blocks as they come, but for their scale and minimum.
inline std::string blocks(const std::string& name, const json& type, std::size_t elements) {
    const auto block = type["bytes"].get<std::size_t>();
    const auto scale_at = type["scale_at"].get<std::size_t>();
    const auto scale = type["scale"].get<std::uint16_t>();
    const std::size_t minimum_at = type["minimum_at"].is_null() ? scale_at : type["minimum_at"].get<std::size_t>();
    const std::uint16_t minimum = type["minimum_at"].is_null() ? scale : type["minimum"].get<std::uint16_t>();
    std::string bytes = random_bytes(name, elements / type["elements"].get<std::size_t>() * block);
    for (std::size_t at = 0; at < bytes.size(); at += block) {
        put_16(bytes, at + scale_at, scale);
        put_16(bytes, at + minimum_at, minimum);
    }
    return bytes;
}

// Norm weights in 0.5 to 1.5, biases in -0.25 to 0.25.
inline std::string vector_bytes(const std::string& name, std::size_t count) {
    const bool is_bias = name.ends_with("bias");
    std::string bytes;
    for (const std::uint64_t word : words(name, count)) {
        const double unit = static_cast<double>(word >> 40U) / (1U << 24U);
        bytes += GgufBuilder::raw(static_cast<float>(is_bias ? unit * 0.5 - 0.25 : unit + 0.5));
    }
    return bytes;
}

// Writes a twin's tensors; the types of a role are taken layer by layer.
class TwinWriter {
public:
    TwinWriter(GgufBuilder& file, const json& types, const json& twin) : file_(file), types_(types), twin_(twin) {}

    void matrix(const std::string& role, const std::string& prefix, std::uint64_t rows, std::uint64_t columns, std::size_t layer = 0) {
        std::string kind;
        for (const json& run : twin_["types"][role]) {
            kind = run[0];
            if (layer < run[1].get<std::size_t>()) {
                break;
            }
            layer -= run[1].get<std::size_t>();
        }
        const std::string name = prefix + role + ".weight";
        const json& type = types_[kind];
        const auto bytes_of = type.contains("keep") ? sixteen_bits : blocks;
        file_.tensor(name, {columns, rows}, type["id"], bytes_of(name, type, rows * columns));
    }
    void vector(const std::string& name, std::uint64_t count) { file_.tensor(name, {count}, GgufBuilder::kTensorF32, vector_bytes(name, count)); }

private:
    GgufBuilder& file_;
    const json& types_;
    const json& twin_;
};

inline void write_tokenizer(GgufBuilder& file, std::size_t vocabulary, bool is_chatglm) {
    std::vector<std::string> tokens;
    for (unsigned code = 0x21; tokens.size() < 256; ++code) { // the characters that stand for bytes
        std::string character(1, static_cast<char>(code));
        if (code >= 0x80) {
            character = {static_cast<char>(0xC0U | code >> 6U), static_cast<char>(0x80U | (code & 0x3FU))};
        }
        if (ByteAlphabet().bytes_of(character)) {
            tokens.push_back(std::move(character));
        }
    }
    std::vector<std::int32_t> kinds(tokens.size(), 1);
    for (const char* special : {"<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>", "<|system|>"}) {
        tokens.emplace_back(special);
        kinds.push_back(3);
    }
    while (tokens.size() < vocabulary) {
        tokens.push_back("[PAD" + std::to_string(tokens.size()) + "]");
        kinds.push_back(5);
    }
    file.word("tokenizer.ggml.model", "gpt2").word("tokenizer.ggml.pre", is_chatglm ? "chatglm-bpe" : "glm4");
    file.words("tokenizer.ggml.tokens", tokens).counts("tokenizer.ggml.token_type", kinds).words("tokenizer.ggml.merges", {});
    file.count("tokenizer.ggml.eos_token_id", 256).word("tokenizer.chat_template", "[gMASK]<sop>");
}

/// The bytes of the file. `types`: what each tensor type's blocks look like; `twin`: shape, family and the types of its tensors.
inline std::string file_of(const json& types, const json& twin) {
    const std::uint64_t hidden = twin["hidden"], head = twin["head"], vocabulary = twin["vocabulary"], ffn = twin["ffn"];
    const std::uint64_t q = twin["heads"].get<std::uint64_t>() * head, kv = twin["kv_heads"].get<std::uint64_t>() * head;
    const std::string arch = twin["arch"];
    const bool is_fused = arch == "chatglm";
    GgufBuilder file;
    file.word("general.architecture", arch).count(arch + ".block_count", twin["layers"]).count(arch + ".context_length", 1U << 20U);
    file.count(arch + ".embedding_length", twin["hidden"]).count(arch + ".feed_forward_length", twin["ffn"]);
    file.count(arch + ".attention.head_count", twin["heads"]).count(arch + ".attention.head_count_kv", twin["kv_heads"]);
    file.count(arch + ".attention.key_length", twin["head"]).count(arch + ".attention.value_length", twin["head"]);
    file.real(arch + ".attention.layer_norm_rms_epsilon", twin["eps"]).real(arch + ".rope.freq_base", twin["theta"]);
    file.count(arch + ".rope.dimension_count", twin["head"].get<std::uint32_t>() / 2);
    write_tokenizer(file, vocabulary, is_fused);

    TwinWriter out(file, types, twin);
    out.matrix("token_embd", "", vocabulary, hidden);
    out.vector("output_norm.weight", hidden);
    out.matrix("output", "", vocabulary, hidden);
    for (std::size_t i = 0; i < twin["layers"]; ++i) {
        const std::string p = "blk." + std::to_string(i) + ".";
        for (const char* norm : {"attn_norm.weight", "ffn_norm.weight"}) {
            out.vector(p + norm, hidden);
        }
        if (is_fused) {
            out.matrix("attn_qkv", p, q + 2 * kv, hidden, i);
            out.vector(p + "attn_qkv.bias", q + 2 * kv);
        } else {
            for (const auto& [role, rows] : {std::pair("attn_q", q), {"attn_k", kv}, {"attn_v", kv}}) {
                out.matrix(role, p, rows, hidden, i);
            }
            out.vector(p + "post_attention_norm.weight", hidden);
            out.vector(p + "post_ffw_norm.weight", hidden);
        }
        out.matrix("attn_output", p, hidden, q, i);
        out.matrix("ffn_up", p, 2 * ffn, hidden, i);
        out.matrix("ffn_down", p, hidden, ffn, i);
    }
    return file.build();
}

} // namespace handeye::twin
