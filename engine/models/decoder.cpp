// SPDX-License-Identifier: Apache-2.0
#include "engine/models/decoder.h"

#include "base/result.h"
#include "engine/kernels/ops.h"
#include "engine/models/router.h"

#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace handeye {
namespace {

using kernels::RopeTable;

// Rows (rows, kv_heads * head_dim) of one sequence into (kv_heads, capacity) rows from position `past` on.
void store_rows(const DecoderConfig& c, ConstMatrix rows, std::byte* layer, const SequenceRows& sequence) {
    const std::int64_t row_bytes = kernels::kv_row_bytes(sequence.kv.format, c.head_dim);
    for (std::int64_t i = 0; i < rows.rows; ++i) {
        for (int head = 0; head < c.kv_heads; ++head) {
            const std::span row(rows.row(i) + std::int64_t{head} * c.head_dim, static_cast<std::size_t>(c.head_dim));
            kernels::store_kv_row(sequence.kv.format, row, layer + (head * sequence.kv.capacity + sequence.past + i) * row_bytes);
        }
    }
}

// x (rows, hidden) -> attention output (rows, hidden)
Matrix attention_part(const DecoderConfig& c, const DecoderLayer& w, ThreadPool& pool, DecoderScratch& s,
                      const DecoderStep& step, std::int64_t layer, const RopeTable& rope, ConstMatrix x) {
    const std::int64_t rows = x.rows;
    const Matrix q = s.q.matrix(rows, std::int64_t{c.heads} * c.head_dim);
    const Matrix k = s.k.matrix(rows, std::int64_t{c.kv_heads} * c.head_dim);
    const Matrix v = s.v.matrix(rows, std::int64_t{c.kv_heads} * c.head_dim);
    kernels::matmul(pool, x, w.q, w.q_bias, q);
    kernels::matmul(pool, x, w.k, w.k_bias, k);
    kernels::matmul(pool, x, w.v, w.v_bias, v);
    const auto rotate = c.rope_pairs == RopePairs::Interleaved ? kernels::rope_interleaved : kernels::rope_half_split;
    rotate(pool, q, c.heads, rope);
    rotate(pool, k, c.kv_heads, rope);
    const Matrix attended = s.attended.matrix(rows, q.cols);
    s.attentions.clear();
    std::int64_t row = 0;
    for (const SequenceRows& sequence : step.sequences) {
        const std::int64_t row_bytes = kernels::kv_row_bytes(sequence.kv.format, c.head_dim);
        const std::int64_t head_bytes = sequence.kv.capacity * row_bytes;
        const std::int64_t layer_offset = layer * c.kv_heads * head_bytes;
        store_rows(c, k.rows_from(row, sequence.rows), sequence.kv.k + layer_offset, sequence);
        store_rows(c, v.rows_from(row, sequence.rows), sequence.kv.v + layer_offset, sequence);
        s.attentions.push_back({.q = q.rows_from(row, sequence.rows),
                                .k = sequence.kv.k + layer_offset,
                                .v = sequence.kv.v + layer_offset,
                                .kv_format = sequence.kv.format,
                                .kv_row_stride = row_bytes,
                                .kv_head_stride = head_bytes,
                                .n_keys = sequence.past + sequence.rows,
                                .n_heads = c.heads,
                                .n_kv_heads = c.kv_heads,
                                .head_dim = c.head_dim,
                                .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)),
                                .causal = true});
        row += sequence.rows;
    }
    kernels::attention(pool, s.attentions, attended);
    const Matrix out = s.projected.matrix(rows, c.hidden);
    kernels::matmul(pool, attended, w.o, {}, out);
    return out;
}

// y (+)= down(silu(gate(x)) * up(x)); x and y (rows, hidden)
void run_mlp(const Mlp& w, ThreadPool& pool, DecoderScratch& s, ConstMatrix x, Matrix y, kernels::Into into) {
    const Matrix gate = s.gate.matrix(x.rows, w.gate.rows);
    const Matrix up = s.up.matrix(x.rows, w.up.rows);
    kernels::matmul(pool, x, w.gate, {}, gate);
    kernels::matmul(pool, x, w.up, {}, up);
    kernels::silu_mul(pool, gate, up, gate);
    kernels::matmul(pool, gate, w.down, {}, y, into);
}

