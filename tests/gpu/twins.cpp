// SPDX-License-Identifier: Apache-2.0
#include "twins.h"

#include "base/geometry.h"
#include "engine/vision/resize.h"
#include "product_matrices.h"
#include "twin_side.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace handeye::gpu {
namespace {

using device::Into;
using device::Rows;

/// What one case gives, and by how much of the largest number devices may differ: sums in another order, or exp and erf of another library.
struct Case {
    std::string name;
    double tolerance;
    std::function<std::vector<float>(Side&)> run;
};

constexpr double kSums = 3e-6;
constexpr double kHalf = 2e-3; // numbers in half precision between two products

std::vector<float> joined(std::vector<float> first, const std::vector<float>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}
std::vector<float> sums_of(Side& s, const device::SplitRows& split) { return s.floats(split.sums, static_cast<std::size_t>(split.rows * split.chunks * 4)); }

void add_rows_cases(std::vector<Case>& all) {
    for (const int cols : {17, 64, 1176, 4096}) {
        for (const int planes : {1, 3}) {
            all.push_back({fmt::format("split norm {} columns, {} planes", cols, planes), kSums, [=](Side& s) {
                               const device::SplitRows out = s.space(5, cols, planes);
                               Rows normed = s.empty(5, cols);
                               s.run(device::Split{.x = s.rows(5, cols, 1), .weight = s.rows(1, cols, 2).data, .eps = 1e-5F, .out = out, .normed = normed.data});
                               std::vector<float> got = s.floats(normed);
                               const std::vector<float> sums = s.floats(out.sums, static_cast<std::size_t>(5 * out.chunks * 4));
                               got.insert(got.end(), sums.begin(), sums.end());
                               return got;
                           }});
        }
        for (const bool is_normed : {false, true}) {
            all.push_back({fmt::format("split norm {} columns, {} added", cols, is_normed ? "a norm" : "a row"), kSums, [=](Side& s) {
                               const device::SplitRows out = s.space(5, cols, 3);
                               const Rows x = s.rows(5, cols, 1);
                               s.run(device::Split{.x = x, .weight = s.rows(1, cols, 2).data, .eps = 1e-5F, .added = s.rows(5, cols, 30), .added_weight = is_normed ? s.rows(1, cols, 31).data : nullptr, .out = out});
                               return joined(s.floats(x), sums_of(s, out));
                           }});
        }
        all.push_back({fmt::format("silu {} columns", cols), kSums, [=](Side& s) {
                           const device::SplitRows out = s.space(3, cols, 1);
                           s.run(device::SiluSplit{.gate = s.rows(3, cols, 3), .up = s.rows(3, cols, 4), .out = out});
                           return s.floats(out.sums, static_cast<std::size_t>(3 * out.chunks * 4));
                       }});
        all.push_back({fmt::format("rms norm, added, {} columns", cols), kSums, [=](Side& s) {
                           const Rows y = s.rows(6, cols, 5);
                           s.run(device::RmsNorm{.x = s.rows(6, cols, 6), .weight = s.rows(1, cols, 7).data, .eps = 1e-5F, .y = y, .into = Into::Add});
                           return s.floats(y);
                       }});
        all.push_back({fmt::format("layer norm and gelu {} columns", cols), 1e-5, [=](Side& s) {
                           const Rows x = s.rows(4, cols, 8);
                           s.run(device::LayerNormGelu{.x = x, .weight = s.rows(1, cols, 9).data, .bias = s.rows(1, cols, 10).data, .eps = 1e-5F});
                           return s.floats(x);
                       }});
    }
    for (const bool half_split : {false, true}) {
        all.push_back({fmt::format("rope {}", half_split ? "half split" : "interleaved"), kSums, [=](Side& s) {
                           const Rows x = s.rows(7, 3 * 128, 11);
                           s.run(device::Rope{.x = x, .heads = 3, .head_dim = 128, .by = {.pairs = 32, .half_split = half_split, .cos = s.rows(7, 32, 12).data, .sin = s.rows(7, 32, 13).data}});
                           return s.floats(x);
                       }});
    }
    all.push_back({"add", 0, [](Side& s) {
                       const Rows y = s.rows(5, 33 * 4, 18);
                       s.run(device::Add{.x = s.rows(5, 33 * 4, 19), .y = y});
                       return s.floats(y);
                   }});
    all.push_back({"gather blocks", 0, [](Side& s) {
                       const Rows to = s.empty(3, 4 * 96);
                       s.run(device::GatherBlocks{.x = s.rows(12, 96, 14), .taps = 4, .to = to});
                       return s.floats(to);
                   }});
    all.push_back({"weighted rows", kSums, [](Side& s) {
                       const Rows y = s.rows(3, 200, 15);
                       s.run(device::AddWeightedRows{.table = s.rows(9, 200, 16).data, .rows = s.put(std::vector<std::int32_t>{0, 8, 3, 3, 1, 2}), .weights = s.rows(1, 6, 17).data, .taps = 2, .y = y});
                       return s.floats(y);
                   }});
}

// Pages in no order; the numbers in them are stored by the operation that the engine stores them by.
struct Cached {
    device::KvPages kv;
    const device::SequenceSpan* spans;
    std::vector<device::SequenceSpan> host_spans;
};
Cached cache_of(Side& s, KvFormat format, const std::vector<std::pair<int, int>>& past_and_rows, int heads) {
    constexpr int kDim = 128, kPages = 24;
    const int row_bytes = format == KvFormat::F32 ? 512 : format == KvFormat::F16 ? 256 : 132;
    device::KvPages kv{.layers = 2, .kv_heads = heads, .head_dim = kDim, .row_bytes = row_bytes, .format = format};
    kv.page_bytes = std::int64_t{2} * 2 * heads * device::kPageTokens * row_bytes;
    kv.pool = s.zeros<std::uint8_t>(static_cast<std::size_t>(kPages * kv.page_bytes));
    Cached out{.kv = kv, .spans = nullptr, .host_spans = {}};
    int page = kPages - 1, row = 0;
    for (const auto& [past, rows] : past_and_rows) {
        std::vector<std::int32_t> pages;
        for (int i = 0; i < (past + rows + device::kPageTokens - 1) / device::kPageTokens; ++i) {
            pages.push_back(page--);
        }
        const std::int32_t* const table = s.put(pages);
        const device::SequenceSpan whole{.pages = table, .first_row = 0, .rows = past + rows, .past = 0};
        s.run(device::StoreKv{.k = s.rows(past + rows, heads * kDim, 20U + static_cast<unsigned>(row)), .v = s.rows(past + rows, heads * kDim, 40U + static_cast<unsigned>(row)), .kv = kv, .layer = 1,
                              .spans = s.put(std::vector<device::SequenceSpan>{whole}), .n_spans = 1});
        out.host_spans.push_back({.pages = table, .first_row = row, .rows = rows, .past = past});
        row += rows;
    }
    out.spans = s.put(out.host_spans);
    return out;
}

void add_attention_cases(std::vector<Case>& all) {
    const std::vector<std::vector<std::pair<int, int>>> shapes = {{{0, 1}}, {{300, 1}, {63, 1}}, {{130, 3}}, {{70, 90}, {5, 1}}};
    for (const KvFormat format : {KvFormat::F32, KvFormat::F16, KvFormat::Q8}) {
        for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
            for (const bool exact : {true, false}) {
                all.push_back({fmt::format("attention, format {}, shape {}, {}", static_cast<int>(format), shape, exact ? "exact" : "tensor cores"), exact ? 1e-5 : kHalf, [=](Side& s) {
                                   constexpr int kHeads = 32, kKvHeads = 2, kDim = 128;
                                   const Cached cached = cache_of(s, format, shapes[shape], kKvHeads);
                                   int rows = 0, most = 0, keys = 0;
                                   for (const device::SequenceSpan& span : cached.host_spans) {
                                       rows += span.rows;
                                       most = std::max(most, span.rows);
                                       keys = std::max(keys, span.past + span.rows);
                                   }
                                   const Rows y = s.empty(rows, kHeads * kDim);
                                   s.run(device::Attention{.q = s.rows(rows, kHeads * kDim, 60), .kv = cached.kv, .layer = 1, .heads = kHeads, .scale = 0.088F, .spans = cached.spans,
                                                           .host_spans = cached.host_spans.data(), .n_spans = static_cast<int>(cached.host_spans.size()), .rows_most = most, .keys_max = keys,
                                                           .partial = s.zeros<float>(s.device().attention_partial_floats(rows, kHeads, kDim)), .y = y, .exact = exact});
                                   return s.floats(y);
                               }});
            }
        }
    }
    for (const int dim : {64, 128}) {
        for (const bool exact : {true, false}) {
            all.push_back({fmt::format("full attention, heads of {}, {}", dim, exact ? "exact" : "tensor cores"), exact ? 1e-5 : kHalf, [=](Side& s) {
                               const Rows qkv = s.rows(2 * 150, 3 * 3 * dim, 61);
                               const auto part = [&](int i) { return Rows{.data = qkv.data + i * 3 * dim, .rows = qkv.rows, .cols = 3 * dim, .stride = qkv.stride}; };
                               const Rows y = s.empty(300, 3 * dim);
                               s.run(device::FullAttention{.q = part(0), .k = part(1), .v = part(2), .slice = 150, .heads = 3, .head_dim = dim, .scale = 0.1F, .y = y, .exact = exact});
                               return s.floats(y);
                           }});
        }
    }
}

