// SPDX-License-Identifier: Apache-2.0
#include "engine/device/graph.h"

#include <algorithm>

namespace handeye::device {
namespace {

int chunks_of(int cols) { return (cols + kChunk - 1) / kChunk; }

std::int64_t parts_of(Precision precision, int rows, int cols) {
    const auto numbers = [&](int count) { return std::int64_t{planes_of(precision, count)} * count * chunks_of(cols) * kChunk; };
    return std::max(numbers(rows), numbers(std::min(rows, kFewRows))); // a few rows have more planes
}
std::int64_t sums_of(int rows, int cols) { return std::int64_t{rows} * chunks_of(cols) * (kChunk / kSumGroup); }

} // namespace

void ProductSizes::Most::see(std::int64_t some_parts, std::int64_t some_sums) {
    parts = std::max(parts, some_parts);
    sums = std::max(sums, some_sums);
}

void ProductSizes::left(int rows, int cols) { left_.see(parts_of(precision_, rows, cols), sums_of(rows, cols)); }
void ProductSizes::inner(int rows, int cols) { inner_.see(parts_of(precision_, rows, cols), sums_of(rows, cols)); }
void ProductSizes::expert_inner(int rows, int cols) { inner_.see(std::int64_t{kPartsMost} * rows * chunks_of(cols) * kChunk, sums_of(rows, cols)); }

void ProductSizes::matrix(const WeightMatrix& w, int rows) {
    largest_ = std::max(largest_, w.rows * chunks_of(static_cast<int>(w.cols)) * kChunk);
    if (w.added != nullptr) {
        for (const LowRank& added : *w.added) {
            const int rank = static_cast<int>(added.down.rows);
            rank_rows_ = std::max(rank_rows_, std::int64_t{rows} * rank);
            rank_.see(parts_of(precision_, rows, rank), sums_of(rows, rank));
        }
    }
}

ProductSpace ProductSizes::carve(Carver& carver, bool uses_library) const {
    ProductSpace space;
    const auto parts = [&](const Most& most) {
        return ProductSpace::Parts{.parts = carver.take<std::uint16_t>(most.parts), .parts_most = most.parts, .sums = carver.take<float>(most.sums), .sums_most = most.sums};
    };
    space.split = parts(left_);
    space.inner_split = parts(inner_);
    space.unpacked = uses_library ? carver.take<std::uint16_t>(largest_) : nullptr;
    if (rank_rows_ > 0) {
        space.low_rank = carver.take<float>(rank_rows_);
        space.low_rank_split = parts(rank_);
    }
    return space;
}

SplitRows Graph::sized(const ProductSpace::Parts& space, int rows, int cols, int planes) const {
    const SplitRows split{.parts = space.parts, .sums = space.sums, .rows = rows, .rows_max = rows, .cols = cols, .chunks = chunks_of(cols), .planes = planes};
    CHECK(std::int64_t{split.planes} * rows * split.chunks * kChunk <= space.parts_most && sums_of(rows, cols) <= space.sums_most);
    return split;
}

SplitRows Graph::left_space(int rows, int cols) {
    ++lefts_;
    return sized(space_.split, rows, cols, planes_of(precision_, rows));
}
SplitRows Graph::inner_space(int rows, int cols) const { return sized(space_.inner_split, rows, cols, planes_of(precision_, rows)); }
SplitRows Graph::expert_inner_space(int rows, int cols) const { return sized(space_.inner_split, rows, cols, kPartsMost); }

SplitRows Graph::split(Left& left, const std::int32_t* inputs) {
    if (left.ready.number == lefts_ && left.ready.inputs == inputs) {
        return left.ready.split;
    }
    CHECK(left.added.data == nullptr || left.norm_weight != nullptr);
    const SplitRows out = left_space(left.x.rows, left.x.cols);
    run(Split{.x = left.x, .weight = left.norm_weight, .eps = left.eps, .added = left.added, .added_weight = left.added_norm, .out = out, .inputs = inputs});
    left.added = {};
    left.ready = {.split = out, .inputs = inputs, .number = lefts_};
    return out;
}

SplitRows Graph::silu_split(Rows gate, Rows up, const std::int32_t* inputs) {
    const SplitRows out = inner_space(gate.rows, gate.cols);
    run(SiluSplit{.gate = gate, .up = up, .out = out, .inputs = inputs});
    return out;
}

void Graph::one_product(const SplitRows& x, const DeviceMatrix& w, const float* bias, Rows y, Into into) {
    CHECK(w.cols == x.cols && w.rows == y.cols && x.rows == y.rows);
    if (x.rows <= kFewRows) {
        run(FewProduct{.x = x, .w = w, .bias = bias, .y = y, .into = into});
    } else if (x.planes == 1 && space_.unpacked != nullptr) {
        run(Unpack{.w = w, .to = space_.unpacked});
        run(LibraryProduct{.x = x.parts, .w = space_.unpacked, .rows = x.rows, .n = w.rows, .cols = x.chunks * kChunk, .bias = bias, .y = y, .into = into});
    } else {
        run(ManyProduct{.x = x, .w = w, .bias = bias, .y = y, .into = into});
    }
}

void Graph::few_products(const SplitRows& x, std::span<const Output> outputs, Into into) {
    FewProducts all{.x = x, .of = {}, .count = static_cast<int>(outputs.size()), .into = into};
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const Output& one = outputs[i];
        CHECK(one.w->w.cols == x.cols && one.w->w.rows == one.y.cols && x.rows == one.y.rows);
        all.of[i] = {.w = one.w->w, .bias = one.w->bias, .y = one.y};
    }
    run(all);
}

