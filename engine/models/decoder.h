// SPDX-License-Identifier: Apache-2.0
// The text decoder's graph: token rows through all layers, reading and extending a key/value cache.
#pragma once

#include "engine/kernels/ops.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/model.h"
#include "engine/tensor/buffer.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

namespace handeye {

/// Position of a token on the T, H and W axes.
using Position3 = std::array<std::int32_t, 3>;

namespace device {
class PagedCache;
}

/// Where keys and values of all layers lie: (layers, kv_heads, capacity) rows of head_dim each. Those of layers that a device computes lie there.
struct KvView {
    std::byte* k = nullptr;
    std::byte* v = nullptr;
    std::int64_t capacity = 0;
    KvFormat format = KvFormat::F32;
    device::PagedCache* pages = nullptr; ///< null: no device
};

/// Memory of one forward pass, kept between passes. One thread at a time.
struct DecoderScratch {
    Scratch normed, q, k, v, attended, projected, gate, up, cos, sin, last, scores, gathered, expert_out;
    std::vector<kernels::AttentionInput> attentions; ///< one per sequence
};

/// Rows of one sequence: consecutive tokens.
struct SequenceRows {
    KvView kv;
    std::int64_t past = 0; ///< cached tokens before these rows; past + rows <= capacity
    std::int64_t rows = 0;
};

/// The rows of all sequences, one after the other. A row's result does not depend on the other sequences.
struct DecoderStep {
    std::span<const Position3> positions; ///< one per row
    std::span<const SequenceRows> sequences;
    int layers = -1; ///< so many of the first ones; -1: all
};

/// cos and sin (rows, rotary_dims / 2) of the angles at these positions.
void fill_rope(const DecoderConfig& config, std::span<const Position3> positions, Matrix cos, Matrix sin);

/// hidden (rows, hidden): the embeddings of consecutive tokens.
void embed_tokens(const Decoder& decoder, std::span<const TokenId> ids, Matrix hidden);

enum class Finished { Yes, Stopped };
/// hidden (rows, hidden) becomes the residual stream after the last layer. A stop request is seen between layers;
/// then hidden and the cache rows from each `past` on are garbage.
Finished run_decoder(const Decoder& decoder, ThreadPool& pool, DecoderScratch& scratch, const DecoderStep& step,
                     Matrix hidden, std::stop_token stop, const Tap& tap = {});

/// logits (rows, vocabulary) of residual rows.
void run_head(const Decoder& decoder, ThreadPool& pool, DecoderScratch& scratch, ConstMatrix hidden, Matrix logits);

} // namespace handeye
