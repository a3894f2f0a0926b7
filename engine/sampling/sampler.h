// SPDX-License-Identifier: Apache-2.0
// From logits to the next id: penalties, biases, temperature, min-p, top-k, top-p, then a seeded draw.
#pragma once

#include "base/result.h"
#include "engine/chat.h"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace handeye {

/// The options lie in their ranges and are numbers.
Result<void> check_sampling(const SamplingOptions& options);

/// One generation's sampler: the same seed, logits and ids give the same choices on every machine.
class Sampler {
public:
    explicit Sampler(const SamplingOptions& options);

    /// The prompt's ids, for the repetition penalty.
    void observe(std::span<const std::int32_t> ids);
    /// A new id of the answer, for all penalties.
    void observe_new(std::int32_t id);
    /// Chooses from `logits` (one per id), which it overwrites. Logits that are not finite are never chosen;
    /// Internal when none is left.
    Result<std::int32_t> choose(std::span<float> logits);

private:
    void adjust(std::span<float> logits) const;
    double uniform(); // in [0, 1)

    SamplingOptions options_;
    std::uint64_t state_;
    std::vector<bool> seen_;
    std::unordered_map<std::int32_t, int> written_; ///< how often the answer has an id
};

} // namespace handeye
