// SPDX-License-Identifier: Apache-2.0
// The device's operations between products, run on the host, against the CPU's kernels.
#include "engine/device/kernels.h"
#include "engine/kernels/ops.h"
#include "orders.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace handeye {
namespace {

using device::Rows;
using on_host::bf16_float;
using on_host::float_bf16;
using on_host::run;

constexpr float kEps = 1e-5F;

struct Shape {
    int rows, cols;
};
// One number; less than a unit, odd; a chunk; several rows a block; more than a thread keeps.
const std::vector<Shape> kShapes{{1, 1}, {3, 7}, {2, 64}, {19, 130}, {2, 1537}, {1, 16391}, {2, 20000}};

std::string name_of(const Shape& s) { return std::to_string(s.rows) + " x " + std::to_string(s.cols); }

std::span<const std::byte> as_bytes_of(const std::vector<float>& v) { return std::as_bytes(std::span(v)); }
void expect_same(const std::vector<float>& got, const std::vector<float>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    EXPECT_TRUE(std::ranges::equal(as_bytes_of(got), as_bytes_of(wanted)));
}
void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, float error) {
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], wanted[i], error * (1 + std::abs(wanted[i]))) << i;
    }
}

// A split and its memory, which holds other numbers before.
struct SplitMemory {
    int rows, cols, chunks, planes;
    std::vector<std::uint16_t> parts;
    std::vector<float> sums;
    SplitMemory(int rows_, int cols_, int planes_)
        : rows(rows_), cols(cols_), chunks((cols_ + 63) / 64 + 1), planes(planes_), parts(static_cast<std::size_t>(planes * (rows + 2) * chunks * 64), 0x4242), sums(static_cast<std::size_t>((rows + 2) * chunks * 4), 5.0F) {}
    device::SplitRows view() { return {.parts = parts.data(), .sums = sums.data(), .rows = rows, .rows_max = rows + 2, .cols = cols, .chunks = chunks, .planes = planes}; }
    // Number `plane` of input `col`, which may be one beyond cols.
    [[nodiscard]] float part(int plane, int row, int col) const {
        const int c = col / 64, j = col % 64 / 16, t = col % 16 / 4, e = col % 4;
        return bf16_float(parts[static_cast<std::size_t>((plane * (rows + 2) + row) * chunks * 64 + 64 * c + 16 * t + 4 * j + e)]);
    }
    [[nodiscard]] std::vector<float> all() const {
        std::vector<float> out = sums;
        out.insert(out.end(), parts.begin(), parts.end());
        return out;
    }
    // Everything of row `row` is what `numbers` say.
    void expect(int row, const std::vector<float>& numbers) const {
        for (int group = 0; group < chunks * 4; ++group) {
            float sum = 0;
            for (int col = group * 16; col < group * 16 + 16; ++col) {
                const float value = col < cols ? numbers[static_cast<std::size_t>(col)] : 0.0F;
                sum += value;
                float rest = value;
                for (int plane = 0; plane < planes; ++plane) {
                    const float wanted = bf16_float(float_bf16(rest));
                    ASSERT_EQ(part(plane, row, col), wanted) << "plane " << plane << " row " << row << " column " << col;
                    rest -= wanted;
                }
            }
            ASSERT_EQ(sums[static_cast<std::size_t>(row * chunks * 4 + group)], sum) << "row " << row << " sum " << group;
        }
        for (std::size_t beyond = static_cast<std::size_t>(rows * chunks * 4); beyond < sums.size(); ++beyond) {
            ASSERT_EQ(sums[beyond], 5.0F);
        }
    }
};

std::vector<std::int32_t> some_order(int count) {
    std::vector<std::int32_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    return order;
}

struct SplitCase {
    bool is_normed, is_ordered;
    int planes;
};

void check_split(const Shape& s, const SplitCase& c) {
    SCOPED_TRACE(name_of(s) + (c.is_normed ? " normed" : "") + (c.is_ordered ? " ordered" : "") + " planes " + std::to_string(c.planes));
    const int stride = stride_of(s.cols);
    std::vector<float> x = random_floats(static_cast<std::size_t>(s.rows * stride), 1);
    const std::vector<float> weight = random_floats(static_cast<std::size_t>(s.cols), 2);
    const std::vector<std::int32_t> inputs = some_order(s.cols);
    std::vector<float> normed(static_cast<std::size_t>(s.rows * s.cols));
    SplitMemory to(s.rows, s.cols, c.planes);
    in_every_order([&] {
        to = SplitMemory(s.rows, s.cols, c.planes);
        run({}, device::Split{.x = rows_in(x, s.rows, s.cols, stride), .weight = c.is_normed ? weight.data() : nullptr, .eps = kEps, .out = to.view(),
                              .normed = normed.data(), .inputs = c.is_ordered ? inputs.data() : nullptr});
        return to.all();
    });
    std::vector<float> wanted(normed.size());
    const ConstMatrix from{x.data(), s.rows, s.cols, stride};
    const Matrix into{wanted.data(), s.rows, s.cols, s.cols};
    if (c.is_normed) {
        kernels::reference::rms_norm(from, weight, kEps, into);
    } else {
        for (int row = 0; row < s.rows; ++row) {
            std::copy_n(from.row(row), s.cols, into.row(row));
        }
    }
    expect_near(normed, wanted, c.is_normed ? 2e-6F : 0.0F);
    for (int row = 0; row < s.rows; ++row) {
        std::vector<float> numbers(normed.begin() + row * s.cols, normed.begin() + (row + 1) * s.cols);
        if (c.is_ordered) {
            const std::vector<float> natural = numbers;
            std::ranges::transform(inputs, numbers.begin(), [&](std::int32_t i) { return natural[static_cast<std::size_t>(i)]; });
        }
        to.expect(row, numbers);
    }
}

