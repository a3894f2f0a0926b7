// SPDX-License-Identifier: Apache-2.0
// The device's attention, run on the host, against the definition.
#include "engine/device/kernels.h"
#include "engine/kernels/ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using device::kPageTokens;
using on_host::run;
using on_host::host::Order;

constexpr float kExactError = 1e-5F;
constexpr float kHalfError = 3e-3F;

std::vector<float> numbers(std::size_t count, unsigned seed, float deviation = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, deviation);
    std::vector<float> out(count);
    std::ranges::generate(out, [&] { return normal(random); });
    return out;
}

struct Shape {
    KvFormat format = KvFormat::F16;
    int heads = 4;
    int kv_heads = 2;
    int head_dim = 32;
    bool exact = true;
    bool wide_rows = false; ///< rows of keys end in bytes that nobody reads
    float sharpness = 1;    ///< of the scores
};
struct Sequence {
    int past = 0;
    int rows = 0;
    unsigned seed = 0; ///< what is in it
};

/// Sequences with their keys and values in scattered pages, among bytes that are no numbers.
class Pass {
public:
    Pass(const Shape& shape, std::vector<Sequence> sequences) : shape_(shape), sequences_(std::move(sequences)) {
        const auto bytes = static_cast<int>(kernels::kv_row_bytes(shape.format, shape.head_dim));
        kv_ = {.layers = 2, .kv_heads = shape.kv_heads, .head_dim = shape.head_dim, .row_bytes = (bytes + 3) / 4 * 4 + (shape.wide_rows ? 4 : 0), .format = shape.format};
        kv_.page_bytes = std::int64_t{2} * kv_.layers * kv_.kv_heads * kPageTokens * kv_.row_bytes;
        lay_out_pages();
        for (const Sequence& sequence : sequences_) {
            store(sequence);
        }
    }

    std::vector<float> attend(bool with_host_spans = true, int spare_keys = 0, device::SplitRows split = {}) {
        device::Attention op{.q = device::Rows{q_.data(), rows_, width(), width()}, .kv = kv_, .layer = 1, .heads = shape_.heads, .scale = scale(), .spans = spans_.data(),
                             .host_spans = with_host_spans ? spans_.data() : nullptr, .n_spans = static_cast<int>(spans_.size()), .exact = shape_.exact, .split = split};
        int few = 0;
        for (const device::SequenceSpan& span : spans_) {
            op.rows_most = std::max(op.rows_most, span.rows);
            op.keys_max = std::max(op.keys_max, span.past + span.rows);
            few += span.rows <= device::kFewAttentionRows ? span.rows : 0;
        }
        op.keys_max += spare_keys;
        std::vector<float> partial(on_host::attention_partial_floats(few, shape_.heads, shape_.head_dim), std::nanf(""));
        std::vector<float> y(q_.size(), -7);
        op.partial = partial.data();
        op.y = device::Rows{y.data(), rows_, width(), width()};
        run({}, op);
        return y;
    }

    [[nodiscard]] std::vector<float> expected() const {
        std::vector<float> y(q_.size());
        for (std::size_t i = 0; i < sequences_.size(); ++i) {
            const Sequence& sequence = sequences_[i];
            const std::int64_t keys = sequence.past + sequence.rows;
            const std::vector<std::byte> k = kept(sequence, 0), v = kept(sequence, 1);
            const std::int64_t first = std::int64_t{spans_[i].first_row} * width();
            kernels::reference::attention({.q = {q_.data() + first, sequence.rows, width(), width()}, .k = k.data(), .v = v.data(), .kv_format = shape_.format, .kv_row_stride = kv_.row_bytes,
                                           .kv_head_stride = keys * kv_.row_bytes, .n_keys = keys, .n_heads = shape_.heads, .n_kv_heads = shape_.kv_heads, .head_dim = shape_.head_dim,
                                           .scale = scale(), .causal = true},
                                          {y.data() + first, sequence.rows, width(), width()});
        }
        return y;
    }

