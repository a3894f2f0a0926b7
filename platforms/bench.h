// SPDX-License-Identifier: Apache-2.0
// What capture and input cost on a platform, each beside the least that this machine allows, measured in the same run.
#pragma once

#include "platforms/platform.h"

#include <string>
#include <vector>

namespace handeye {

struct PlatformBenchLine {
    std::string name;
    double value = 0; ///< median
    std::string unit;
    double ceiling = 0; ///< the best possible in the same unit; 0: none is known
    std::string ceiling_name;
    double share = 0; ///< how much of what is possible is reached, 0..1
};

/// Median and worst capture against copying one frame in memory. InvalidArgument for fewer than 3 or more than 100,000 runs.
Result<std::vector<PlatformBenchLine>> bench_capture(Platform& platform, int runs);
/// Pointer moves and a press and release of Shift (nothing that changes a document) against round trips to the target's server.
/// The pointer is put back.
Result<std::vector<PlatformBenchLine>> bench_input(Platform& platform, int runs);

} // namespace handeye