// What a split adds first is what Add and RmsNorm add before it, bit by bit.
void check_split_after_sum(const Shape& s, bool is_normed, bool is_ordered) {
    SCOPED_TRACE(name_of(s) + (is_normed ? " normed" : "") + (is_ordered ? " ordered" : ""));
    const int stride = stride_of(s.cols);
    const std::vector<float> start = random_floats(static_cast<std::size_t>(s.rows * stride), 1), weight = random_floats(static_cast<std::size_t>(s.cols), 2), added_weight = random_floats(static_cast<std::size_t>(s.cols), 4);
    std::vector<float> added = random_floats(static_cast<std::size_t>(s.rows * stride), 3);
    const std::vector<std::int32_t> inputs = some_order(s.cols);
    const auto both = [&](const std::vector<float>& x, const SplitMemory& split) {
        std::vector<float> out = split.all();
        out.insert(out.end(), x.begin(), x.end());
        return out;
    };
    const auto split_of = [&](std::vector<float>& x, SplitMemory& to) {
        return device::Split{.x = rows_in(x, s.rows, s.cols, stride), .weight = weight.data(), .eps = kEps, .out = to.view(), .inputs = is_ordered ? inputs.data() : nullptr};
    };
    std::vector<float> x = start;
    SplitMemory to(s.rows, s.cols, 3);
    if (is_normed) {
        run({}, device::RmsNorm{.x = rows_in(added, s.rows, s.cols, stride), .weight = added_weight.data(), .eps = kEps, .y = rows_in(x, s.rows, s.cols, stride), .into = device::Into::Add});
    } else {
        run({}, device::Add{.x = rows_in(added, s.rows, s.cols, stride), .y = rows_in(x, s.rows, s.cols, stride)});
    }
    run({}, split_of(x, to));
    const std::vector<float> got = in_every_order([&] {
        std::vector<float> sum = start;
        SplitMemory at_once(s.rows, s.cols, 3);
        device::Split op = split_of(sum, at_once);
        op.added = rows_in(added, s.rows, s.cols, stride);
        op.added_weight = is_normed ? added_weight.data() : nullptr;
        run({}, op);
        return both(sum, at_once);
    });
    expect_same(got, both(x, to));
}

TEST(DeviceRows, SplitsWhatIsAddedFirst) {
    for (const Shape& s : kShapes) {
        for (const bool is_normed : {false, true}) {
            check_split_after_sum(s, is_normed, false);
            check_split_after_sum(s, is_normed, true);
        }
    }
}

TEST(DeviceRows, SplitsIntoNumbersWhoseSumTheyAre) {
    for (const Shape& s : kShapes) {
        for (const SplitCase c : {SplitCase{false, false, 3}, {true, false, 3}, {true, true, 3}, {false, true, 1}, {true, false, 1}}) {
            check_split(s, c);
        }
    }
}

TEST(DeviceRows, SplitKeepsWhatIsNotFinite) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::vector<float> x(64, 1.5F);
    x[3] = kInfinity;
    x[17] = -kInfinity;
    x[40] = std::numeric_limits<float>::quiet_NaN();
    x[41] = std::bit_cast<float>(0x7F800001U); // one whose upper half looks infinite
    x[50] = 1.0F + 0x1p-20F;
    SplitMemory to(1, 64, 3);
    run({}, device::Split{.x = rows_in(x, 1, 64, 64), .weight = nullptr, .out = to.view()});
    EXPECT_EQ(to.part(0, 0, 3), kInfinity);
    EXPECT_EQ(to.part(0, 0, 17), -kInfinity);
    EXPECT_TRUE(std::isnan(to.part(0, 0, 40)) && std::isnan(to.part(0, 0, 41)));
    for (const int col : {3, 17, 40, 41}) {
        EXPECT_EQ(to.part(1, 0, col), 0.0F);
        EXPECT_EQ(to.part(2, 0, col), 0.0F);
    }
    EXPECT_EQ(to.part(0, 0, 50) + to.part(1, 0, 50) + to.part(2, 0, 50), x[50]);
}

