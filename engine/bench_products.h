// SPDX-License-Identifier: Apache-2.0
// How fast weights are multiplied, format by format.
#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace handeye {

/// Measures products of weights, (side, side), in each of the common formats with 1, 16, 64 and 512 rows, beside this machine's read bandwidth and FMA peak.
/// `side` is a multiple of 256; kBenchSide: as in GLM-4-9B.
/// `on_format` hears which one is measured. threads 0: one per core.
inline constexpr std::int64_t kBenchSide = 4096;
std::vector<BenchLine> bench_products(int threads, std::int64_t side, const std::function<void(const std::string&)>& on_format);

} // namespace handeye