std::vector<std::pair<std::string, LaidOut>> matrices() {
    std::vector<std::pair<std::string, LaidOut>> out;
    RandomCodes random(7);
    for (const auto& [name, layout] : code_layouts()) {
        out.emplace_back(name, random.matrix(200, 320, layout));
    }
    for (const auto& [name, dtype] : {std::pair{"Bf16", DType::BF16}, {"F16", DType::F16}, {"F32", DType::F32}}) {
        std::vector<std::byte> bytes;
        for (const float value : Side::numbers(200 * 320, 77)) {
            const std::uint32_t bits = dtype == DType::F16 ? on_host::float_half(value) : dtype == DType::BF16 ? on_host::float_bf16(value) : on_host::float_bits(value);
            for (std::size_t i = 0; i < dtype_size(dtype); ++i) {
                bytes.push_back(static_cast<std::byte>(bits >> (8 * i)));
            }
        }
        out.emplace_back(name, laid_out(matrix_of({.data = bytes.data(), .dtype = dtype, .shape = {200, 320}}, 320)));
    }
    return out;
}

void add_product_cases(std::vector<Case>& all) {
    for (auto& [name, laid] : matrices()) {
        const auto shared = std::make_shared<LaidOut>(std::move(laid));
        const auto on = [shared](Side& s) { return device::at(shared->plan, s.put(shared->memory)); };
        for (const int rows : {1, 2, 5, 8, 16}) {
            all.push_back({fmt::format("few product, {}, {} rows", name, rows), kSums * 4, [=](Side& s) {
                               const device::DeviceMatrix w = on(s);
                               const Rows y = s.rows(rows, w.rows, 70);
                               s.run(device::FewProduct{.x = s.split(rows, w.cols, 3, 71), .w = w, .bias = s.rows(1, w.rows, 72).data, .y = y, .into = Into::Add});
                               return s.floats(y);
                           }});
        }
        for (const int rows : {1, 7}) {
            all.push_back({fmt::format("three few products, {}, {} rows", name, rows), kSums * 4, [=](Side& s) {
                               const device::DeviceMatrix w = on(s);
                               device::FewProducts op{.x = s.split(rows, w.cols, 3, 76), .count = 3};
                               std::vector<Rows> y;
                               for (device::FewProducts::Output& of : op.of) {
                                   y.push_back(s.empty(rows, w.rows));
                                   of = {.w = w, .bias = s.rows(1, w.rows, 77U + static_cast<unsigned>(y.size())).data, .y = y.back()};
                               }
                               s.run(op);
                               return joined(joined(s.floats(y[0]), s.floats(y[1])), s.floats(y[2]));
                           }});
            all.push_back({fmt::format("gated product, {}, {} rows", name, rows), kSums * 8, [=](Side& s) {
                               const device::DeviceMatrix w = on(s);
                               const device::SplitRows out = s.space(rows, w.rows, 3);
                               s.run(device::GatedProduct{.x = s.split(rows, w.cols, 3, 81), .gate = w, .up = w, .gate_bias = s.rows(1, w.rows, 82).data, .out = out});
                               return sums_of(s, out);
                           }});
        }
        for (const int planes : {1, 3}) {
            all.push_back({fmt::format("many product, {}, {} planes", name, planes), kSums * 4, [=](Side& s) {
                               const device::DeviceMatrix w = on(s);
                               const Rows y = s.empty(70, w.rows);
                               s.run(device::ManyProduct{.x = s.split(70, w.cols, planes, 73), .w = w, .y = y});
                               return s.floats(y);
                           }});
        }
        all.push_back({fmt::format("unpack, {}, and the library", name), 1e-3, [=](Side& s) {
                           const device::DeviceMatrix w = on(s);
                           auto* const unpacked = s.zeros<std::uint16_t>(static_cast<std::size_t>(w.rows) * static_cast<std::size_t>(w.chunks) * device::kChunk);
                           s.run(device::Unpack{.w = w, .to = unpacked});
                           std::vector<float> got = s.as_floats(unpacked, static_cast<std::size_t>(w.rows * w.chunks * device::kChunk));
                           if (s.device().info().has_library) {
                               const device::SplitRows x = s.split(70, w.cols, 1, 74);
                               const Rows y = s.empty(70, w.rows);
                               s.run(device::LibraryProduct{.x = x.parts, .w = unpacked, .rows = 70, .n = w.rows, .cols = w.chunks * device::kChunk, .bias = s.rows(1, w.rows, 75).data, .y = y});
                               const std::vector<float> products = s.floats(y);
                               got.insert(got.end(), products.begin(), products.end());
                           }
                           return got;
                       }});
    }
}

