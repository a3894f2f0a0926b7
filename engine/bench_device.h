// SPDX-License-Identifier: Apache-2.0
// What a card does with a model, part by part, beside what it could do at best in the same run.
#pragma once

#include "base/geometry.h"
#include "engine/engine.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct DeviceBench {
    std::string shape;           ///< one of bench_shapes(), with random weights that no file is needed for; empty: the checkpoint of the engine's options
    std::string format = "bf16"; ///< of random weights: one of bench_formats()
    // Lengths beyond the model's context are left out.
    std::vector<std::int64_t> contexts = {500, 3000, 32'000, 64'000}; ///< tokens before a decoded one
    std::int64_t shared_context = 3000;                               ///< the same of several sequences at a time
    int sequences = 8;                                                ///< so many, at most kSequencesMost
    std::int64_t prompt = 2991;                                       ///< tokens
    std::vector<Size> screens = {{1280, 800}, {1366, 768}, {1920, 1080}, {2560, 1440}};
    std::int64_t screen_text = 300; ///< tokens of a prompt, beside a screen
    int pass_rows = 2048;        ///< of a prompt that are computed at a time
    int warm_ups = 3;            ///< calls of each that are not counted
    int rounds = 30;             ///< timed calls of each, at most,
    double seconds_most = 2;     ///< and no more of them after so long, but a few
    std::size_t copied_bytes = std::size_t{2} << 30; ///< that the ceilings of memory are measured with, and
    int product_side = 8192;     ///< the product that the ceiling of arithmetic is
    static constexpr int kSequencesMost = 16;
};

std::vector<std::string_view> bench_shapes();
std::vector<std::string_view> bench_formats();

/// On the device of the options (opened_device, else the one of that name): ceilings (bytes read a second, bytes copied there a second, operations of a library
/// in bf16), then each kernel alone (every matrix of a layer with one row, several and many, the head, experts, attention of one row and of a prompt, the
/// tower's), then the model: decoding at several lengths and for several sequences, a prompt, the tower, a screenshot to the first token. Each line is told as soon as it is known.
/// Everything must lie on the device: OutOfMemory when it does not fit. InvalidArgument for a shape or format that is not there; else as open_engine() and open_device().
Result<void> bench_device(const EngineOptions& engine, const DeviceBench& bench, const std::function<void(const BenchLine&)>& on_line);

} // namespace handeye
