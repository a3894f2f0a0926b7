// SPDX-License-Identifier: Apache-2.0
// The load bench of the control API.
#pragma once

#include "base/result.h"

namespace handeye {

struct BenchControlOptions {
    int idle = 1000;
    int active = 200;
    int seconds = 10; ///< of each measured stretch
    bool is_json = false;
};

/// Prints each figure with its limit; 1 when one is missed.
Result<int> bench_control(const BenchControlOptions& options);

} // namespace handeye
