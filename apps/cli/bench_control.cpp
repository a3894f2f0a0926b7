// SPDX-License-Identifier: Apache-2.0
// `handeye bench control`: many clients on a daemon of its own, beside the limits that they must keep.
#include "apps/cli/bench_control.h"

#include "apps/cli/control_load.h"
#include "base/json.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

struct Line {
    const char* name;
    double value;
    double limit;
    const char* unit;
};

} // namespace

Result<int> bench_control(const BenchControlOptions& options) {
    const ControlLoad load = TRY(run_control_load(options.idle, options.active, options.seconds));
    const std::vector<Line> lines{
        {"idle clients: memory above the base", load.idle_mib, 64, "MiB"},
        {"idle clients: CPU share", load.idle_cpu_share * 100, 1, "%"},
        {"active clients: p99 of a reply", load.active_p99_ms, 20, "ms"},
        {"one that never reads: p99 of the others, ratio", load.stalled_ratio, 1.2, "x"},
        {"one that never reads: memory growth", load.stalled_mib, 8, "MiB"},
    };
    bool is_kept = true;
    json out = json::array();
    for (const Line& line : lines) {
        const bool is_good = line.value <= line.limit;
        is_kept = is_kept && is_good;
        if (options.is_json) {
            out.push_back({{"name", line.name}, {"value", line.value}, {"limit", line.limit}, {"unit", line.unit}, {"kept", is_good}});
        } else {
            fmt::print("{:<48} {:>8.2f} {:<4} limit {:>5.1f}  {}\n", line.name, line.value, line.unit, line.limit, is_good ? "kept" : "MISSED");
        }
    }
    if (options.is_json) {
        fmt::print("{}\n", dump_json({{"idle", options.idle}, {"active", options.active}, {"seconds", options.seconds}, {"results", out}}));
    }
    return is_kept ? 0 : 1;
}

} // namespace handeye
