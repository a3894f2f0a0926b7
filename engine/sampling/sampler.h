// SPDX-License-Identifier: Apache-2.0
// From logits to the next id: penalties, biases, temperature, min-p, top-k, top-p, then a seeded draw.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/sampling/row_candidates.h"

#include <cstdint>
#include <functional>
#include <optional>
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

    /// Whether choose_from_best() can tell anything: penalties and biases need all logits.
    [[nodiscard]] bool can_use_best() const;
    /// With which a device weighs logits for choose_from_best() (Candidates::scales).
    [[nodiscard]] float scale() const;
    /// What choose() would choose from the ids of the row that the device's mask and `may_come` (empty: all) allow, told from the row's kCandidatesMost best.
    /// Nothing: these do not tell it, and the draw is as if it had not been asked for.
    std::optional<std::int32_t> choose_from_best(const device::RowCandidates& row, const std::function<bool(std::int32_t)>& may_come);

private:
    void adjust(std::span<float> logits) const;

    SamplingOptions options_;
    std::uint64_t state_;
    std::vector<bool> seen_;
    std::unordered_map<std::int32_t, int> written_; ///< how often the answer has an id
};

} // namespace handeye