    /// Whether the keys and values of a sequence are, byte for byte, what the processor keeps.
    [[nodiscard]] bool kept_alike(std::size_t index) const {
        const Sequence& sequence = sequences_[index];
        const auto bytes = static_cast<std::size_t>(kernels::kv_row_bytes(shape_.format, shape_.head_dim));
        const std::int64_t keys = sequence.past + sequence.rows;
        for (int part = 0; part < 2; ++part) {
            const std::vector<std::byte> wanted = kept(sequence, part);
            for (int head = 0; head < kv_.kv_heads; ++head) {
                for (std::int64_t token = 0; token < keys; ++token) {
                    const std::uint8_t* const at = kv_.pool + spans_[index].pages[token / kPageTokens] * kv_.page_bytes
                        + (((std::int64_t{1} * 2 + part) * kv_.kv_heads + head) * kPageTokens + token % kPageTokens) * kv_.row_bytes;
                    if (std::memcmp(at, wanted.data() + (head * keys + token) * kv_.row_bytes, bytes) != 0) {
                        return false;
                    }
                }
            }
        }
        return true;
    }

    [[nodiscard]] std::vector<float> rows_of(std::size_t index, const std::vector<float>& y) const {
        const auto first = y.begin() + std::ptrdiff_t{spans_[index].first_row} * width();
        return {first, first + std::ptrdiff_t{spans_[index].rows} * width()};
    }

private:
    [[nodiscard]] int width() const { return shape_.heads * shape_.head_dim; }
    [[nodiscard]] float scale() const { return shape_.sharpness / std::sqrt(static_cast<float>(shape_.head_dim)); }

    void lay_out_pages() {
        std::size_t pages = 1;
        for (const Sequence& sequence : sequences_) {
            pages += static_cast<std::size_t>((sequence.past + sequence.rows + kPageTokens - 1) / kPageTokens);
        }
        pool_.assign(pages * static_cast<std::size_t>(kv_.page_bytes) / 8 + 2, ~std::uint64_t{0});
        kv_.pool = reinterpret_cast<std::uint8_t*>((reinterpret_cast<std::uintptr_t>(pool_.data()) + 15) / 16 * 16);
        std::vector<std::int32_t> free(pages);
        std::iota(free.begin(), free.end(), 0);
        std::ranges::shuffle(free, std::mt19937(5));
        for (const Sequence& sequence : sequences_) {
            std::vector<std::int32_t> table;
            for (int token = 0; token < sequence.past + sequence.rows; token += kPageTokens) {
                table.push_back(free.back());
                free.pop_back();
            }
            tables_.push_back(std::move(table));
            spans_.push_back({.pages = tables_.back().data(), .first_row = rows_, .rows = sequence.rows, .past = sequence.past});
            rows_ += sequence.rows;
            const std::vector<float> q = numbers(static_cast<std::size_t>(sequence.rows) * static_cast<std::size_t>(width()), sequence.seed + 2, 2);
            q_.insert(q_.end(), q.begin(), q.end());
        }
    }
    [[nodiscard]] std::vector<float> floats_of(const Sequence& sequence, int part) const {
        std::vector<float> floats = numbers(static_cast<std::size_t>(sequence.past + sequence.rows) * static_cast<std::size_t>(kv_.kv_heads * kv_.head_dim), sequence.seed + static_cast<unsigned>(part));
        floats[3] = 1e-6F; // where halves are subnormal
        return floats;
    }
    /// What is past, then the new rows, as two spans would bring them.
    void store(const Sequence& sequence) {
        std::vector<float> k = floats_of(sequence, 0), v = floats_of(sequence, 1);
        const int columns = kv_.kv_heads * kv_.head_dim;
        device::SequenceSpan span = spans_[static_cast<std::size_t>(&sequence - sequences_.data())];
        const int past = span.past;
        for (const bool later : {false, true}) {
            span.first_row = 0;
            span.past = later ? past : 0;
            span.rows = later ? sequence.rows : past;
            const auto rows = [&](std::vector<float>& of) { return device::Rows{of.data() + std::ptrdiff_t{span.past} * columns, span.rows, columns, columns}; };
            run({}, device::StoreKv{.k = rows(k), .v = rows(v), .kv = kv_, .layer = 1, .spans = &span, .n_spans = 1});
        }
    }
    [[nodiscard]] std::vector<std::byte> kept(const Sequence& sequence, int part) const {
        const std::vector<float> floats = floats_of(sequence, part);
        const std::int64_t keys = sequence.past + sequence.rows;
        std::vector<std::byte> out(static_cast<std::size_t>(kv_.kv_heads * keys * kv_.row_bytes));
        for (int head = 0; head < kv_.kv_heads; ++head) {
            for (std::int64_t token = 0; token < keys; ++token) {
                const auto from = static_cast<std::size_t>(token * kv_.kv_heads + head) * static_cast<std::size_t>(kv_.head_dim);
                kernels::store_kv_row(kv_.format, std::span(floats).subspan(from, static_cast<std::size_t>(kv_.head_dim)), out.data() + (head * keys + token) * kv_.row_bytes);
            }
        }
        return out;
    }

