// SPDX-License-Identifier: Apache-2.0
#include "engine/device/device_decoder.h"

#include "engine/device/pack_matrix.h"
#include "engine/models/router.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye::device {
namespace {

constexpr int kRowsWithLogits = DeviceDecoder::kBestRows; // at once
constexpr int kKeysLeast = 1024;           // recordings are made for lengths up to this, twice this, ...
constexpr std::size_t kRecordingsMost = 128; // each holds some memory of the device; of one answer there are a handful

int mask_words(const DecoderConfig& c) { return (c.vocabulary + 63) / 64 * 2; }
int inner_width(const DecoderConfig& c) { return std::max({c.ffn, c.experts.shared, c.experts.ffn}); }

void visit_linears(const Model& model, const std::function<void(const WeightMatrix&)>& see) {
    const auto mlp = [&](const Mlp& w) { see(w.gate), see(w.up), see(w.down); };
    for (const DecoderLayer& layer : model.decoder.layers) {
        see(layer.q), see(layer.k), see(layer.v), see(layer.o);
        mlp(layer.mlp);
        std::for_each(layer.experts.begin(), layer.experts.end(), mlp);
    }
}

} // namespace

DeviceDecoder::Buffers DeviceDecoder::carve(Carver& carver, const Device& device, const Model& model, const Limits& limits, Precision precision) {
    const DecoderConfig& c = model.decoder.config;
    const int rows = limits.rows;
    const int q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim, inner = inner_width(c);
    const int used = c.experts.used;
    const int expert_rows = std::max(rows, kFewRows * used); // few rows choose experts each for itself, many are sorted by them
    const int widest_rows = c.experts.count > 0 ? expert_rows : rows;
    const auto matrix = [&](int count, int cols) { return rows_of(carver.take<float>(std::int64_t{count} * ((cols + 3) / 4 * 4)), count, cols); };
    Buffers b;
    b.x = matrix(rows, c.hidden);
    b.q = matrix(rows, q);
    b.k = matrix(rows, kv);
    b.v = matrix(rows, kv);
    b.attended = matrix(rows, q);
    b.projected = matrix(rows, c.hidden);
    b.gate = matrix(widest_rows, inner);
    b.up = matrix(widest_rows, inner);
    b.head_x = matrix(kRowsWithLogits, c.hidden);
    b.logits = matrix(kRowsWithLogits, c.vocabulary);
    if (c.experts.count > 0) {
        b.scores = matrix(rows, c.experts.count);
        b.gathered = matrix(rows, c.hidden);
        b.expert_out = matrix(widest_rows, c.hidden);
        b.route_weights = carver.take<float>(std::int64_t{kFewRows} * used);
        b.chosen = carver.take<std::int32_t>(std::int64_t{kFewRows} * used);
        b.expert_weights = carver.take<float>(std::int64_t{rows} * used);
        b.expert_rows = carver.take<std::int32_t>(std::int64_t{rows} * used);
    }
    b.cos = carver.take<float>(std::int64_t{rows} * c.rotary_dims / 2);
    b.sin = carver.take<float>(std::int64_t{rows} * c.rotary_dims / 2);
    b.partial = carver.take<float>(static_cast<std::int64_t>(device.attention_partial_floats(std::min(rows, kFewAttentionRows * limits.sequences), c.heads, c.head_dim)));
    b.wanted = carver.take<std::int32_t>(rows);
    b.spans = carver.take<SequenceSpan>(limits.sequences);
    b.scales = carver.take<float>(kRowsWithLogits);
    b.mask = carver.take<std::uint32_t>(mask_words(c));
    b.pieces = carver.take<LogitPiece>(std::int64_t{kRowsWithLogits} * logit_pieces(c.vocabulary));
    b.best = carver.take<RowCandidates>(kRowsWithLogits);
    ProductSizes sizes(precision);
    sizes.left(rows, std::max(c.hidden, c.heads * c.head_dim));
    sizes.inner(rows, inner);
    if (c.experts.count > 0) {
        sizes.expert_inner(kFewRows * used, c.experts.ffn);
    }
    visit_linears(model, [&](const WeightMatrix& w) { sizes.matrix(w, rows); });
    b.products = sizes.carve(carver, uses_library(device, precision));
    return b;
}

