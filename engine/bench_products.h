// SPDX-License-Identifier: Apache-2.0
// How fast weights are multiplied, format by format.
#pragma once

#include "engine/engine.h"

#include <functional>
#include <string>
#include <vector>

namespace handeye {

/// Measures products of 4096x4096 weights in each of the common formats with 1, 16, 64 and 512 rows, beside this machine's read bandwidth and FMA peak.
/// `on_format` hears which one is measured. threads 0: one per core.
std::vector<BenchLine> bench_products(int threads, const std::function<void(const std::string&)>& on_format);

} // namespace handeye
