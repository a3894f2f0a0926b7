// SPDX-License-Identifier: Apache-2.0
// Medians over runs, after a warm-up that is not counted.
#include "platforms/bench.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include <fmt/format.h>

namespace handeye {

namespace {

constexpr int kRunsMin = 3;
constexpr int kRunsMax = 100'000;
constexpr int kWarmUps = 3;
// What inject() waits for: a move is two motions, a key a press and a release, each acknowledged by the server.
constexpr double kTripsPerMove = 2;
constexpr double kTripsPerKey = 2;

struct Times {
    double median_ms = 0;
    double worst_ms = 0;
};

template <class Work>
Result<Times> time_runs(int runs, Work&& work) {
    std::vector<double> all_ms;
    for (int run = -kWarmUps; run < runs; ++run) {
        const auto start = std::chrono::steady_clock::now();
        TRY(work(run));
        const auto took = std::chrono::steady_clock::now() - start;
        if (run >= 0) {
            all_ms.push_back(std::chrono::duration<double, std::milli>(took).count());
        }
    }
    std::sort(all_ms.begin(), all_ms.end());
    return Times{all_ms[all_ms.size() / 2], all_ms.back()};
}

Result<void> check_runs(int runs) {
    if (runs < kRunsMin || runs > kRunsMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} runs; {} to {} are measured", runs, kRunsMin, kRunsMax)};
    }
    return {};
}

PlatformBenchLine line(std::string name, double value_ms, double ceiling_ms, std::string ceiling_name) {
    return {std::move(name), value_ms, "ms", ceiling_ms, std::move(ceiling_name), value_ms > 0 ? ceiling_ms / value_ms : 0};
}

} // namespace

Result<std::vector<PlatformBenchLine>> bench_capture(Platform& platform, int runs) {
    TRY(check_runs(runs));
    Screenshot last = TRY(platform.capture());
    std::vector<std::uint8_t> copy(last.image.bytes().size());
    const auto capture_once = [&](int) -> Result<void> {
        last = TRY(platform.capture());
        return {};
    };
    const auto copy_once = [&](int) -> Result<void> {
        std::memcpy(copy.data(), last.image.bytes().data(), copy.size());
        asm volatile("" : : "r"(copy.data()) : "memory"); // or the copy, which nobody reads, would be optimised away
        return {};
    };
    const Times capture = TRY(time_runs(runs, capture_once));
    const Times memory = TRY(time_runs(runs, copy_once));
    return std::vector{line("capture, median", capture.median_ms, memory.median_ms, "memcpy of one frame"),
                       line("capture, worst", capture.worst_ms, memory.worst_ms, "memcpy of one frame, worst")};
}

Result<std::vector<PlatformBenchLine>> bench_input(Platform& platform, int runs) {
    TRY(check_runs(runs));
    const std::optional<Point> before = TRY(platform.pointer());
    const auto ask = [&](int) -> Result<void> {
        TRY(platform.pointer());
        return {};
    };
    const auto move_once = [&](int run) -> Result<void> {
        return platform.inject(PointerMove{{run & 31, 0}});
    };
    const auto key_once = [&](int) -> Result<void> {
        TRY(platform.inject(Key{"Shift_L", Edge::Press}));
        return platform.inject(Key{"Shift_L", Edge::Release});
    };
    const Times trip = TRY(time_runs(runs, ask));
    const Times move = TRY(time_runs(runs, move_once));
    const Times key = TRY(time_runs(runs, key_once));
    TRY(platform.release_all());
    const Size size = TRY(platform.display()).size;
    if (before && Rect{0, 0, size.width_px, size.height_px}.contains(*before)) {
        TRY(platform.inject(PointerMove{*before}));
    }
    return std::vector{line("round trip", trip.median_ms, 0, ""),
                       line("pointer move", move.median_ms, kTripsPerMove * trip.median_ms, "two round trips"),
                       line("key press and release", key.median_ms, kTripsPerKey * trip.median_ms, "two round trips")};
}

} // namespace handeye