// Shapes and ends that models give it: added to what is there, without a bias, rows of y further apart than they are long.
void add_library_cases(std::vector<Case>& all) {
    struct Shape {
        int rows, n, cols;
        bool has_bias, is_added;
        int gap;
    };
    for (const Shape& shape : {Shape{1, 64, 64, false, false, 0}, {70, 200, 320, false, true, 0}, {70, 200, 320, true, false, 56}, {257, 512, 4096, false, true, 0}}) {
        all.push_back({fmt::format("library, {}x{}x{}{}{}{}", shape.rows, shape.n, shape.cols, shape.has_bias ? ", bias" : "", shape.is_added ? ", added" : "", shape.gap > 0 ? ", gap" : ""), 1e-3,
                       [=](Side& s) {
                           if (!s.device().info().has_library) {
                               return std::vector<float>();
                           }
                           const device::SplitRows x = s.split(shape.rows, shape.cols, 1, 74), w = s.split(shape.n, shape.cols, 1, 76);
                           const Rows y = s.rows(shape.rows, shape.n + shape.gap, 77);
                           s.run(device::LibraryProduct{.x = x.parts, .w = w.parts, .rows = shape.rows, .n = shape.n, .cols = shape.cols, .bias = shape.has_bias ? s.rows(1, shape.n, 75).data : nullptr,
                                                        .y = y, .into = shape.is_added ? device::Into::Add : device::Into::Overwrite});
                           return s.floats(y);
                       }});
    }
}

