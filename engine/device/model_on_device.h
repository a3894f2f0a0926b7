// SPDX-License-Identifier: Apache-2.0
// A model, or its last layers, on a device: what of it lies there, and its passes. One thread at a time.
#pragma once

#include "engine/device/device_decoder.h"
#include "engine/device/device_vision.h"
#include "engine/device/page_pool.h"
#include "engine/models/decoder.h"
#include "engine/models/vision_tower.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::device {

struct PlanOptions {
    std::int64_t memory_bytes = 0;    ///< at most; 0: what is free, less a tenth
    std::int64_t context_tokens = 0;  ///< of all sequences together
    int sequences = 1;                ///< at a time
    KvFormat kv_format = KvFormat::F16;
    VisionGrid picture;               ///< the largest one that is reckoned with; all zero: none
    bool exact = false;               ///< products of many rows in float's precision
};

/// What of a model goes where, reckoned before anything is copied. Later layers come first, since the head reads the last one's output.
struct DevicePlan {
    Placement placement;
    std::int64_t limit_bytes = 0;
    std::int64_t weights_bytes = 0;
    std::int64_t cache_bytes = 0;
    std::int64_t space_bytes = 0; ///< between operations, the tower's included
    std::int64_t pages = 0;
    int rows = 0;                 ///< of a pass
    int layers = 0;               ///< of the model
    PlanOptions options;
    [[nodiscard]] std::int64_t total_bytes() const { return weights_bytes + cache_bytes + space_bytes; }
    /// "NVIDIA H100: all 40 layers, head and vision tower; weights 17.6 GB, cache 1.3 GB, work 0.9 GB of 79.1 GB"
    [[nodiscard]] std::string describe(const DeviceInfo& info) const;
};

/// OutOfMemory when not even the head fits: the message says what the least would be.
Result<DevicePlan> plan_device(const Device& device, const Model& model, const PlanOptions& options);

class ModelOnDevice {
public:
    /// Borrows the model. Copies weights; loading is told to `on_progress`.
    static Result<std::unique_ptr<ModelOnDevice>> load(std::shared_ptr<Device> device, const Model& model, ThreadPool& pool, const DevicePlan& plan,
                                                       const std::function<void(std::string_view stage, double share)>& on_progress);

    [[nodiscard]] const DevicePlan& plan() const { return plan_; }
    [[nodiscard]] Device& device() { return *device_; }
    /// Rows that one pass takes.
    [[nodiscard]] int rows_max() const { return plan_.rows; }
    [[nodiscard]] int first_layer() const { return plan_.placement.first_layer; }
    [[nodiscard]] bool has_vision() const { return plan_.placement.has_vision && model_.vision; }
    Result<PagedCache> new_cache(std::int64_t capacity_tokens) { return PagedCache::create(*pages_, capacity_tokens); }

    /// hidden: the residual stream before first_layer(). logits (wanted, vocabulary).
    Result<void> run(const DevicePass& pass, ConstMatrix hidden, Matrix logits, const Tap& tap);
    /// As DeviceDecoder has them.
    Result<std::vector<RowCandidates>> run_best(const DevicePass& pass, ConstMatrix hidden, std::span<const float> scales);
    Result<void> download_row(int row, std::span<float> to) { return decoder_->download_row(row, to); }
    Result<RowCandidates> best_of(int row, std::span<const std::uint32_t> mask) { return decoder_->best_of(row, mask); }
    Result<std::vector<float>> run_vision(ConstMatrix patches, VisionGrid grid, const VisionOptions& options) { return vision_->run(patches, grid, options); }
    Result<std::vector<float>> run_picture(const PictureCut& picture, const VisionOptions& options, const std::function<void()>& on_patches) {
        return vision_->run_picture(picture, options, on_patches);
    }

private:
    static Result<void> hold_pages(const DevicePass& pass);
    ModelOnDevice(std::shared_ptr<Device> device, const Model& model, DevicePlan plan) : device_(std::move(device)), model_(model), plan_(std::move(plan)) {}

    std::shared_ptr<Device> device_;
    const Model& model_;
    DevicePlan plan_;
    DeviceWeights weights_;
    std::unique_ptr<PagePool> pages_;
    std::unique_ptr<DeviceDecoder> decoder_;
    std::unique_ptr<DeviceVision> vision_;
};

} // namespace handeye::device
