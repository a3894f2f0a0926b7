// SPDX-License-Identifier: Apache-2.0
// From logits to the next id: repetition penalty, temperature, top-k, top-p, then a seeded draw.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <cstdint>
#include <span>
#include <vector>

namespace handeye {

/// The options lie in their ranges and are numbers.
Result<void> check_sampling(const SamplingOptions& options);

/// One generation's sampler: the same seed, logits and ids give the same choices on every machine.
class Sampler {
public:
    explicit Sampler(const SamplingOptions& options);

    /// Marks ids as seen, for the repetition penalty: the prompt's and each new one.
    void observe(std::span<const std::int32_t> ids);
    /// Chooses from `logits` (one per id), which it overwrites. Logits that are not finite are never chosen;
    /// Internal when none is left.
    Result<std::int32_t> choose(std::span<float> logits);

private:
    double uniform(); // in [0, 1)

    SamplingOptions options_;
    std::uint64_t state_;
    std::vector<bool> seen_;
};

} // namespace handeye
