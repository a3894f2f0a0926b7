// SPDX-License-Identifier: Apache-2.0
// Softmax attention in blocks of keys with a running maximum, so that scores never leave the cache. Sums are closed after each span of keys and
// put together at the end (Dao et al. 2023, "Flash-Decoding"): a long context is shared among threads, and a million keys lose no digits.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/attention.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/cpu/gemm-inl.h"
#include "engine/kernels/ops.h"

#include "base/result.h"
#include "engine/tensor/aligned_vector.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::kernels::HWY_NAMESPACE {

constexpr std::int64_t kKeyBlock = 4 * kPanel; // keys whose scores exist at one time
constexpr std::int64_t kQueryRows = 96;        // query rows of a task, all heads of a kv head together
constexpr std::int64_t kSpan = 2048;           // keys that one sum runs over

// Weighted values and weights by row of work, both relative to e^highest.
struct AttentionSums {
    AlignedVector<float> out, highest, total;

    void reset(std::int64_t rows, std::int64_t dim) {
        out.assign(static_cast<std::size_t>(rows * dim), 0.0F);
        highest.assign(static_cast<std::size_t>(rows), -std::numeric_limits<float>::infinity());
        total.assign(static_cast<std::size_t>(rows), 0.0F);
    }
    void add(const AttentionSums& more) {
        const std::size_t dim = out.size() / highest.size();
        for (std::size_t r = 0; r < highest.size(); ++r) {
            if (more.total[r] == 0) {
                continue; // the row sees no key of that span
            }
            const float now = std::max(highest[r], more.highest[r]);
            const float keep = std::exp(highest[r] - now);
            const float factor = std::exp(more.highest[r] - now);
            for (std::size_t i = r * dim; i < (r + 1) * dim; ++i) {
                out[i] = out[i] * keep + more.out[i] * factor;
            }
            total[r] = total[r] * keep + more.total[r] * factor;
            highest[r] = now;
        }
    }
};

struct AttentionScratch {
    AlignedVector<float> q, k_rows, k_panel, v_rows, scores;
    AttentionSums span, all;
};

// One kv head and the rows first..first+count of the queries; rows of the work are (position, head of the group).
struct AttentionTask {
    const AttentionInput& in;
    int kv_head;
    std::int64_t first;
    std::int64_t count;
    std::int64_t group;
    std::int64_t dim_padded;

    [[nodiscard]] std::int64_t rows() const { return count * group; }
    [[nodiscard]] std::int64_t keys_seen(std::int64_t row) const {
        return in.causal ? in.n_keys - in.q.rows + first + row / group + 1 : in.n_keys;
    }
    [[nodiscard]] std::int64_t head_column(std::int64_t row) const {
        return (kv_head * group + row % group) * in.head_dim;
    }
};

inline void load_queries(const AttentionTask& task, AttentionScratch& s) {
    for (std::int64_t r = 0; r < task.rows(); ++r) {
        const float* from = task.in.q.row(task.first + r / task.group) + task.head_column(r);
        for (int d = 0; d < task.in.head_dim; ++d) {
            s.q[static_cast<std::size_t>(r * task.in.head_dim + d)] = from[d] * task.in.scale;
        }
    }
}

// scores[row][0..width) become weights relative to the running maximum; the row's sums so far shrink to match.
inline void soften(const AttentionTask& task, AttentionScratch& s, std::int64_t row, std::int64_t key,
                   std::int64_t width) {
    const FloatTag d;
    float* scores = s.scores.data() + row * kKeyBlock;
    const std::int64_t valid = std::clamp<std::int64_t>(task.keys_seen(row) - key, 0, width);
    std::fill(scores + valid, scores + kKeyBlock, -std::numeric_limits<float>::infinity());
    if (valid == 0) {
        std::fill(scores, scores + kKeyBlock, 0.0F);
        return;
    }
    Vec top = hn::Set(d, s.span.highest[static_cast<std::size_t>(row)]);
    for (std::int64_t i = 0; i < kKeyBlock; i += kLanes) {
        top = hn::Max(top, hn::LoadU(d, scores + i));
    }
    const float before = s.span.highest[static_cast<std::size_t>(row)];
    const float now = hn::GetLane(hn::MaxOfLanes(d, top));
    const Vec shift = hn::Set(d, now);
    Vec sum = hn::Zero(d);
    const Vec lowest = hn::Set(d, -100.0F); // e^-100 is zero beside a weight of one, and finite for Exp
    for (std::int64_t i = 0; i < kKeyBlock; i += kLanes) {
        const Vec x = hn::Sub(hn::LoadU(d, scores + i), shift);
        const Vec e = hn::IfThenElseZero(hn::Gt(x, lowest), hn::Exp(d, hn::Max(x, lowest)));
        hn::StoreU(e, d, scores + i);
        sum = hn::Add(sum, e);
    }
    const float keep = before == now ? 1.0F : hn::GetLane(hn::Exp(d, hn::Max(hn::Set(d, before - now), lowest)));
    float& total = s.span.total[static_cast<std::size_t>(row)];
    total = total * keep + hn::GetLane(hn::SumOfLanes(d, sum));
    s.span.highest[static_cast<std::size_t>(row)] = now;
    if (keep != 1.0F) {
        float* out = s.span.out.data() + row * task.dim_padded;
        for (std::int64_t i = 0; i < task.dim_padded; i += kLanes) {
            hn::StoreU(hn::Mul(hn::LoadU(d, out + i), hn::Set(d, keep)), d, out + i);
        }
    }
}