    Shape shape_;
    std::vector<Sequence> sequences_;
    device::KvPages kv_;
    std::vector<std::uint64_t> pool_;
    std::vector<std::vector<std::int32_t>> tables_;
    std::vector<device::SequenceSpan> spans_;
    std::vector<float> q_;
    int rows_ = 0;
};

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, float error) {
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], wanted[i], error) << "at " << i;
    }
}

/// Runs in every order of threads: the same bits always.
template <class Run>
std::vector<float> in_every_order(const Run& run_once) {
    on_host::host::set_order(Order::Forward);
    const std::vector<float> forward = run_once();
    for (const Order order : {Order::Backward, Order::Shuffled}) {
        on_host::host::set_order(order);
        EXPECT_EQ(run_once(), forward);
    }
    on_host::host::set_order(Order::Forward);
    return forward;
}

class EveryFormat : public testing::TestWithParam<KvFormat> {};
INSTANTIATE_TEST_SUITE_P(Device, EveryFormat, testing::Values(KvFormat::F32, KvFormat::F16, KvFormat::Q8));

TEST_P(EveryFormat, KeysAndValuesAreKeptAsTheProcessorKeepsThem) {
    for (const int head_dim : {4, 16, 40, 64, 100, 128, 196}) {
        for (const Order order : {Order::Forward, Order::Shuffled}) {
            on_host::host::set_order(order);
            const Pass pass({.format = GetParam(), .kv_heads = 3, .head_dim = head_dim}, {{.past = 61, .rows = 5, .seed = 1}, {.past = 0, .rows = 3, .seed = 2}});
            EXPECT_TRUE(pass.kept_alike(0)) << head_dim;
            EXPECT_TRUE(pass.kept_alike(1)) << head_dim;
        }
    }
    on_host::host::set_order(Order::Forward);
}

TEST_P(EveryFormat, SpansOfOneStoreGoToTheirOwnPlaces) {
    constexpr int kDim = 36, kRows = 7;
    const auto bytes = static_cast<int>(kernels::kv_row_bytes(GetParam(), kDim) + 3) / 4 * 4;
    std::vector<std::uint32_t> pool(std::size_t{3} * 2 * kPageTokens * static_cast<std::size_t>(bytes) / 4, 0);
    const device::KvPages kv{.pool = reinterpret_cast<std::uint8_t*>(pool.data()), .page_bytes = 2 * kPageTokens * bytes, .layers = 1, .kv_heads = 1, .head_dim = kDim, .row_bytes = bytes, .format = GetParam()};
    const std::int32_t first[2] = {2, 0}, second[1] = {1};
    const device::SequenceSpan spans[2] = {{.pages = first, .first_row = 0, .rows = 3, .past = 62}, {.pages = second, .first_row = 3, .rows = 4, .past = 1}};
    std::vector<float> k = numbers(std::size_t{kRows} * kDim, 1), v = numbers(std::size_t{kRows} * kDim, 2);
    k[5] = 1e9F; // too large for a half
    run({}, device::StoreKv{.k = {k.data(), kRows, kDim, kDim}, .v = {v.data(), kRows, kDim, kDim}, .kv = kv, .layer = 0, .spans = spans, .n_spans = 2});
    const int places[kRows] = {2 * 128 + 62, 2 * 128 + 63, 0, 128 + 1, 128 + 2, 128 + 3, 128 + 4}; // in tokens: a page has keys and values of 64
    std::vector<std::byte> wanted(static_cast<std::size_t>(bytes));
    const auto length = static_cast<std::size_t>(kernels::kv_row_bytes(GetParam(), kDim));
    for (std::size_t row = 0; row < kRows; ++row) {
        for (const bool values : {false, true}) {
            kernels::store_kv_row(GetParam(), std::span(values ? v : k).subspan(row * kDim, kDim), wanted.data());
            EXPECT_EQ(std::memcmp(kv.pool + std::int64_t{places[row] + (values ? kPageTokens : 0)} * bytes, wanted.data(), length), 0) << row;
        }
    }
}

