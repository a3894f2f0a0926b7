// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/bench_lines.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

BenchLine line_of(std::string name, const Timed& took, const Work& work) {
    BenchLine line{.name = std::move(name)};
    line.median_ms = took.median * 1e3;
    line.p99_ms = took.p99 * 1e3;
    line.rounds = took.rounds;
    line.bytes = work.bytes;
    line.flop = work.flop;
    return line;
}

double share_of(double value, double ceiling) { return ceiling > 0 ? value / ceiling : 0; }

} // namespace

Timed summary(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    const std::size_t count = seconds.size();
    const auto rank = static_cast<std::size_t>(std::ceil(0.99 * static_cast<double>(count)));
    return {.median = seconds[count / 2], .p99 = seconds[rank - 1], .rounds = static_cast<int>(count)};
}

BenchLine kernel_line(std::string name, const Timed& took, const Work& work, Bound bound, const Ceilings& ceilings, std::string detail) {
    BenchLine line = line_of(std::move(name), took, work);
    const bool is_bytes = bound == Bound::Bytes;
    const double unit = is_bytes ? 1e9 : 1e12;
    line.value = (is_bytes ? work.bytes : work.flop) / took.median / unit;
    line.unit = is_bytes ? "GB/s" : "TFLOP/s";
    line.ceiling = (is_bytes ? ceilings.bytes : ceilings.flop) / unit;
    line.ceiling_name = std::move(detail);
    line.share = share_of(line.value, line.ceiling);
    return line;
}

BenchLine time_line(std::string name, const Timed& took, const Work& work, Bound bound, const Ceilings& ceilings) {
    BenchLine line = line_of(std::move(name), took, work);
    line.value = line.median_ms;
    line.unit = "ms";
    if (bound == Bound::Bytes ? ceilings.bytes > 0 : ceilings.flop > 0) {
        line.ceiling = 1e3 * (bound == Bound::Bytes ? work.bytes / ceilings.bytes : work.flop / ceilings.flop);
        line.ceiling_name = bound == Bound::Bytes ? fmt::format("{:.2f} GB at {:.0f} GB/s", work.bytes / 1e9, ceilings.bytes / 1e9)
                                                  : fmt::format("{:.1f} TFLOP at {:.0f} TFLOP/s", work.flop / 1e12, ceilings.flop / 1e12);
    }
    line.share = line.ceiling / line.value;
    return line;
}

BenchLine token_line(std::string name, int tokens, const Timed& took, double bytes, const Ceilings& ceilings) {
    BenchLine line = time_line(std::move(name), took, {.bytes = bytes}, Bound::Bytes, ceilings);
    line.value = tokens / took.median;
    line.unit = "tokens/s";
    line.ceiling = line.ceiling > 0 ? tokens * 1e3 / line.ceiling : 0;
    return line;
}

nlohmann::json bench_json(const BenchLine& line) {
    nlohmann::json out{{"name", line.name}, {"value", line.value}, {"unit", line.unit}};
    if (line.ceiling > 0) {
        out.update({{"ceiling", line.ceiling}, {"ceiling_of", line.ceiling_name}, {"share", line.share}});
    }
    if (line.rounds > 0) {
        out.update({{"median_ms", line.median_ms}, {"p99_ms", line.p99_ms}, {"rounds", line.rounds}});
    }
    for (const auto& [name, rate, count, unit] : {std::tuple{"bytes", "gb_per_s", line.bytes, 1e9}, {"flop", "tflop_per_s", line.flop, 1e12}}) {
        if (count > 0) {
            out[name] = count;
            out[rate] = count / (line.median_ms / 1e3) / unit;
        }
    }
    return out;
}

} // namespace handeye