HWY_INLINE void widen_halves(const std::byte* from, std::int64_t count, float* to) {
    const FloatTag d;
    const auto* halves = reinterpret_cast<const hwy::float16_t*>(from);
    std::int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        hn::StoreU(load_wide(d, halves + i), d, to + i);
    }
    for (; i < count; ++i) {
        to[i] = widen(halves + i);
    }
}

HWY_INLINE void widen_codes(const std::byte* from, std::int64_t count, float* to) {
    const FloatTag d;
    const hn::Rebind<std::int32_t, FloatTag> d32;
    const hn::Rebind<std::int8_t, FloatTag> d8;
    const auto* codes = reinterpret_cast<const std::int8_t*>(from);
    const auto* scales = reinterpret_cast<const hwy::float16_t*>(from + count);
    for (std::int64_t begin = 0; begin < count; begin += kKvGroup) {
        const std::int64_t end = std::min<std::int64_t>(count, begin + kKvGroup);
        const float scale = widen(scales + begin / kKvGroup);
        std::int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes) {
            const auto wide = hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, codes + i)));
            hn::StoreU(hn::Mul(wide, hn::Set(d, scale)), d, to + i);
        }
        for (; i < end; ++i) {
            to[i] = static_cast<float>(codes[i]) * scale;
        }
    }
}

// Rows of floats, `to_stride` apart.
inline void widen_rows(const AttentionInput& in, const std::byte* from, std::int64_t count, float* to, std::int64_t to_stride) {
    for (std::int64_t p = 0; p < count; ++p, from += in.kv_row_stride, to += to_stride) {
        if (in.kv_format == KvFormat::F32) {
            std::memcpy(to, from, static_cast<std::size_t>(in.head_dim) * sizeof(float));
        } else if (in.kv_format == KvFormat::F16) {
            widen_halves(from, in.head_dim, to);
        } else {
            widen_codes(from, in.head_dim, to);
        }
    }
}

// scores = q k^T for keys key..key+width, the rest of the block is left as it is. Floats are read where they lie.
inline void score_block(const AttentionTask& task, AttentionScratch& s, std::int64_t key, std::int64_t width) {
    const AttentionInput& in = task.in;
    for (std::int64_t j = 0; j < width; j += kPanel) {
        const std::byte* k = in.k + task.kv_head * in.kv_head_stride + (key + j) * in.kv_row_stride;
        const std::int64_t valid = std::min(kPanel, width - j);
        if (in.kv_format == KvFormat::F32) {
            pack_panel(reinterpret_cast<const float*>(k), in.kv_row_stride / std::int64_t{sizeof(float)}, valid, in.head_dim, s.k_panel.data());
        } else {
            widen_rows(in, k, valid, s.k_rows.data(), in.head_dim);
            pack_panel(s.k_rows.data(), in.head_dim, valid, in.head_dim, s.k_panel.data());
        }
        tile_rows(task.rows(), s.q.data(), in.head_dim, s.k_panel.data(), kPanel, in.head_dim, s.scores.data() + j,
                  kKeyBlock, false);
    }
}

// out += weights v. Floats of a head whose width fills whole panels are read where they lie.
inline void value_block(const AttentionTask& task, AttentionScratch& s, std::int64_t key, std::int64_t width) {
    const AttentionInput& in = task.in;
    const std::byte* at = in.v + task.kv_head * in.kv_head_stride + key * in.kv_row_stride;
    const auto* v = reinterpret_cast<const float*>(at);
    std::int64_t stride = in.kv_row_stride / std::int64_t{sizeof(float)};
    if (task.dim_padded != in.head_dim || in.kv_format != KvFormat::F32) {
        widen_rows(in, at, width, s.v_rows.data(), task.dim_padded);
        v = s.v_rows.data();
        stride = task.dim_padded;
    }
    for (std::int64_t j = 0; j < task.dim_padded; j += kPanel) {
        tile_rows(task.rows(), s.scores.data(), kKeyBlock, v + j, stride, width, s.span.out.data() + j, task.dim_padded,
                  true);
    }
}

// The sums over keys key..end, at most a span, in s.span. The queries are loaded.
inline void attend_span(const AttentionTask& task, AttentionScratch& s, std::int64_t key, std::int64_t end) {
    s.span.reset(task.rows(), task.dim_padded);
    for (; key < end; key += kKeyBlock) {
        const std::int64_t width = std::min(kKeyBlock, end - key);
        score_block(task, s, key, width);
        for (std::int64_t r = 0; r < task.rows(); ++r) {
            soften(task, s, r, key, width);
        }
        value_block(task, s, key, width);
    }
}