void add_expert_cases(std::vector<Case>& all) {
    all.push_back({"route", 1e-6, [](Side& s) {
                       auto* const chosen = s.zeros<std::int32_t>(3 * 8);
                       auto* const weights = s.zeros<float>(3 * 8);
                       s.run(device::Route{.scores = s.rows(3, 128, 80), .bias = s.rows(1, 128, 81).data, .used = 8, .normalised = true, .scale = 2.5F, .chosen = chosen, .weights = weights});
                       std::vector<float> got = s.as_floats(chosen, 24);
                       const std::vector<float> more = s.floats(weights, 24);
                       got.insert(got.end(), more.begin(), more.end());
                       return got;
                   }});
    all.push_back({"experts of one row", kSums * 4, [](Side& s) {
                       RandomCodes random(9);
                       const CodeLayout layout{.bits = 4, .zero = 8, .levels = {}, .scales = ScaleKind::Number, .numbers = DType::F16, .group = 32, .factor = 1};
                       std::vector<device::DeviceMatrix> experts;
                       for (int i = 0; i < 3; ++i) {
                           const LaidOut laid = random.matrix(96, 128, layout);
                           experts.push_back(device::at(laid.plan, s.put(laid.memory)));
                       }
                       const Rows y = s.empty(4, 96), to = s.rows(2, 96, 82);
                       const device::SplitRows x = s.split(2, 128, 3, 83), gated = s.space(4, 96, 3);
                       const auto* const table = s.put(experts);
                       const auto* const chosen = s.put(std::vector<std::int32_t>{2, 0, 1, 2});
                       s.run(device::ExpertProduct{.x = x, .rows_share = 2, .experts = table, .chosen = chosen, .like = experts[0], .y = y});
                       s.run(device::CombineExperts{.x = y, .weights = s.rows(1, 4, 84).data, .used = 2, .y = to});
                       s.run(device::GatedExperts{.x = x, .rows_share = 2, .gate = table, .up = table, .chosen = chosen, .like = experts[0], .out = gated});
                       return joined(s.floats(to), sums_of(s, gated));
                   }});
    all.push_back({"gather and scatter", kSums, [](Side& s) {
                       const Rows picked = s.empty(3, 100), to = s.rows(7, 100, 85);
                       const auto* const list = s.put(std::vector<std::int32_t>{6, 0, 3});
                       s.run(device::GatherRows{.x = s.rows(7, 100, 86), .rows_of = list, .to = picked});
                       s.run(device::ScatterAdd{.x = picked, .rows_of = list, .weights = s.rows(1, 3, 87).data, .y = to});
                       return s.floats(to);
                   }});
}