std::int64_t DeviceDecoder::space_bytes(const Device& device, const Model& model, const Limits& limits, Precision precision) {
    Carver counting;
    carve(counting, device, model, limits, precision);
    return static_cast<std::int64_t>(counting.used());
}

DeviceDecoder::DeviceDecoder(Device& device, const Model& model, const DeviceWeights& weights, const KvPages& kv, const Limits& limits, Precision precision)
    : device_(device), model_(model), weights_(weights), kv_(kv), limits_(limits), precision_(precision) {}

Result<DeviceDecoder> DeviceDecoder::create(Device& device, const Model& model, const DeviceWeights& weights, const KvPages& kv, const Limits& limits, Precision precision) {
    DeviceDecoder decoder(device, model, weights, kv, limits, precision);
    decoder.memory_ = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(space_bytes(device, model, limits, precision))));
    Carver carver(decoder.memory_.bytes());
    decoder.b_ = carve(carver, device, model, limits, precision);
    decoder.graph_ = std::make_unique<Graph>(device, precision, decoder.b_.products);
    return decoder;
}

void DeviceDecoder::upload(const DevicePass& pass, ConstMatrix hidden) {
    const DecoderConfig& c = model_.decoder.config;
    CHECK(hidden.rows <= limits_.rows && static_cast<int>(pass.sequences.size()) <= limits_.sequences && hidden.stride == hidden.cols);
    const std::int64_t pairs = c.rotary_dims / 2;
    cos_.resize(static_cast<std::size_t>(hidden.rows * pairs));
    sin_.resize(cos_.size());
    fill_rope(c, pass.positions, {cos_.data(), hidden.rows, pairs, pairs}, {sin_.data(), hidden.rows, pairs, pairs});
    spans_.clear();
    int row = 0;
    for (const SequenceRows& sequence : pass.sequences) {
        spans_.push_back({.pages = sequence.kv.pages->table(), .first_row = row, .rows = static_cast<int>(sequence.rows), .past = static_cast<int>(sequence.past)});
        row += static_cast<int>(sequence.rows);
    }
    device_.upload(b_.x.data, hidden.data, static_cast<std::size_t>(hidden.rows * hidden.cols) * sizeof(float));
    device_.upload(b_.cos, cos_.data(), cos_.size() * sizeof(float));
    device_.upload(b_.sin, sin_.data(), sin_.size() * sizeof(float));
    device_.upload(b_.spans, spans_.data(), spans_.size() * sizeof(SequenceSpan));
    const std::vector<std::int32_t> wanted(pass.wanted.begin(), pass.wanted.end());
    if (!wanted.empty()) {
        device_.upload(b_.wanted, wanted.data(), wanted.size() * sizeof(std::int32_t));
    }
}

// projected = o(attention(...)) of norm(x)
void DeviceDecoder::attention_part(const LayerWeights& w, Left left, Attention shape) {
    const DecoderConfig& c = model_.decoder.config;
    Graph& g = *graph_;
    const int rows = left.x.rows;
    const Rows q = first_rows(b_.q, rows), k = first_rows(b_.k, rows), v = first_rows(b_.v, rows), projected = first_rows(b_.projected, rows);
    g.products(left, std::array{Graph::Output{&w.q, q}, Graph::Output{&w.k, k}, Graph::Output{&w.v, v}});
    const Rotation by{.pairs = c.rotary_dims / 2, .half_split = c.rope_pairs == RopePairs::HalfSplit, .cos = b_.cos, .sin = b_.sin};
    g.run(StoreKv{.q = q, .k = k, .v = v, .by = by, .kv = kv_, .layer = shape.layer, .spans = b_.spans, .n_spans = shape.n_spans});
    if (shape.rows_most <= kFewAttentionRows && c.head_dim % kChunk == 0 && w.o.w.inputs == nullptr) {
        shape.split = g.left_space(rows, shape.y.cols);
        g.run(shape);
        g.product(shape.split, w.o, projected);
    } else {
        g.run(shape);
        g.product(Left{.x = shape.y}, w.o, projected);
    }
}