inline AttentionScratch& scratch_for(const AttentionTask& task) {
    thread_local AttentionScratch s;
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    s.q.resize(size(task.rows() * task.in.head_dim));
    s.k_panel.resize(size(task.in.head_dim * kPanel));
    s.k_rows.resize(size(task.in.head_dim * kPanel));
    s.v_rows.assign(size(kKeyBlock * task.dim_padded), 0.0F);
    s.scores.resize(size(task.rows() * kKeyBlock));
    load_queries(task, s);
    return s;
}

inline void write_result(const AttentionTask& task, const AttentionSums& sums, Matrix y) {
    for (std::int64_t r = 0; r < task.rows(); ++r) {
        float* to = y.row(task.first + r / task.group) + task.head_column(r);
        const float factor = 1.0F / sums.total[static_cast<std::size_t>(r)];
        for (int d = 0; d < task.in.head_dim; ++d) {
            to[d] = sums.out[static_cast<std::size_t>(r * task.dim_padded + d)] * factor;
        }
    }
}

// The sums over all keys, span after span, in s.all.
inline void attend(const AttentionTask& task, AttentionScratch& s, std::int64_t begin, std::int64_t end) {
    for (std::int64_t key = begin; key < end; key += kSpan) {
        attend_span(task, s, key, std::min(end, key + kSpan));
        if (key == begin) {
            std::swap(s.all, s.span);
        } else {
            s.all.add(s.span);
        }
    }
}

// A piece of the work: some rows of one input against some of its keys.
struct Piece {
    AttentionTask task;
    Matrix y;
    std::int64_t first_key;
    std::int64_t end_key;
    std::int64_t part; // of those that are put together, or -1: it is whole
};

// Few rows before many keys: each span is a piece of its own, and the pieces of a head follow each other.
inline void cut(const AttentionInput& in, Matrix y, std::vector<Piece>& pieces, std::int64_t& parts) {
    const std::int64_t group = in.n_heads / in.n_kv_heads;
    const std::int64_t step = std::max<std::int64_t>(1, kQueryRows / group);
    const std::int64_t blocks = (in.q.rows + step - 1) / step;
    const std::int64_t padded = (in.head_dim + kPanel - 1) / kPanel * kPanel;
    const bool is_split = blocks == 1 && in.n_keys > kSpan;
    for (std::int64_t first = 0; first < in.q.rows; first += step) {
        for (int head = 0; head < in.n_kv_heads; ++head) {
            const AttentionTask task{in, head, first, std::min(step, in.q.rows - first), group, padded};
            if (!is_split) {
                pieces.push_back({task, y, 0, task.keys_seen(task.rows() - 1), -1});
            }
            for (std::int64_t key = 0; is_split && key < in.n_keys; key += kSpan) {
                pieces.push_back({task, y, key, std::min(in.n_keys, key + kSpan), parts++});
            }
        }
    }
}

void attention_here(ThreadPool& pool, std::span<const AttentionInput> inputs, Matrix y) {
    std::vector<Piece> pieces;
    std::int64_t parts = 0;
    std::int64_t row = 0;
    for (const AttentionInput& in : inputs) {
        cut(in, y.rows_from(row, in.q.rows), pieces, parts);
        row += in.q.rows;
    }
    std::vector<AttentionSums> sums(static_cast<std::size_t>(parts));
    pool.run(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i, int) {
        const Piece& piece = pieces[static_cast<std::size_t>(i)];
        AttentionScratch& s = scratch_for(piece.task);
        attend(piece.task, s, piece.first_key, piece.end_key);
        if (piece.part < 0) {
            write_result(piece.task, s.all, piece.y);
        } else {
            std::swap(sums[static_cast<std::size_t>(piece.part)], s.all);
        }
    });
    AttentionSums* all = nullptr;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const Piece& piece = pieces[i];
        if (piece.part < 0) {
            continue;
        }
        AttentionSums& mine = sums[static_cast<std::size_t>(piece.part)];
        if (piece.first_key == 0) {
            all = &mine;
        } else {
            all->add(mine);
        }
        if (piece.end_key == piece.task.in.n_keys) {
            write_result(piece.task, *all, piece.y);
        }
    }
}

} // namespace handeye::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye::kernels {
HWY_EXPORT(attention_here);

void attention(ThreadPool& pool, std::span<const AttentionInput> inputs, Matrix y) {
    std::int64_t rows = 0;
    for (const AttentionInput& in : inputs) {
        CHECK(in.n_heads > 0 && in.n_kv_heads > 0 && in.n_heads % in.n_kv_heads == 0);
        CHECK(in.q.cols == std::int64_t{in.n_heads} * in.head_dim && y.cols == in.q.cols);
        CHECK(in.n_keys > 0 && (!in.causal || in.n_keys >= in.q.rows));
        rows += in.q.rows;
    }
    CHECK(y.rows == rows);
    HWY_DYNAMIC_DISPATCH(attention_here)(pool, inputs, y);
}

} // namespace handeye::kernels
#endif
