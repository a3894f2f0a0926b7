// SPDX-License-Identifier: Apache-2.0
// Times one matrix product in each of the formats that people download most, beside what the machine would allow by its own measure.
#include "engine/bench_products.h"
#include "engine/kernels/machine_peak.h"
#include "engine/kernels/ops.h"
#include "engine/quant/blocks.h"
#include "engine/quant/weight_format.h"
#include "engine/runtime/engine_core.h"

#include <algorithm>
#include <array>
#include <random>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::array<std::int64_t, 4> kRowCounts = {1, 16, 64, 512}; // a token; several answers' tokens; the end of a prompt; a prompt
constexpr double kSecondsEach = 0.15;
constexpr std::array<std::uint32_t, 5> kBlockTypes = {2, 8, 12, 13, 14}; // Q4_0, Q8_0, Q4_K, Q5_K, Q6_K

struct Weights {
    std::vector<std::uint32_t> words;
    WeightMatrix matrix;
    double bytes = 0;
};

// In `blocks`, or bfloat16 where that is null. Any bits are weights but for those at the top of exponents, which are kept small.
Weights random_weights(const BlockFormat* blocks, std::int64_t side) {
    const std::int64_t bytes = blocks != nullptr ? side * side / blocks->elements * blocks->bytes : side * side * 2;
    Weights out{.words = std::vector<std::uint32_t>(static_cast<std::size_t>(bytes / 4)), .matrix = {}, .bytes = static_cast<double>(bytes)};
    std::minstd_rand random(1);
    const std::uint32_t kept = blocks != nullptr ? 0x2F2F2F2FU : 0x807F807FU, set = blocks != nullptr ? 0 : 0x3F003F00U;
    std::generate(out.words.begin(), out.words.end(), [&] { return (static_cast<std::uint32_t>(random()) * 2 & kept) | set; });
    out.matrix = matrix_of({reinterpret_cast<const std::byte*>(out.words.data()), DType::BF16, {side, side}, blocks}, side);
    return out;
}

double best_seconds(ThreadPool& pool, const WeightMatrix& w, std::int64_t rows) {
    const std::int64_t side = w.cols;
    std::vector<float> x(static_cast<std::size_t>(rows * side)), y(static_cast<std::size_t>(rows * side));
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<float>(i % 201) / 100 - 1;
    }
    double best = 0;
    const TimePoint begin = engine_now();
    for (int run = 0; run < 3 || engine_now() - begin < std::chrono::duration<double>(kSecondsEach); ++run) {
        const TimePoint start = engine_now();
        kernels::matmul(pool, {x.data(), rows, side, side}, w, {}, {y.data(), rows, side, side});
        const double took = std::chrono::duration<double>(engine_now() - start).count();
        best = run == 0 ? took : std::min(best, took);
    }
    return best;
}

} // namespace

std::vector<BenchLine> bench_products(int threads, std::int64_t side, const std::function<void(const std::string&)>& on_format) {
    ThreadPool pool(threads);
    const double peak = measure_fma_peak(pool);
    std::vector<BenchLine> lines{{.name = "fma_peak", .value = peak / 1e9, .unit = "GFLOP/s", .ceiling = 0, .ceiling_name = "", .share = 0}};
    const auto add = [&](const Weights& w) {
        const std::string name = format_name(w.matrix);
        on_format(name);
        const double read = measure_read_bandwidth(pool, static_cast<std::size_t>(w.bytes));
        for (const std::int64_t rows : kRowCounts) {
            const double took = best_seconds(pool, w.matrix, rows), flop = 2.0 * static_cast<double>(rows * side * side);
            const bool is_one = rows == 1;
            const double value = (is_one ? w.bytes : flop) / took, ceiling = is_one ? read : peak;
            lines.push_back({.name = fmt::format("{} {} row{}", name, rows, is_one ? "" : "s"), .value = value / 1e9, .unit = is_one ? "GB/s" : "GFLOP/s", .ceiling = ceiling / 1e9,
                             .ceiling_name = is_one ? "read of as many bytes" : "FMA peak", .share = value / ceiling});
        }
    };
    add(random_weights(nullptr, side));
    for (const std::uint32_t type : kBlockTypes) {
        add(random_weights(find_block_format(type), side));
    }
    return lines;
}

} // namespace handeye