// projected = the experts' sum, for many rows: sorted by expert on the host, as the processor's graph has it.
Result<void> DeviceDecoder::sorted_experts(const LayerWeights& w, const std::vector<float>& bias, const Left& left) {
    const DecoderConfig& c = model_.decoder.config;
    const int rows = left.x.rows;
    std::vector<float> scores(static_cast<std::size_t>(rows) * static_cast<std::size_t>(c.experts.count));
    TRY(device_.download(scores.data(), b_.scores.data, scores.size() * sizeof(float)));
    const std::vector<ExpertRows> chosen = route(c.experts, bias, {scores.data(), rows, c.experts.count, c.experts.count});
    std::vector<std::int32_t> row_list;
    std::vector<float> weights;
    for (const ExpertRows& expert : chosen) {
        for (const RoutedRow& routed : expert) {
            row_list.push_back(static_cast<std::int32_t>(routed.row));
            weights.push_back(routed.weight);
        }
    }
    device_.upload(b_.expert_rows, row_list.data(), row_list.size() * sizeof(std::int32_t));
    device_.upload(b_.expert_weights, weights.data(), weights.size() * sizeof(float));
    std::int64_t first = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const int count = static_cast<int>(chosen[i].size());
        if (count == 0) {
            continue;
        }
        const Rows in = first_rows(b_.gathered, count), out = first_rows(b_.expert_out, count);
        graph_->run(GatherRows{.x = left.x, .rows_of = b_.expert_rows + first, .to = in});
        const int inner = c.experts.ffn;
        Left gathered{.x = in, .norm_weight = left.norm_weight, .eps = left.eps};
        graph_->mlp(gathered, w.experts[i], rows_of(b_.gate.data, count, inner), rows_of(b_.up.data, count, inner), out, Into::Overwrite);
        graph_->run(ScatterAdd{.x = out, .rows_of = b_.expert_rows + first, .weights = b_.expert_weights + first, .y = first_rows(b_.projected, rows)});
        first += count;
    }
    return {};
}

// The same for a few rows: each reads its own experts, and nothing is asked of the host.
void DeviceDecoder::few_experts(const LayerWeights& w, Left& left) {
    const DecoderConfig& c = model_.decoder.config;
    Graph& g = *graph_;
    const int rows = left.x.rows, used = c.experts.used, pairs = rows * used;
    const Rows out = rows_of(b_.expert_out.data, pairs, c.hidden);
    g.run(Route{.scores = first_rows(b_.scores, rows), .bias = w.router_bias, .used = used, .normalised = c.experts.normalised, .scale = c.experts.scale,
                .chosen = b_.chosen, .weights = b_.route_weights});
    const SplitRows x = g.split(left), inner = g.expert_inner_space(pairs, c.experts.ffn);
    const MlpWeights& like = w.experts.front();
    g.run(GatedExperts{.x = x, .rows_share = used, .gate = w.expert_tables.gate, .up = w.expert_tables.up, .chosen = b_.chosen, .like = like.gate.w, .out = inner});
    g.run(ExpertProduct{.x = inner, .rows_share = 1, .experts = w.expert_tables.down, .chosen = b_.chosen, .like = like.down.w, .y = out});
    g.run(CombineExperts{.x = out, .weights = b_.route_weights, .used = used, .y = first_rows(b_.projected, rows)});
}

// projected = mlp(norm(x)), the experts' sum added.
Result<void> DeviceDecoder::mlp_part(const LayerWeights& w, const DecoderLayer& host, Left left) {
    const int rows = left.x.rows, inner = w.mlp.gate.w.rows;
    graph_->mlp(left, w.mlp, rows_of(b_.gate.data, rows, inner), rows_of(b_.up.data, rows, inner), first_rows(b_.projected, rows), Into::Overwrite);
    if (!w.router) {
        return {};
    }
    graph_->products(left, std::array{Graph::Output{&w.router, first_rows(b_.scores, rows)}});
    if (chooses_on_device(w, rows)) {
        few_experts(w, left);
        return {};
    }
    return sorted_experts(w, host.router_bias, left);
}