// Queries and keys turned on their way into the pages, and what attention finds as a left side.
void add_fused_attention_cases(std::vector<Case>& all) {
    for (const bool half_split : {false, true}) {
        all.push_back({half_split ? "rotated halves into pages" : "rotated pairs into pages", 1e-5, [=](Side& s) {
                           constexpr int kHeads = 4, kDim = 128, kTokens = 5;
                           device::KvPages kv{.page_bytes = std::int64_t{2} * kDim * 4 * device::kPageTokens, .layers = 1, .kv_heads = 1, .head_dim = kDim, .row_bytes = kDim * 4, .format = KvFormat::F32};
                           kv.pool = s.zeros<std::uint8_t>(static_cast<std::size_t>(kv.page_bytes));
                           const std::vector<device::SequenceSpan> span{{.pages = s.put(std::vector<std::int32_t>{0}), .first_row = 0, .rows = kTokens, .past = 0}};
                           const auto* const spans = s.put(span);
                           const Rows q = s.rows(kTokens, kHeads * kDim, 95), y = s.empty(kTokens, kHeads * kDim);
                           s.run(device::StoreKv{.q = q, .k = s.rows(kTokens, kDim, 96), .v = s.rows(kTokens, kDim, 97), .by = {.pairs = 32, .half_split = half_split, .cos = s.rows(kTokens, 32, 98).data, .sin = s.rows(kTokens, 32, 99).data},
                                                 .kv = kv, .layer = 0, .spans = spans, .n_spans = 1});
                           device::Attention op{.q = q, .kv = kv, .layer = 0, .heads = kHeads, .scale = 0.088F, .spans = spans, .host_spans = span.data(), .n_spans = 1, .rows_most = kTokens, .keys_max = kTokens,
                                                .partial = s.zeros<float>(s.device().attention_partial_floats(kTokens, kHeads, kDim)), .y = y};
                           s.run(op);
                           op.split = s.space(kTokens, kHeads * kDim, 3);
                           s.run(op);
                           return joined(joined(s.floats(q), s.floats(y)), sums_of(s, op.split));
                       }});
    }
}

