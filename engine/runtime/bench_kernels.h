// SPDX-License-Identifier: Apache-2.0
// The kernels that a model's time goes into, each by itself at the model's sizes.
#pragma once

#include "engine/device/device_weights.h"
#include "engine/device/graph.h"
#include "engine/device/page_pool.h"
#include "engine/models/vision_tower.h"
#include "engine/runtime/bench_lines.h"

#include <memory>
#include <span>
#include <vector>

namespace handeye::device {

/// Borrowed.
struct BenchedModel {
    const Model& model;
    const DeviceWeights& weights;
    const KvPages& kv;
    std::span<const std::unique_ptr<PagedCache>> caches; ///< of `bench.sequences`, empty
    std::int64_t context = 0;                            ///< tokens of each
    const std::vector<VisionGrid>& grids;                ///< of the screens
    Precision precision;
};

/// All layers' matrices of a kind in turn, so that none is still in a cache.
Result<void> bench_kernels(Device& device, const BenchedModel& benched, const DeviceBench& bench, const Ceilings& ceilings, const Tell& tell);

} // namespace handeye::device
