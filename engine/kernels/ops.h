// SPDX-License-Identifier: Apache-2.0
// The coarse operations that graphs are made of. They know shapes, not models. Activations and sums are float.
// `kernels::reference` holds the same operations as plain loops: what the fast ones are tested against.
// Shapes are promises of the caller (CHECKed), pointers are borrowed for the call.
#pragma once

#include "engine/kernels/thread_pool.h"
#include "engine/kv_format.h"
#include "engine/quant/weight_matrix.h"
#include "engine/tensor/tensor.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace handeye::kernels {

enum class Into { Overwrite, Add };
inline constexpr std::int64_t kFewRows = 16; ///< up to here weights are read once and never packed into panels

/// cos and sin of one row's rotary angles: (rows, pairs) each.
struct RopeTable {
    ConstMatrix cos;
    ConstMatrix sin;
};

/// Of one head of one token.
std::int64_t kv_row_bytes(KvFormat format, int head_dim);
/// What does not fit a half becomes the largest one.
void store_kv_row(KvFormat format, std::span<const float> row, std::byte* to);
/// The floats that the bytes stand for.
void load_kv_row(KvFormat format, const std::byte* from, std::span<float> row);

/// One attention over `q.rows` consecutive positions. Key and value of position p and kv head h start at
/// k + h * kv_head_stride + p * kv_row_stride. Query head i reads kv head i / (n_heads / n_kv_heads).
struct AttentionInput {
    ConstMatrix q;                    ///< (rows, n_heads * head_dim)
    const std::byte* k = nullptr;     ///< aligned for floats where they are floats
    const std::byte* v = nullptr;
    KvFormat kv_format = KvFormat::F32;
    std::int64_t kv_row_stride = 0;   ///< bytes
    std::int64_t kv_head_stride = 0;  ///< bytes
    std::int64_t n_keys = 0;
    int n_heads = 0;
    int n_kv_heads = 0;
    int head_dim = 0;
    float scale = 1;
    bool causal = false;              ///< row i sees the first n_keys - rows + i + 1 keys; else all
};

/// y = x w^T + bias. x (m, k), w (n, k) in any format, bias empty or (n), y (m, n). Into::Add adds to y.
/// Up to kFewRows rows, a row's result does not depend on what is computed beside it: one answer and eight at once give the same.
/// What an adapter adds (w.added) is added as two narrow products. Packed weights are decoded a few rows at a time, into memory that stays in the cache.
void matmul(ThreadPool& pool, ConstMatrix x, const WeightMatrix& w, std::span<const float> bias, Matrix y,
            Into into = Into::Overwrite);
/// y = x / rms(x) * weight, by rows. y may be x.
void rms_norm(ThreadPool& pool, ConstMatrix x, std::span<const float> weight, float eps, Matrix y);
/// x = (x - mean) / std * weight + bias, by rows.
void layer_norm(ThreadPool& pool, Matrix x, std::span<const float> weight, std::span<const float> bias, float eps);
/// y = silu(gate) * up. y may be gate.
void silu_mul(ThreadPool& pool, ConstMatrix gate, ConstMatrix up, Matrix y);
/// y += x
void add(ThreadPool& pool, ConstMatrix x, Matrix y);
/// x = x * (1 + erf(x / sqrt 2)) / 2
void gelu_erf(ThreadPool& pool, Matrix x);
/// Rotates pairs (2j, 2j+1), j < pairs, of every head of x (rows, n_heads * head_dim).
void rope_interleaved(ThreadPool& pool, Matrix x, int n_heads, const RopeTable& table);
/// Rotates pairs (j, j + pairs) of every head.
void rope_half_split(ThreadPool& pool, Matrix x, int n_heads, const RopeTable& table);
/// y (rows, n_heads * head_dim) = softmax(q k^T * scale) v. Several at once share the threads; their rows of y follow each other.
/// A row's result does not depend on what is computed beside it.
void attention(ThreadPool& pool, std::span<const AttentionInput> inputs, Matrix y);
/// Row `row` of w (n, k) as floats.
void copy_row(const WeightMatrix& w, std::int64_t row, std::span<float> out);

namespace reference {
void matmul(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias, Matrix y, Into into = Into::Overwrite);
void rms_norm(ConstMatrix x, std::span<const float> weight, float eps, Matrix y);
void silu_mul(ConstMatrix gate, ConstMatrix up, Matrix y);
void attention(const AttentionInput& input, Matrix y);
} // namespace reference

} // namespace handeye::kernels