device::Pixels random_pixels(Side& s, Size size, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size.area()) * 3);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random() >> 24U); });
    return {s.put(bytes), size.width_px, size.height_px};
}

void add_picture_cases(std::vector<Case>& all) {
    // Odd ones, larger and smaller; a screenshot as a model of 14-pixel patches sees it.
    for (const auto& [from, to] : {std::pair{Size{37, 23}, Size{113, 84}}, {Size{301, 131}, Size{29, 7}}, {Size{1920, 1080}, Size{1932, 1092}}}) {
        for (const bool is_down : {false, true}) {
            all.push_back({fmt::format("resize {} from {}x{}", is_down ? "down" : "across", from.width_px, from.height_px), 0, [=](Side& s) {
                               const ResizePass pass = is_down ? make_resize_pass(from.height_px, to.height_px) : make_resize_pass(from.width_px, to.width_px);
                               const Size out = is_down ? Size{from.width_px, to.height_px} : Size{to.width_px, from.height_px};
                               const auto bytes = static_cast<std::size_t>(out.area()) * 3;
                               auto* const pixels = s.zeros<std::uint8_t>(bytes);
                               s.run(device::ResizePixels{.from = random_pixels(s, from, 90), .to = {pixels, out.width_px, out.height_px}, .is_down = is_down,
                                                          .first = s.put(pass.first), .weights = s.put(pass.weights), .taps = pass.taps, .precision = pass.precision});
                               return s.as_floats(pixels, bytes);
                           }});
        }
    }
    for (const auto& [size, patch, temporal, merge] : {std::tuple{Size{51, 102}, 17, 3, 3}, {Size{1932, 1092}, 14, 2, 2}}) {
        all.push_back({fmt::format("patches of {}x{}", size.width_px, size.height_px), 0, [=](Side& s) {
                           const Rows to = s.empty(size.width_px / patch * (size.height_px / patch), 3 * temporal * patch * patch);
                           s.run(device::CutPatches{.from = random_pixels(s, size, 91), .patch = patch, .temporal = temporal, .merge = merge, .mean = {122.77F, 116.75F, 104.09F},
                                                    .deviation = {68.5F, 66.63F, 70.32F}, .to = to});
                           return s.floats(to);
                       }});
    }
}

std::vector<device::RowCandidates> best_of(Side& s, device::Candidates op) {
    const auto rows = static_cast<std::size_t>(op.logits.rows);
    op.pieces = s.zeros<device::LogitPiece>(rows * static_cast<std::size_t>(device::logit_pieces(op.logits.cols)));
    op.to = s.zeros<device::RowCandidates>(rows);
    s.run(op);
    std::vector<device::RowCandidates> best(rows);
    Side::must(s.device().download(best.data(), op.to, rows * sizeof(device::RowCandidates)));
    return best;
}
std::vector<float> ids_and_logits(const std::vector<device::RowCandidates>& rows) {
    std::vector<float> got;
    for (const device::RowCandidates& row : rows) {
        got.push_back(static_cast<float>(row.found));
        for (const device::Candidate& one : row.best) {
            got.insert(got.end(), {static_cast<float>(one.id), one.logit});
        }
    }
    return got;
}
std::vector<float> sums_of(const std::vector<device::RowCandidates>& rows) {
    std::vector<float> got;
    for (const device::RowCandidates& row : rows) {
        got.insert(got.end(), {row.log_sum, row.log_sum_allowed, row.log_sum_scaled});
    }
    return got;
}

