// SPDX-License-Identifier: Apache-2.0
// What one step costs without the model: the real loop on a real platform, answered by a fixed action.
#pragma once

#include "agent/step.h"
#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"
#include "platforms/platform.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace handeye {

/// One stage over all measured steps, with what this machine would allow for the same bytes.
struct StageCost {
    std::string name;            ///< "capture", "render", "parse", "gate", "resolve", "execute", "verify", "record"
    Duration median{};
    Duration worst{};
    Duration ceiling{};          ///< least time for the bytes this stage must move, measured in the same run; 0: none is known
    std::string ceiling_of;      ///< what the ceiling measures: "memcpy of 2 frames", "one fdatasync"
};

struct StepBench {
    int steps = 0;
    Size frame;
    std::vector<StageCost> stages;    ///< in the order of the loop; their sum is `total`
    Duration total_median{};          ///< of a step, without the model and without waiting for the screen to settle
    Duration total_worst{};
    Duration budget = std::chrono::milliseconds(15);
    Duration settle_median{};         ///< the application's time, not in the total
    Duration whole_frame{};           ///< encoding a frame of which nothing is known yet: what a step adds when all of the screen changed
    std::uint64_t recording_bytes = 0;
    [[nodiscard]] bool is_within_budget() const { return total_median < budget; }
};

/// Runs `steps` steps (>= 1) of a session that records into `record_file` (must not exist). The model's place is taken by one
/// that answers at once with a hover that wanders over the target: nothing is clicked and nothing is typed. The prompt is the
/// largest one, with its history pictures.
Result<StepBench> bench_step(Platform& platform, Clock& clock, int steps, const std::filesystem::path& record_file);

} // namespace handeye