TEST_P(EveryFormat, KeysAndQueriesAreRotatedOnTheirWay) {
    constexpr int kDim = 64, kRows = 3, kKvHeads = 2, kHeads = 5;
    const auto bytes = static_cast<int>(kernels::kv_row_bytes(GetParam(), kDim) + 3) / 4 * 4;
    const std::int32_t pages[1] = {0};
    const device::SequenceSpan span{.pages = pages, .first_row = 0, .rows = kRows, .past = 9};
    for (const bool half_split : {false, true}) {
        for (const int pairs : {32, 11}) {
            const std::vector<float> cos = numbers(static_cast<std::size_t>(kRows * pairs), 3), sin = numbers(static_cast<std::size_t>(kRows * pairs), 4);
            const device::Rotation by{.pairs = pairs, .half_split = half_split, .cos = cos.data(), .sin = sin.data()};
            const auto stored = [&](bool at_once) { // q, k and v as they are afterwards, and the page
                std::vector<float> q = numbers(std::size_t{kRows} * kHeads * kDim, 5), k = numbers(std::size_t{kRows} * kKvHeads * kDim, 6), v = numbers(std::size_t{kRows} * kKvHeads * kDim, 7);
                std::vector<std::uint32_t> pool(std::size_t{2} * kKvHeads * kPageTokens * static_cast<std::size_t>(bytes) / 4, 0);
                const device::KvPages kv{.pool = reinterpret_cast<std::uint8_t*>(pool.data()), .page_bytes = std::int64_t{2} * kKvHeads * kPageTokens * bytes, .layers = 1, .kv_heads = kKvHeads, .head_dim = kDim, .row_bytes = bytes,
                                         .format = GetParam()};
                device::StoreKv op{.k = {k.data(), kRows, kKvHeads * kDim, kKvHeads * kDim}, .v = {v.data(), kRows, kKvHeads * kDim, kKvHeads * kDim}, .kv = kv, .layer = 0, .spans = &span, .n_spans = 1};
                const device::Rows queries{q.data(), kRows, kHeads * kDim, kHeads * kDim};
                if (at_once) {
                    op.q = queries;
                    op.by = by;
                } else {
                    run({}, device::Rope{.x = queries, .heads = kHeads, .head_dim = kDim, .by = by});
                    run({}, device::Rope{.x = op.k, .heads = kKvHeads, .head_dim = kDim, .by = by});
                }
                run({}, op);
                std::vector<float> all = q;
                all.insert(all.end(), k.begin(), k.end());
                all.insert(all.end(), v.begin(), v.end());
                all.insert(all.end(), pool.begin(), pool.end());
                return all;
            };
            EXPECT_EQ(in_every_order([&] { return stored(true); }), stored(false)) << pairs;
        }
    }
}

TEST_P(EveryFormat, FewRowsOfOddLengths) {
    for (const int keys : {1, 63, 64, 65, 130, 300}) {
        for (const int rows : {1, 2, 3}) {
            if (rows > keys) {
                continue;
            }
            Pass pass({.format = GetParam(), .heads = 6, .kv_heads = 2, .head_dim = 40}, {{.past = keys - rows, .rows = rows, .seed = 3}});
            expect_near(in_every_order([&] { return pass.attend(); }), pass.expected(), kExactError);
        }
    }
}

TEST_P(EveryFormat, FewRowsOfEveryShape) {
    for (const auto& [heads, kv_heads, head_dim] : {std::array{16, 1, 128}, {5, 5, 16}, {34, 2, 64}, {9, 1, 132}, {2, 1, 256}}) {
        Pass pass({.format = GetParam(), .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .wide_rows = head_dim == 64}, {{.past = 70, .rows = 2, .seed = 4}});
        expect_near(in_every_order([&] { return pass.attend(); }), pass.expected(), kExactError);
    }
}

TEST_P(EveryFormat, FewRowsAfterMoreTokensThanShortSplitsHold) {
    Pass pass({.format = GetParam(), .heads = 2, .kv_heads = 1, .head_dim = 16}, {{.past = 64 * 64 + 6, .rows = 1, .seed = 5}});
    expect_near(pass.attend(), pass.expected(), kExactError);
}

TEST_P(EveryFormat, ManyRowsExactly) {
    for (const int head_dim : {16, 40, 64, 128, 136}) {
        Pass pass({.format = GetParam(), .heads = 4, .kv_heads = 2, .head_dim = head_dim, .wide_rows = head_dim == 40},
                  {{.past = 0, .rows = 17, .seed = 6}, {.past = 61, .rows = 70, .seed = 7}, {.past = 64, .rows = 9, .seed = 8}});
        expect_near(in_every_order([&] { return pass.attend(); }), pass.expected(), kExactError);
    }
}