// x (rows, hidden) -> (rows, hidden)
Matrix mlp_part(const DecoderConfig& c, const DecoderLayer& w, ThreadPool& pool, DecoderScratch& s, ConstMatrix x) {
    const Matrix out = s.projected.matrix(x.rows, c.hidden);
    run_mlp(w.mlp, pool, s, x, out, kernels::Into::Overwrite);
    if (!w.router) {
        return out;
    }
    const Matrix scores = s.scores.matrix(x.rows, c.experts.count);
    kernels::matmul(pool, x, w.router, {}, scores);
    const std::vector<ExpertRows> chosen = route(c.experts, w.router_bias, scores);
    for (std::size_t expert = 0; expert < chosen.size(); ++expert) {
        const ExpertRows& rows = chosen[expert];
        if (rows.empty()) {
            continue;
        }
        const auto count = static_cast<std::int64_t>(rows.size());
        const Matrix in = s.gathered.matrix(count, c.hidden);
        for (std::int64_t i = 0; i < count; ++i) {
            std::memcpy(in.row(i), x.row(rows[static_cast<std::size_t>(i)].row),
                        static_cast<std::size_t>(c.hidden) * sizeof(float));
        }
        const Matrix result = s.expert_out.matrix(count, c.hidden);
        run_mlp(w.experts[expert], pool, s, in, result, kernels::Into::Overwrite);
        for (std::int64_t i = 0; i < count; ++i) {
            const RoutedRow& routed = rows[static_cast<std::size_t>(i)];
            float* to = out.row(routed.row);
            for (std::int64_t k = 0; k < c.hidden; ++k) {
                to[k] += routed.weight * result.row(i)[k];
            }
        }
    }
    return out;
}

} // namespace

// Angles in float, as the reference forms them: position * theta^(-2j/rotary), the axis chosen by section.
void fill_rope(const DecoderConfig& c, std::span<const Position3> positions, Matrix cos, Matrix sin) {
    for (int j = 0; j < c.rotary_dims / 2; ++j) {
        const auto frequency = static_cast<float>(std::pow(c.rope_theta, -2.0 * j / c.rotary_dims));
        const std::size_t axis = j < c.rope_sections[0] ? 0 : j < c.rope_sections[0] + c.rope_sections[1] ? 1 : 2;
        for (std::int64_t i = 0; i < cos.rows; ++i) {
            const float angle = static_cast<float>(positions[static_cast<std::size_t>(i)][axis]) * frequency;
            cos.row(i)[j] = std::cos(angle);
            sin.row(i)[j] = std::sin(angle);
        }
    }
}

void embed_tokens(const Decoder& decoder, std::span<const TokenId> ids, Matrix hidden) {
    CHECK(hidden.rows == static_cast<std::int64_t>(ids.size()));
    for (std::int64_t i = 0; i < hidden.rows; ++i) {
        kernels::copy_row(decoder.embed, ids[static_cast<std::size_t>(i)], hidden.row_span(i));
    }
}

Finished run_decoder(const Decoder& decoder, ThreadPool& pool, DecoderScratch& s, const DecoderStep& step, Matrix x,
                     std::stop_token stop, const Tap& tap) {
    const DecoderConfig& c = decoder.config;
    CHECK(x.rows == static_cast<std::int64_t>(step.positions.size()));
    std::int64_t rows = 0;
    for (const SequenceRows& sequence : step.sequences) {
        CHECK(sequence.past + sequence.rows <= sequence.kv.capacity);
        rows += sequence.rows;
    }
    CHECK(x.rows == rows);
    const Matrix cos = s.cos.matrix(rows, c.rotary_dims / 2);
    const Matrix sin = s.sin.matrix(rows, c.rotary_dims / 2);
    fill_rope(c, step.positions, cos, sin);
    const RopeTable rope{cos, sin};
    const Matrix normed = s.normed.matrix(x.rows, c.hidden);
    if (tap) {
        tap("hidden_in", x);
    }
    for (std::int64_t i = 0; i < (step.layers < 0 ? c.layers : step.layers); ++i) {
        if (stop.stop_requested()) {
            return Finished::Stopped;
        }
        const DecoderLayer& w = decoder.layers[static_cast<std::size_t>(i)];
        // h = x + attention(RMS(x)), the attention's output normed too where the family does
        kernels::rms_norm(pool, x, w.input_norm, c.rms_eps, normed);
        const Matrix attended = attention_part(c, w, pool, s, step, i, rope, normed);
        if (!w.post_attention_norm.empty()) {
            kernels::rms_norm(pool, attended, w.post_attention_norm, c.rms_eps, attended);
        }
        kernels::add(pool, attended, x);
        // x' = h + mlp(RMS(h)), its output likewise
        kernels::rms_norm(pool, x, w.pre_mlp_norm, c.rms_eps, normed);
        const Matrix out = mlp_part(c, w, pool, s, normed);
        if (!w.post_mlp_norm.empty()) {
            kernels::rms_norm(pool, out, w.post_mlp_norm, c.rms_eps, out);
        }
        kernels::add(pool, out, x);
        if (tap) {
            tap(fmt::format("hidden_{}", i), x);
        }
    }
    return Finished::Yes;
}

void run_head(const Decoder& decoder, ThreadPool& pool, DecoderScratch& s, ConstMatrix hidden, Matrix logits) {
    const Matrix normed = s.last.matrix(hidden.rows, hidden.cols);
    kernels::rms_norm(pool, hidden, decoder.norm, decoder.config.rms_eps, normed);
    kernels::matmul(pool, normed, decoder.head, {}, logits);
}

} // namespace handeye
