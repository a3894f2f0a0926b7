// SPDX-License-Identifier: Apache-2.0
// What a benchmark of a device is written with: calls that are timed, the least that they could take, and both as a line.
#pragma once

#include "base/result.h"
#include "engine/bench_device.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace handeye {

using Tell = std::function<void(const BenchLine&)>;

/// Seconds of a call.
struct Timed {
    double median = 0;
    double p99 = 0;
    int rounds = 0;
};
/// Of at least one call.
Timed summary(std::vector<double> seconds);

struct Repeats {
    int rounds = 0;          ///< at most,
    double seconds_most = 0; ///< and no more after so long, but kRoundsLeast
    int warm_ups = 0;        ///< before, not counted
    static constexpr int kRoundsLeast = 5;
};

/// Times `once`, which waits for its end. `prepare` comes before each call and is not counted.
template <class Once, class Prepare>
Result<Timed> timed(const Repeats& repeats, const Once& once, const Prepare& prepare) {
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto since = [&](auto begin) { return std::chrono::duration<double>(now() - begin).count(); };
    std::vector<double> seconds;
    const auto first = now();
    for (int i = 0; i < repeats.warm_ups + std::max(1, repeats.rounds); ++i) {
        if (i >= repeats.warm_ups + Repeats::kRoundsLeast && since(first) > repeats.seconds_most) {
            break;
        }
        TRY(prepare());
        const auto begin = now();
        TRY(once());
        if (i >= repeats.warm_ups) {
            seconds.push_back(since(begin));
        }
    }
    return summary(std::move(seconds));
}
template <class Once>
Result<Timed> timed(const Repeats& repeats, const Once& once) {
    return timed(repeats, once, []() -> Result<void> { return {}; });
}

inline Repeats repeats_of(const DeviceBench& bench) { return {.rounds = bench.rounds, .seconds_most = bench.seconds_most, .warm_ups = bench.warm_ups}; }

/// What a call must do at least.
struct Work {
    double bytes = 0; ///< read
    double flop = 0;  ///< a multiply-add is two
};
/// What a device does at best, a second. 0: not known.
struct Ceilings {
    double bytes = 0;
    double uploaded_bytes = 0;
    double flop = 0;
};
enum class Bound { Bytes, Flop }; ///< what limits a call

/// GB/s or TFLOP/s of a call.
BenchLine kernel_line(std::string name, const Timed& took, const Work& work, Bound bound, const Ceilings& ceilings, std::string detail);
/// Its milliseconds.
BenchLine time_line(std::string name, const Timed& took, const Work& work, Bound bound, const Ceilings& ceilings);
/// Of a call that makes `tokens` tokens and must read so much: tokens a second.
BenchLine token_line(std::string name, int tokens, const Timed& took, double bytes, const Ceilings& ceilings);

} // namespace handeye