TEST_P(EveryFormat, ManyRowsInHalfPrecision) {
    for (const int head_dim : {64, 128}) {
        for (const bool wide_rows : {false, true}) {
            Pass pass({.format = GetParam(), .heads = 2, .kv_heads = 1, .head_dim = head_dim, .exact = false, .wide_rows = wide_rows},
                      {{.past = 0, .rows = 17, .seed = 9}, {.past = 230, .rows = 70, .seed = 10}, {.past = 1, .rows = 140, .seed = 11}});
            expect_near(in_every_order([&] { return pass.attend(); }), pass.expected(), kHalfError);
        }
    }
}

TEST(DeviceAttention, TakesOtherSizesThanTensorCoresDoExactly) {
    Pass pass({.head_dim = 40, .exact = false}, {{.past = 3, .rows = 17, .seed = 12}});
    expect_near(pass.attend(), pass.expected(), kExactError);
}

TEST(DeviceAttention, OfOneSequenceDoesNotDependOnTheOthers) {
    for (const bool exact : {false, true}) {
        const Shape shape{.heads = 4, .kv_heads = 2, .head_dim = 64, .exact = exact};
        const std::vector<Sequence> sequences{{.past = 129, .rows = 1, .seed = 13}, {.past = 40, .rows = 33, .seed = 14}, {.past = 300, .rows = 5, .seed = 15}, {.past = 0, .rows = 8, .seed = 16}};
        Pass together(shape, sequences);
        const std::vector<float> y = in_every_order([&] { return together.attend(); });
        expect_near(y, together.expected(), exact ? kExactError : kHalfError);
        for (std::size_t i = 0; i < sequences.size(); ++i) {
            EXPECT_EQ(Pass(shape, {sequences[i]}).attend(), together.rows_of(i, y)) << i;
        }
    }
}

TEST(DeviceAttention, OfARowIsTheSameAloneAndWithGuessedOnesAfterIt) {
    const Shape shape{.heads = 4, .kv_heads = 2, .head_dim = 64};
    const std::vector<float> three = Pass(shape, {{.past = 127, .rows = 3, .seed = 17}}).attend();
    const std::vector<float> one = Pass(shape, {{.past = 127, .rows = 1, .seed = 17}}).attend();
    EXPECT_TRUE(std::equal(one.begin(), one.end(), three.begin()));
}

TEST(DeviceAttention, RecordedForAnyLengthGivesTheSame) {
    for (const bool exact : {false, true}) {
        Pass few({.head_dim = 64, .exact = exact}, {{.past = 129, .rows = 2, .seed = 18}, {.past = 10, .rows = 1, .seed = 19}});
        EXPECT_EQ(few.attend(false, 700), few.attend());
        Pass mixed({.head_dim = 64, .exact = exact}, {{.past = 129, .rows = 2, .seed = 18}, {.past = 10, .rows = 20, .seed = 19}});
        EXPECT_EQ(mixed.attend(false, 700), mixed.attend());
    }
}