TEST(DeviceRows, SplitsGatedRows) {
    for (const Shape& s : {Shape{1, 1}, {3, 70}, {2, 4100}}) {
        for (const bool is_ordered : {false, true}) {
            SCOPED_TRACE(name_of(s));
            const int stride = stride_of(s.cols);
            std::vector<float> gate = random_floats(static_cast<std::size_t>(s.rows * stride), 4);
            std::vector<float> up = random_floats(static_cast<std::size_t>(s.rows * stride), 5);
            const std::vector<std::int32_t> inputs = some_order(s.cols);
            SplitMemory to(s.rows, s.cols, 3);
            in_every_order([&] {
                to = SplitMemory(s.rows, s.cols, 3);
                run({}, device::SiluSplit{.gate = rows_in(gate, s.rows, s.cols, stride), .up = rows_in(up, s.rows, s.cols, stride), .out = to.view(), .inputs = is_ordered ? inputs.data() : nullptr});
                return to.all();
            });
            std::vector<float> wanted(static_cast<std::size_t>(s.rows * s.cols));
            kernels::reference::silu_mul({gate.data(), s.rows, s.cols, stride}, {up.data(), s.rows, s.cols, stride}, {wanted.data(), s.rows, s.cols, s.cols});
            for (int row = 0; row < s.rows; ++row) {
                std::vector<float> numbers;
                for (int col = 0; col < s.cols; ++col) {
                    const float got = to.part(0, row, col) + to.part(1, row, col) + to.part(2, row, col);
                    const float want = wanted[static_cast<std::size_t>(row * s.cols + (is_ordered ? inputs[static_cast<std::size_t>(col)] : col))];
                    ASSERT_NEAR(got, want, 1e-6F * (1 + std::abs(want)));
                    numbers.push_back(got);
                }
                to.expect(row, numbers);
            }
        }
    }
}

TEST(DeviceRows, GatesFarBelowZeroAndNoNumbers) {
    std::vector<float> gate{-200.0F, -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 90.0F};
    std::vector<float> up{1e4F, 1.0F, 1.0F, 2.0F};
    SplitMemory to(1, 4, 3);
    run({}, device::SiluSplit{.gate = rows_in(gate, 1, 4, 4), .up = rows_in(up, 1, 4, 4), .out = to.view()});
    EXPECT_NEAR(to.part(0, 0, 0), 0.0F, 1e-30F);
    EXPECT_EQ(to.part(0, 0, 1), -std::numeric_limits<float>::infinity());
    EXPECT_TRUE(std::isnan(to.part(0, 0, 2)));
    EXPECT_EQ(to.part(0, 0, 3), 180.0F);
}

TEST(DeviceRows, Norms) {
    for (const Shape& s : kShapes) {
        for (const auto into : {device::Into::Overwrite, device::Into::Add}) {
            SCOPED_TRACE(name_of(s));
            const int stride = stride_of(s.cols);
            const std::vector<float> start = random_floats(static_cast<std::size_t>(s.rows * stride), 6);
            const std::vector<float> weight = random_floats(static_cast<std::size_t>(s.cols), 7);
            const std::vector<float> got = in_every_order([&] { // in place
                std::vector<float> x = start;
                const Rows rows = rows_in(x, s.rows, s.cols, stride);
                run({}, device::RmsNorm{.x = rows, .weight = weight.data(), .eps = kEps, .y = rows, .into = into});
                return x;
            });
            std::vector<float> wanted = start;
            kernels::reference::rms_norm({start.data(), s.rows, s.cols, stride}, weight, kEps, {wanted.data(), s.rows, s.cols, stride});
            for (int i = 0; into == device::Into::Add && i < s.rows * stride; ++i) {
                wanted[static_cast<std::size_t>(i)] += i % stride < s.cols ? start[static_cast<std::size_t>(i)] : 0.0F;
            }
            expect_near(got, wanted, 2e-6F);
        }
    }
}

