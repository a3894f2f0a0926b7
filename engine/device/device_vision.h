// SPDX-License-Identifier: Apache-2.0
// The vision tower's graph on a device: the counterpart of engine/models/vision_tower.h.
#pragma once

#include "engine/device/graph.h"
#include "engine/models/vision_tower.h"

#include <cstdint>
#include <vector>

namespace handeye::device {

class DeviceVision {
public:
    DeviceVision(Device& device, const VisionTower& tower, const VisionWeights& weights, Precision precision)
        : device_(device), tower_(tower), weights_(weights), precision_(precision) {}

    /// Bytes of its memory between operations for one picture.
    static std::int64_t space_bytes(const Device& device, const VisionTower& tower, VisionGrid grid, Precision precision);
    /// As run_vision(): memory grows to the largest picture so far. OutOfMemory says what it needs.
    Result<std::vector<float>> run(ConstMatrix patches, VisionGrid grid, const VisionOptions& options);

private:
    struct Buffers {
        Rows patches, x, qkv, attended, gate, up, blocks, merged, y, out;
        float* cos = nullptr;
        float* sin = nullptr;
        std::int32_t* tap_rows = nullptr;
        float* tap_weights = nullptr;
        ProductSpace products;
    };
    static Buffers carve(Carver& carver, const Device& device, const VisionTower& tower, VisionGrid grid, Precision precision);
    Result<Buffers> hold(VisionGrid grid);
    void upload(const Buffers& b, ConstMatrix patches, VisionGrid grid);
    void block(Graph& graph, const Buffers& b, const VisionBlockWeights& w, VisionGrid grid);
    void merge(Graph& graph, const Buffers& b);

    Device& device_;
    const VisionTower& tower_;
    const VisionWeights& weights_;
    Precision precision_;
    DeviceMemory memory_;
};

} // namespace handeye::device
