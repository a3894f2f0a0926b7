// SPDX-License-Identifier: Apache-2.0
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cpu/machine_peak.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/kernels/machine_peak.h"

#include "base/clock.h"
#include "engine/tensor/buffer.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using Vec = hn::Vec<FloatTag>;

// `count` is a multiple of 8 vectors. The sum is returned so that nothing is optimised away.
float read_all(const float* data, std::int64_t count) {
    constexpr std::int64_t kAhead = 1024; // floats: 4 KiB before the reader
    const FloatTag d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    Vec a = hn::Zero(d);
    Vec b = hn::Zero(d);
    Vec c = hn::Zero(d);
    Vec e = hn::Zero(d);
    for (std::int64_t i = 0; i + 4 * lanes <= count; i += 4 * lanes) {
        hwy::Prefetch(data + std::min(i + kAhead, count - 1));
        a = hn::Add(a, hn::LoadU(d, data + i));
        b = hn::Add(b, hn::LoadU(d, data + i + lanes));
        c = hn::Add(c, hn::LoadU(d, data + i + 2 * lanes));
        e = hn::Add(e, hn::LoadU(d, data + i + 3 * lanes));
    }
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
}

// Twelve chains hide the latency of every multiply-add unit known; they start apart, or the compiler would see one chain.
// Returns the operations done.
std::int64_t multiply_adds(std::int64_t steps, float* sink) {
    const FloatTag d;
    const Vec x = hn::Set(d, 0.999999F);
    const Vec y = hn::Set(d, 1e-9F);
    Vec chain[12];
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) {
        chain[i] = hn::Set(d, *sink + static_cast<float>(i));
    }
    for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
        for (Vec& v : chain) {
            v = hn::MulAdd(v, x, y);
        }
    }
    Vec sum = hn::Zero(d);
#pragma GCC unroll 12
    for (const Vec& v : chain) {
        sum = hn::Add(sum, v);
    }
    *sink = hn::GetLane(hn::SumOfLanes(d, sum));
    return steps * 12 * 2 * static_cast<std::int64_t>(hn::Lanes(d));
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {
namespace {

HWY_EXPORT(read_all);
HWY_EXPORT(multiply_adds);

double seconds_since(TimePoint begin) { return std::chrono::duration<double>(SystemClock().now() - begin).count(); }

} // namespace

double measure_read_bandwidth(ThreadPool& pool, std::size_t size_bytes) {
    constexpr int kRuns = 7;
    constexpr double kRunBytes = 2e8; // enough that starting the threads does not show
    constexpr std::int64_t kSlice = 16384;
    const std::int64_t slices = std::max<std::int64_t>(pool.size(), static_cast<std::int64_t>(size_bytes / 4) / kSlice);
    Scratch memory;
    const Matrix data = memory.matrix(slices, kSlice);
    std::fill(data.data, data.data + slices * kSlice, 1.0F);
    const double bytes = static_cast<double>(slices * kSlice) * 4;
    const auto passes = static_cast<std::int64_t>(std::max(1.0, kRunBytes / bytes));
    Scratch sums;
    const Matrix sink = sums.matrix(pool.size(), 16); // a cache line each
    std::fill(sink.data, sink.data + sink.rows * sink.cols, 0.0F);
    double best = 0;
    for (int run = 0; run < kRuns; ++run) {
        const TimePoint begin = SystemClock().now();
        pool.run(pool.size(), [&](std::int64_t part, int) {
            const std::int64_t first = slices * part / pool.size();
            const std::int64_t end = slices * (part + 1) / pool.size();
            for (std::int64_t pass = 0; pass < passes; ++pass) {
                *sink.row(part) += HWY_DYNAMIC_DISPATCH(read_all)(data.row(first), (end - first) * kSlice);
            }
        });
        best = std::max(best, bytes * static_cast<double>(passes) / seconds_since(begin));
    }
    return best;
}

double measure_fma_peak(ThreadPool& pool) {
    constexpr int kRuns = 7;
    constexpr std::int64_t kSteps = 2'000'000;
    Scratch memory;
    const Matrix sink = memory.matrix(pool.size(), 16);
    std::fill(sink.data, sink.data + sink.rows * sink.cols, 0.5F);
    double best = 0;
    for (int run = 0; run < kRuns; ++run) {
        std::atomic<std::int64_t> operations{0};
        const TimePoint begin = SystemClock().now();
        pool.run(pool.size(), [&](std::int64_t part, int) {
            operations.fetch_add(HWY_DYNAMIC_DISPATCH(multiply_adds)(kSteps, sink.row(part)));
        });
        best = std::max(best, static_cast<double>(operations.load()) / seconds_since(begin));
    }
    return best;
}

} // namespace handeye
#endif