void add_choice_cases(std::vector<Case>& all) {
    for (const auto& [rows, vocabulary] : {std::pair{3, 4097}, {8, 151552}}) {
        const auto best = [rows, vocabulary](Side& s) { return best_of(s, {.logits = s.rows(rows, vocabulary, 92), .count = device::kCandidatesMost}); };
        const auto masked = [rows, vocabulary](Side& s) {
            const int words = (vocabulary + 63) / 64 * 2;
            std::vector<std::uint32_t> masks;
            for (const float value : Side::numbers(static_cast<std::size_t>(2 * words), 93)) {
                masks.push_back(on_host::float_bits(value));
            }
            std::vector<std::int32_t> mask_of(static_cast<std::size_t>(rows), -1);
            mask_of.front() = 1;
            mask_of.back() = 0;
            return best_of(s, {.logits = s.rows(rows, vocabulary, 94), .masks = s.put(masks), .mask_words = words, .mask_of = s.put(mask_of),
                               .scales = s.put(std::vector<float>(static_cast<std::size_t>(rows), 1.25F)), .count = 17});
        };
        const std::string shape = fmt::format("{} rows of {}", rows, vocabulary);
        all.push_back({"best of " + shape, 0, [=](Side& s) { return ids_and_logits(best(s)); }});
        all.push_back({"best of masked " + shape, 0, [=](Side& s) { return ids_and_logits(masked(s)); }});
        all.push_back({"sums over " + shape, kSums, [=](Side& s) { return sums_of(best(s)); }});
        all.push_back({"sums over masked " + shape, kSums, [=](Side& s) { return sums_of(masked(s)); }});
    }
}

// What benchmarks need.
void add_measure_cases(std::vector<Case>& all) {
    all.push_back({"random words", 0, [](Side& s) {
                       auto* const words = s.zeros<std::uint32_t>(5000);
                       s.run(device::FillRandom{.to = words, .words = 4999, .kept = 0x00FFF00FU, .set = 0x00000300U, .seed = 3}); // below 2^24: floats hold them
                       return s.as_floats(words, 5000);
                   }});
    for (const std::size_t at : {std::size_t{0}, std::size_t{40000}}) { // where the only word that is not zero stands; 0: nowhere
        all.push_back({fmt::format("reading, word {}", at), 0, [=](Side& s) {
                           std::vector<std::uint32_t> words(50'000);
                           words[at] = at > 0 ? 1 : 0;
                           auto* const all_zero = s.zeros<std::uint32_t>(1);
                           s.run(device::ReadAll{.from = s.put(words), .bytes = 200'000, .to = all_zero});
                           return s.as_floats(all_zero, 1);
                       }});
    }
}

// The largest difference as a share of the largest number; what is no number on one side alone differs by everything.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
    double largest = 1e-30, worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        largest = std::isfinite(a[i]) ? std::max(largest, std::abs(static_cast<double>(a[i]))) : largest;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        const bool is_same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
        const double off = is_same ? 0 : std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) / largest;
        worst = off <= worst ? worst : off;
    }
    return a.size() == b.size() ? worst : INFINITY;
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    add_rows_cases(all);
    add_attention_cases(all);
    add_product_cases(all);
    add_library_cases(all);
    add_expert_cases(all);
    add_fused_attention_cases(all);
    add_picture_cases(all);
    add_choice_cases(all);
    add_measure_cases(all);
    return all;
}

} // namespace

void give_operations(device::Device& device) {
    for (const Case& one : all_cases()) {
        Side side(device);
        one.run(side);
    }
}

int compare_operations(device::Device& device, device::Device& beside) {
    const std::vector<Case> all = all_cases();
    int differing = 0;
    for (const Case& one : all) {
        Side mine(device), other(beside);
        const std::vector<float> got = one.run(mine), expected = one.run(other);
        const double off = difference(expected, got);
        const bool is_good = off <= one.tolerance;
        differing += is_good ? 0 : 1;
        Side repeated(device); // and the same bits again
        const bool is_repeated = one.run(repeated) == got || std::any_of(got.begin(), got.end(), [](float v) { return std::isnan(v); });
        differing += is_repeated ? 0 : 1;
        std::printf("%s %-60s differs by %.2g of at most %.2g%s\n", is_good && is_repeated ? "ok  " : "FAIL", one.name.c_str(), off, one.tolerance, is_repeated ? "" : "; other bits when repeated");
    }
    std::printf("%zu operations compared, %d differ\n", all.size(), differing);
    return differing;
}

} // namespace handeye::gpu
