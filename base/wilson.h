// SPDX-License-Identifier: Apache-2.0
// How far a counted share can be trusted.
#pragma once

#include <cstdint>

namespace handeye {

struct ShareInterval {
    double low = 0;
    double high = 1;
};

/// Wilson's score interval at 95 %: between these the true share lies, as `right` of `count` tell. 0 to 1 where nothing was counted; `right`
/// beyond 0 to `count` is taken for the nearer end. Unlike the usual one it is never empty and never beyond 0 or 1, also for 0 or all of few.
ShareInterval wilson_interval(std::int64_t right, std::int64_t count);

} // namespace handeye