TEST(DeviceRows, NormsLayersAndBendsThem) {
    ThreadPool pool(1);
    for (const Shape& s : kShapes) {
        SCOPED_TRACE(name_of(s));
        const int stride = stride_of(s.cols);
        std::vector<float> wanted = random_floats(static_cast<std::size_t>(s.rows * stride), 8);
        for (int row = 0; row < s.rows; ++row) {
            for (int col = 0; col < s.cols; ++col) {
                wanted[static_cast<std::size_t>(row * stride + col)] += 3.0F;
            }
        }
        const std::vector<float> start = wanted;
        const std::vector<float> weight = random_floats(static_cast<std::size_t>(s.cols), 9);
        const std::vector<float> bias = random_floats(static_cast<std::size_t>(s.cols), 10);
        const std::vector<float> got = in_every_order([&] {
            std::vector<float> x = start;
            run({}, device::LayerNormGelu{.x = rows_in(x, s.rows, s.cols, stride), .weight = weight.data(), .bias = bias.data(), .eps = kEps});
            return x;
        });
        const Matrix x{wanted.data(), s.rows, s.cols, stride};
        kernels::layer_norm(pool, x, weight, bias, kEps);
        kernels::gelu_erf(pool, x);
        expect_near(got, wanted, 1e-5F);
    }
}

TEST(DeviceRows, Adds) {
    for (const Shape& s : kShapes) {
        SCOPED_TRACE(name_of(s));
        const int stride = stride_of(s.cols);
        std::vector<float> x = random_floats(static_cast<std::size_t>(s.rows * stride), 11);
        const std::vector<float> start = random_floats(static_cast<std::size_t>(s.rows * stride), 12);
        const std::vector<float> got = in_every_order([&] {
            std::vector<float> y = start;
            run({}, device::Add{.x = rows_in(x, s.rows, s.cols, stride), .y = rows_in(y, s.rows, s.cols, stride)});
            return y;
        });
        std::vector<float> wanted = start;
        for (int i = 0; i < s.rows * stride; ++i) {
            wanted[static_cast<std::size_t>(i)] += i % stride < s.cols ? x[static_cast<std::size_t>(i)] : 0.0F;
        }
        expect_same(got, wanted);
    }
}

void check_rope(int rows, int heads, int head_dim, int pairs, bool half_split) {
    SCOPED_TRACE(std::to_string(heads) + " heads of " + std::to_string(head_dim) + ", " + std::to_string(pairs) + (half_split ? " pairs apart" : " pairs"));
    ThreadPool pool(1);
    const int cols = heads * head_dim, stride = stride_of(cols);
    const std::vector<float> start = random_floats(static_cast<std::size_t>(rows * stride), 13);
    const std::vector<float> cos = random_floats(static_cast<std::size_t>(rows * pairs), 14);
    const std::vector<float> sin = random_floats(static_cast<std::size_t>(rows * pairs), 15);
    const std::vector<float> got = in_every_order([&] {
        std::vector<float> x = start;
        run({}, device::Rope{.x = rows_in(x, rows, cols, stride), .heads = heads, .head_dim = head_dim, .by = {.pairs = pairs, .half_split = half_split, .cos = cos.data(), .sin = sin.data()}});
        return x;
    });
    std::vector<float> wanted = start;
    const Matrix x{wanted.data(), rows, cols, stride};
    const kernels::RopeTable table{.cos = {cos.data(), rows, pairs, pairs}, .sin = {sin.data(), rows, pairs, pairs}};
    half_split ? kernels::rope_half_split(pool, x, heads, table) : kernels::rope_interleaved(pool, x, heads, table);
    expect_near(got, wanted, 1e-6F);
}

TEST(DeviceRows, Rotates) {
    for (const bool half_split : {false, true}) {
        check_rope(3, 5, 128, 32, half_split);
        check_rope(2, 3, 64, 32, half_split);
        check_rope(3, 2, 22, 11, half_split);
        check_rope(2, 3, 7, 3, half_split);
        check_rope(1, 1, 2, 1, half_split);
        check_rope(1, 33, 80, 36, half_split);
    }
}

TEST(DeviceRows, GathersBlocksOfPatches) {
    for (const auto& [blocks, cols, taps] : {std::tuple{3, 36, 4}, {2, 1537, 4}, {1, 5, 3}, {2, 64, 1}}) {
        SCOPED_TRACE(std::to_string(cols) + " columns, " + std::to_string(taps) + " taps");
        const int stride = stride_of(cols), to_stride = stride_of(cols * taps);
        std::vector<float> x = random_floats(static_cast<std::size_t>(blocks * taps * stride), 16);
        const std::vector<float> got = in_every_order([&] {
            std::vector<float> to(static_cast<std::size_t>(blocks * to_stride), 5.0F);
            run({}, device::GatherBlocks{.x = rows_in(x, blocks * taps, cols, stride), .taps = taps, .to = rows_in(to, blocks, cols * taps, to_stride)});
            return to;
        });
        for (int i = 0; i < blocks * to_stride; ++i) {
            const int block = i / to_stride, at = i % to_stride;
            const float wanted = at < cols * taps ? x[static_cast<std::size_t>((block * taps + at % taps) * stride + at / taps)] : 5.0F;
            ASSERT_EQ(got[static_cast<std::size_t>(i)], wanted) << i;
        }
    }
}

} // namespace
} // namespace handeye
