// SPDX-License-Identifier: Apache-2.0
// What a device does at real sizes, with random weights, beside what it could do at best in the same run.
#pragma once

#include "engine/device/device.h"
#include "engine/engine.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace handeye::device {

struct BenchOptions {
    std::string model = "GLM-4.1V-9B"; ///< synthetic_model()'s names
    std::string format = "bf16";
    int rounds = 30;                   ///< timed steps, of which the median is told
};

/// Ceilings (bytes read a second, products of a library in bf16), then products of one row, decoding at several lengths and for eight sequences, a prompt, the tower at four
/// sizes of screens, and a screenshot to the first token. `on_line` hears each as soon as it is known.
/// OutOfMemory when the weights do not fit.
Result<std::vector<BenchLine>> bench_device(Device& device, const BenchOptions& options, const std::function<void(const BenchLine&)>& on_line);

} // namespace handeye::device