bool DeviceDecoder::chooses_on_device(const LayerWeights& w, int rows) const {
    return rows <= kFewRows && w.expert_tables.gate != nullptr && w.expert_tables.up != nullptr && w.expert_tables.down != nullptr &&
           same_layout(w.experts.front().gate.w, w.experts.front().up.w);
}

Result<void> DeviceDecoder::layers(Attention shape, int rows, const Tap& tap) {
    const DecoderConfig& c = model_.decoder.config;
    const Rows x = first_rows(b_.x, rows), projected = first_rows(b_.projected, rows);
    const Left nothing_added{.x = x, .eps = c.rms_eps};
    Left left = nothing_added; // what a layer's last product gave is added by the next one's first norm
    std::vector<float> seen;
    for (std::size_t i = 0; i < weights_.layers.size(); ++i) {
        const LayerWeights& w = weights_.layers[i];
        const std::size_t number = i + static_cast<std::size_t>(weights_.placement.first_layer);
        shape.layer = static_cast<int>(i);
        left.norm_weight = w.input_norm;
        attention_part(w, left, shape);
        TRY(mlp_part(w, model_.decoder.layers[number], {.x = x, .norm_weight = w.pre_mlp_norm, .eps = c.rms_eps, .added = projected, .added_norm = w.post_attention_norm}));
        left.added = projected;
        left.added_norm = w.post_mlp_norm;
        if (tap || i + 1 == weights_.layers.size()) {
            add(left);
            left = nothing_added;
        }
        if (tap) {
            seen.resize(static_cast<std::size_t>(rows) * static_cast<std::size_t>(c.hidden));
            TRY(device_.download(seen.data(), x.data, seen.size() * sizeof(float)));
            tap(fmt::format("hidden_{}", number), {seen.data(), rows, c.hidden, c.hidden});
        }
    }
    return {};
}

void DeviceDecoder::add(const Left& left) {
    if (left.added_norm != nullptr) {
        graph_->run(RmsNorm{.x = left.added, .weight = left.added_norm, .eps = left.eps, .y = left.x, .into = Into::Add});
    } else {
        graph_->run(Add{.x = left.added, .y = left.x});
    }
}

void DeviceDecoder::head(int rows, int first, int count, Bring bring) {
    const DecoderConfig& c = model_.decoder.config;
    const Rows picked = first_rows(b_.head_x, count);
    graph_->run(GatherRows{.x = first_rows(b_.x, rows), .rows_of = b_.wanted + first, .to = picked});
    graph_->product({.x = picked, .norm_weight = weights_.norm, .eps = c.rms_eps}, weights_.head, first_rows(b_.logits, count));
    if (bring == Bring::Best) {
        graph_->run(Candidates{.logits = first_rows(b_.logits, count), .scales = b_.scales, .count = kCandidatesMost, .pieces = b_.pieces, .to = b_.best});
    }
}

// Decoding: the same few rows again and again, at lengths that only the device's memory knows.
Result<void> DeviceDecoder::run_recorded(Attention shape, int rows, int wanted, Bring bring) {
    shape.host_spans = nullptr;
    shape.keys_max = std::min<int>(static_cast<int>(limits_.context), static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::max(shape.keys_max, kKeysLeast)))));
    const Shape key{rows, shape.n_spans, shape.rows_most, wanted, shape.keys_max, bring};
    if (recordings_.size() >= kRecordingsMost && !recordings_.contains(key)) {
        recordings_.clear();
    }
    std::unique_ptr<Recording>& recording = recordings_[key];
    if (recording == nullptr) {
        Result<void> given;
        recording = TRY(device_.record([&] {
            given = layers(shape, rows, {});
            if (wanted > 0) {
                head(rows, 0, wanted, bring);
            }
        }));
        TRY(std::move(given));
    }
    recording->replay();
    return {};
}