void Graph::add_low_rank(const SplitRows& x, const Linear& w, Rows y) {
    for (const Linear::LowRankPair& pair : w.added) {
        const Rows narrow = rows_of(space_.low_rank, x.rows, pair.down.rows);
        one_product(x, pair.down, nullptr, narrow, Into::Overwrite);
        const SplitRows split = sized(space_.low_rank_split, x.rows, pair.down.rows, planes_of(precision_, x.rows));
        run(Split{.x = narrow, .out = split});
        one_product(split, pair.up, nullptr, y, Into::Add);
    }
}

void Graph::product(const SplitRows& x, const Linear& w, Rows y, Into into) {
    CHECK(w.w.inputs == nullptr);
    one_product(x, w.w, w.bias, y, into);
    add_low_rank(x, w, y);
}

void Graph::products(Left& left, std::span<const Output> outputs, Into into) {
    while (!outputs.empty()) {
        const Linear& first = *outputs.front().w;
        const SplitRows x = split(left, first.w.inputs);
        const auto joins = [&](const Output& other) { return x.rows <= kFewRows && same_codes(other.w->w, first.w) && other.w->w.inputs == first.w.inputs; };
        std::size_t together = 1;
        while (together < std::min<std::size_t>(outputs.size(), kProductsMost) && joins(outputs[together])) {
            ++together;
        }
        if (together > 1) {
            few_products(x, outputs.first(together), into);
        } else {
            one_product(x, first.w, first.bias, outputs.front().y, into);
        }
        for (const Output& output : outputs.first(together)) {
            if (!output.w->added.empty()) { // factors of an adapter have their inputs in their own order
                add_low_rank(split(left), *output.w, output.y);
            }
        }
        outputs = outputs.subspan(together);
    }
}

void Graph::mlp(Left& left, const MlpWeights& w, Rows gate, Rows up, Rows y, Into into) {
    const DeviceMatrix& down = w.down.w;
    const bool is_one_launch = left.x.rows <= kFewRows && same_codes(w.gate.w, w.up.w) && w.gate.w.inputs == w.up.w.inputs && down.inputs == nullptr && w.gate.added.empty() && w.up.added.empty();
    SplitRows inner;
    if (is_one_launch) {
        inner = inner_space(gate.rows, gate.cols);
        const SplitRows x = split(left, w.gate.w.inputs);
        CHECK(w.gate.w.cols == x.cols && w.gate.w.rows == gate.cols && w.up.w.rows == gate.cols && down.cols == gate.cols);
        run(GatedProduct{.x = x, .gate = w.gate.w, .up = w.up.w, .gate_bias = w.gate.bias, .up_bias = w.up.bias, .out = inner});
    } else {
        products(left, std::array{Output{&w.gate, gate}, Output{&w.up, up}});
        inner = silu_split(gate, up, down.inputs);
    }
    one_product(inner, down, w.down.bias, y, into);
    if (!w.down.added.empty()) {
        add_low_rank(down.inputs != nullptr ? silu_split(gate, up, nullptr) : inner, w.down, y);
    }
}

} // namespace handeye::device
