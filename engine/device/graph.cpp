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

void ProductSizes::left(int rows, int cols) {
    parts_ = std::max(parts_, parts_of(precision_, rows, cols));
    sums_ = std::max(sums_, sums_of(rows, cols));
}

void ProductSizes::expert_left(int rows, int cols) {
    parts_ = std::max(parts_, std::int64_t{kPartsMost} * rows * chunks_of(cols) * kChunk);
    sums_ = std::max(sums_, sums_of(rows, cols));
}

void ProductSizes::matrix(const WeightMatrix& w, int rows) {
    largest_ = std::max(largest_, w.rows * chunks_of(static_cast<int>(w.cols)) * kChunk);
    if (w.added != nullptr) {
        for (const LowRank& added : *w.added) {
            const int rank = static_cast<int>(added.down.rows);
            rank_rows_ = std::max(rank_rows_, std::int64_t{rows} * rank);
            rank_parts_ = std::max(rank_parts_, parts_of(precision_, rows, rank));
            rank_sums_ = std::max(rank_sums_, sums_of(rows, rank));
        }
    }
}

ProductSpace ProductSizes::carve(Carver& carver, bool uses_library) const {
    ProductSpace space;
    const auto parts = [&](std::int64_t numbers, std::int64_t sums) {
        return ProductSpace::Parts{.parts = carver.take<std::uint16_t>(numbers), .parts_most = numbers, .sums = carver.take<float>(sums), .sums_most = sums};
    };
    space.split = parts(parts_, sums_);
    space.unpacked = uses_library ? carver.take<std::uint16_t>(largest_) : nullptr;
    if (rank_rows_ > 0) {
        space.low_rank = carver.take<float>(rank_rows_);
        space.low_rank_split = parts(rank_parts_, rank_sums_);
    }
    return space;
}

SplitRows Graph::sized(const ProductSpace::Parts& space, int rows, int cols, int planes) const {
    const SplitRows split{.parts = space.parts, .sums = space.sums, .rows = rows, .rows_max = rows, .cols = cols, .chunks = chunks_of(cols), .planes = planes};
    CHECK(std::int64_t{split.planes} * rows * split.chunks * kChunk <= space.parts_most && sums_of(rows, cols) <= space.sums_most);
    return split;
}

SplitRows Graph::split(Rows x, const float* norm_weight, float eps, const std::int32_t* inputs) {
    const SplitRows out = sized(space_.split, x.rows, x.cols, planes_of(precision_, x.rows));
    run(Split{.x = x, .weight = norm_weight, .eps = eps, .out = out, .normed = nullptr, .inputs = inputs});
    return out;
}

SplitRows Graph::silu_split(Rows gate, Rows up, const std::int32_t* inputs) {
    const SplitRows out = sized(space_.split, gate.rows, gate.cols, planes_of(precision_, gate.rows));
    run(SiluSplit{.gate = gate, .up = up, .out = out, .inputs = inputs});
    return out;
}

SplitRows Graph::expert_silu_split(Rows gate, Rows up) {
    const SplitRows out = sized(space_.split, gate.rows, gate.cols, kPartsMost);
    run(SiluSplit{.gate = gate, .up = up, .out = out, .inputs = nullptr});
    return out;
}

void Graph::product(const SplitRows& x, const DeviceMatrix& w, const float* bias, Rows y, Into into) {
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

void Graph::add_low_rank(const SplitRows& x, const Linear& w, Rows y) {
    for (const Linear::LowRankPair& pair : w.added) {
        const Rows narrow = rows_of(space_.low_rank, x.rows, pair.down.rows);
        product(x, pair.down, nullptr, narrow, Into::Overwrite);
        const SplitRows split = sized(space_.low_rank_split, x.rows, pair.down.rows, planes_of(precision_, x.rows));
        run(Split{.x = narrow, .weight = nullptr, .eps = 0, .out = split, .normed = nullptr, .inputs = nullptr});
        product(split, pair.up, nullptr, y, Into::Add);
    }
}

void Graph::products(Rows x, const float* norm_weight, float eps, std::initializer_list<Output> outputs, Into into) {
    const std::int32_t* order = nullptr;
    SplitRows ready;
    bool is_ready = false;
    for (const Output& output : outputs) {
        const DeviceMatrix& w = output.w->w;
        if (!is_ready || w.inputs != order) {
            order = w.inputs;
            ready = split(x, norm_weight, eps, order);
            is_ready = true;
        }
        product(ready, w, output.w->bias, output.y, into);
        if (!output.w->added.empty()) { // factors of an adapter have their inputs in their own order
            if (order != nullptr) {
                ready = split(x, norm_weight, eps);
                order = nullptr;
            }
            add_low_rank(ready, *output.w, output.y);
        }
    }
}

void Graph::mlp(Rows x, const float* norm_weight, float eps, const MlpWeights& w, Rows gate, Rows up, Rows y, Into into) {
    products(x, norm_weight, eps, {{&w.gate, gate}, {&w.up, up}});
    const SplitRows inner = silu_split(gate, up, w.down.w.inputs);
    product(inner, w.down.w, w.down.bias, y, into);
    if (!w.down.added.empty()) {
        add_low_rank(w.down.w.inputs != nullptr ? silu_split(gate, up) : inner, w.down, y);
    }
}

} // namespace handeye::device