Result<bool> DeviceDecoder::compute(const DevicePass& pass, ConstMatrix hidden, Bring bring, const Tap& tap) {
    const DecoderConfig& c = model_.decoder.config;
    const int rows = static_cast<int>(hidden.rows);
    const int wanted = static_cast<int>(pass.wanted.size());
    upload(pass, hidden);
    Attention shape{.q = first_rows(b_.q, rows), .kv = kv_, .layer = 0, .heads = c.heads, .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim)), .spans = b_.spans,
                    .host_spans = spans_.data(), .n_spans = static_cast<int>(spans_.size()), .rows_most = 0, .keys_max = 0, .partial = b_.partial,
                    .y = first_rows(b_.attended, rows), .exact = precision_.exact};
    for (const SequenceSpan& span : spans_) {
        shape.rows_most = std::max(shape.rows_most, span.rows);
        shape.keys_max = std::max(shape.keys_max, span.past + span.rows);
    }
    const bool can_record = !tap && rows <= kFewRows && wanted <= kRowsWithLogits &&
                            std::all_of(weights_.layers.begin(), weights_.layers.end(), [&](const LayerWeights& w) { return !w.router || chooses_on_device(w, rows); });
    if (can_record) {
        TRY(run_recorded(shape, rows, wanted, bring));
    } else {
        TRY(layers(shape, rows, tap));
    }
    return can_record;
}

Result<void> DeviceDecoder::run(const DevicePass& pass, ConstMatrix hidden, Matrix logits, const Tap& tap) {
    const int wanted = static_cast<int>(pass.wanted.size());
    const bool has_head = TRY(compute(pass, hidden, Bring::Rows, tap));
    for (int first = 0; first < wanted; first += kRowsWithLogits) {
        const int count = std::min(kRowsWithLogits, wanted - first);
        if (!has_head) {
            head(static_cast<int>(hidden.rows), first, count, Bring::Rows);
        }
        TRY(device_.download(logits.row(first), b_.logits.data, static_cast<std::size_t>(count) * static_cast<std::size_t>(b_.logits.cols) * sizeof(float)));
    }
    return wanted > 0 ? Result<void>() : device_.finish();
}

Result<std::vector<RowCandidates>> DeviceDecoder::run_best(const DevicePass& pass, ConstMatrix hidden, std::span<const float> scales) {
    const int wanted = static_cast<int>(pass.wanted.size());
    CHECK(wanted <= kBestRows && scales.size() == pass.wanted.size());
    std::vector<RowCandidates> best(pass.wanted.size());
    if (wanted > 0) {
        device_.upload(b_.scales, scales.data(), scales.size() * sizeof(float));
    }
    if (!TRY(compute(pass, hidden, Bring::Best, {})) && wanted > 0) {
        head(static_cast<int>(hidden.rows), 0, wanted, Bring::Best);
    }
    TRY(wanted > 0 ? device_.download(best.data(), b_.best, best.size() * sizeof(RowCandidates)) : device_.finish());
    return best;
}

Result<void> DeviceDecoder::download_row(int row, std::span<float> to) {
    CHECK(row < kBestRows && static_cast<int>(to.size()) == b_.logits.cols);
    return device_.download(to.data(), b_.logits.data + row * b_.logits.stride, to.size_bytes());
}

Result<RowCandidates> DeviceDecoder::best_of(int row, std::span<const std::uint32_t> mask) {
    CHECK(row < kBestRows && static_cast<int>(mask.size()) <= mask_words(model_.decoder.config));
    device_.upload(b_.mask, mask.data(), mask.size_bytes());
    Rows logits = first_rows(b_.logits, 1);
    logits.data += row * logits.stride;
    device_.run(Candidates{.logits = logits, .masks = b_.mask, .mask_words = static_cast<int>(mask.size()), .scales = b_.scales + row, .count = kCandidatesMost,
                           .pieces = b_.pieces, .to = b_.best + row});
    RowCandidates best;
    TRY(device_.download(&best, b_.best + row, sizeof best));
    return best;
}

} // namespace handeye::device