TEST(DeviceAttention, GivesALeftSideAsSplitMakesIt) {
    for (const int head_dim : {64, 128, 192}) {
        const Shape shape{.heads = 6, .kv_heads = 2, .head_dim = head_dim};
        Pass pass(shape, {{.past = 129, .rows = 2, .seed = 22}, {.past = 10, .rows = 1, .seed = 23}});
        constexpr int kRows = 3, kPlanes = 3;
        const int cols = shape.heads * head_dim;
        const auto left_side = [&](auto& parts, std::vector<float>& sums) {
            return device::SplitRows{.parts = reinterpret_cast<std::uint16_t*>(parts.data()), .sums = sums.data(), .rows = kRows, .rows_max = kRows + 1, .cols = cols, .chunks = cols / device::kChunk, .planes = kPlanes};
        };
        using Parts = std::vector<on_host::Words4>;
        const std::size_t words = static_cast<std::size_t>(kPlanes * (kRows + 1) * cols) / 8, groups = static_cast<std::size_t>((kRows + 1) * cols / device::kSumGroup);
        Parts wanted_parts(words, {7, 7, 7, 7});
        std::vector<float> wanted_sums(groups, 5), y = pass.attend();
        run({}, device::Split{.x = {y.data(), kRows, cols, cols}, .out = left_side(wanted_parts, wanted_sums)});
        const auto as_floats = [](const Parts& parts, const std::vector<float>& sums) {
            std::vector<float> out(parts.size() * 4 + sums.size());
            std::memcpy(out.data(), parts.data(), parts.size() * 16);
            std::ranges::copy(sums, out.begin() + static_cast<std::ptrdiff_t>(parts.size() * 4));
            return out;
        };
        const std::vector<float> wanted = as_floats(wanted_parts, wanted_sums);
        std::vector<std::vector<float>> gots;
        for (const Order order : {Order::Forward, Order::Shuffled}) {
            on_host::host::set_order(order);
            Parts parts(words, {7, 7, 7, 7});
            std::vector<float> sums(groups, 5);
            const std::vector<float> untouched = pass.attend(true, 0, left_side(parts, sums));
            EXPECT_TRUE(std::ranges::all_of(untouched, [](float one) { return one == -7; }));
            const std::vector<float> got = as_floats(parts, sums);
            EXPECT_EQ(std::memcmp(got.data(), wanted.data(), wanted.size() * sizeof(float)), 0) << head_dim;
        }
        on_host::host::set_order(Order::Forward);
    }
}

TEST(DeviceAttention, SurvivesScoresFarApart) {
    for (const bool exact : {false, true}) {
        Pass pass({.format = KvFormat::F32, .head_dim = 64, .exact = exact, .sharpness = 1e5F}, {{.past = 120, .rows = 20, .seed = 20}, {.past = 120, .rows = 2, .seed = 21}});
        for (const float value : pass.attend()) {
            ASSERT_TRUE(std::isfinite(value));
        }
    }
}

struct Full {
    int slices, slice, heads, head_dim;
};

std::vector<float> attend_full(const Full& shape, bool exact) {
    const int rows = shape.slices * shape.slice, width = shape.heads * shape.head_dim;
    std::vector<float> qkv = numbers(static_cast<std::size_t>(rows) * 3 * static_cast<std::size_t>(width), 21);
    std::vector<float> y(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width), -7);
    const auto part = [&](int i) { return device::Rows{qkv.data() + std::ptrdiff_t{i} * width, rows, width, 3 * width}; };
    run({}, device::FullAttention{.q = part(0), .k = part(1), .v = part(2), .slice = shape.slice, .heads = shape.heads, .head_dim = shape.head_dim,
                                  .scale = 0.3F, .y = {y.data(), rows, width, width}, .exact = exact});
    return y;
}

std::vector<float> expected_full(const Full& shape) {
    const int rows = shape.slices * shape.slice, width = shape.heads * shape.head_dim;
    const std::vector<float> qkv = numbers(static_cast<std::size_t>(rows) * 3 * static_cast<std::size_t>(width), 21);
    std::vector<float> y(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width));
    for (int slice = 0; slice < shape.slices; ++slice) {
        const float* const first = qkv.data() + std::ptrdiff_t{slice} * shape.slice * 3 * width;
        kernels::reference::attention({.q = {first, shape.slice, width, 3 * width}, .k = reinterpret_cast<const std::byte*>(first + width), .v = reinterpret_cast<const std::byte*>(first + 2 * width),
                                       .kv_format = KvFormat::F32, .kv_row_stride = std::int64_t{3} * width * 4, .kv_head_stride = std::int64_t{shape.head_dim} * 4, .n_keys = shape.slice,
                                       .n_heads = shape.heads, .n_kv_heads = shape.heads, .head_dim = shape.head_dim, .scale = 0.3F},
                                      {y.data() + std::ptrdiff_t{slice} * shape.slice * width, shape.slice, width, width});
    }
    return y;
}

TEST(DeviceFullAttention, IsWhatItsDefinitionSays) {
    for (const Full& shape : {Full{1, 1, 2, 64}, {3, 17, 2, 128}, {1, 70, 1, 40}, {2, 130, 2, 64}, {1, 33, 1, 160}}) {
        for (const bool exact : {true, false}) {
            const bool half = !exact && (shape.head_dim == 64 || shape.head_dim == 128);
            expect_near(in_every_order([&] { return attend_full(shape, exact); }), expected_full(shape), half ? 2 * kHalfError : kExactError);
        }
    }
}

} // namespace
} // namespace handeye
