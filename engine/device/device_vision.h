// SPDX-License-Identifier: Apache-2.0
// The vision tower's graph on a device: the counterpart of engine/models/vision_tower.h.
#pragma once

#include "engine/device/device_picture.h"
#include "engine/device/graph.h"
#include "engine/models/vision_tower.h"

#include <cstddef>
#include <cstdint>
#include <functional>
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
    /// The same of a single picture, which the device itself makes patches of. `on_patches`: they are there.
    Result<std::vector<float>> run_picture(const PictureCut& picture, const VisionOptions& options, const std::function<void()>& on_patches);

private:
    struct Buffers {
        Rows patches;
        std::byte* after_patches = nullptr; ///< from here on all is free while patches are made
        Rows x, qkv, attended, gate, up, blocks, merged, y, out;
        float* cos = nullptr;
        float* sin = nullptr;
        std::int32_t* tap_rows = nullptr;
        float* tap_weights = nullptr;
        ProductSpace products;
    };
    static Buffers carve(Carver& carver, const Device& device, const VisionTower& tower, VisionGrid grid, Precision precision);
    Result<Buffers> hold(VisionGrid grid, std::size_t picture_bytes);
    void upload_places(const Buffers& b, VisionGrid grid);
    Result<std::vector<float>> compute(const Buffers& b, VisionGrid grid, const VisionOptions& options);
    void block(Graph& graph, const Buffers& b, const VisionBlockWeights& w, VisionGrid grid);
    void merge(Graph& graph, const Buffers& b);

    Device& device_;
    const VisionTower& tower_;
    const VisionWeights& weights_;
    Precision precision_;
    DeviceMemory memory_;
};

} // namespace handeye::device
