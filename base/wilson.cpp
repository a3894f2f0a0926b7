// SPDX-License-Identifier: Apache-2.0
#include "base/wilson.h"

#include <algorithm>
#include <cmath>

namespace handeye {

ShareInterval wilson_interval(std::int64_t right, std::int64_t count) {
    if (count <= 0) {
        return {};
    }
    constexpr double kZ = 1.959963984540054; // of the normal distribution, 2.5 % on each side
    const auto n = static_cast<double>(count);
    const double share = static_cast<double>(std::clamp<std::int64_t>(right, 0, count)) / n;
    const double middle = (share + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
    const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(share * (1 - share) / n + kZ * kZ / (4 * n * n));
    // At the ends rounding must not leave a speck.
    return {right <= 0 ? 0 : std::max(0.0, middle - half), right >= count ? 1 : std::min(1.0, middle + half)};
}

} // namespace handeye
