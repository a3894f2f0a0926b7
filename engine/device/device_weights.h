// SPDX-License-Identifier: Apache-2.0
// The weights of a model, or of its last layers, in a device's memory.
#pragma once

#include "engine/device/device.h"
#include "engine/kernels/thread_pool.h"
#include "engine/models/model.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace handeye::device {

/// A matrix and what an adapter adds to it: y += up (down x), the adapter's scale within `up`.
struct Linear {
    struct LowRankPair {
        DeviceMatrix down, up;
    };
    DeviceMatrix w;
    std::vector<LowRankPair> added;
    const float* bias = nullptr;
    [[nodiscard]] explicit operator bool() const { return w.rows > 0; }
};

struct MlpWeights {
    Linear gate, up, down;
};

struct LayerWeights {
    const float* input_norm = nullptr;
    const float* post_attention_norm = nullptr; ///< null: none
    const float* pre_mlp_norm = nullptr;
    const float* post_mlp_norm = nullptr;       ///< null: none
    Linear q, k, v, o;
    MlpWeights mlp;
    Linear router;
    const float* router_bias = nullptr;
    std::vector<MlpWeights> experts;
    struct Tables { ///< the same experts as arrays in the device's memory; null where their layouts differ
        const DeviceMatrix* gate = nullptr;
        const DeviceMatrix* up = nullptr;
        const DeviceMatrix* down = nullptr;
    } expert_tables;
};

struct VisionBlockWeights {
    const float* norm1 = nullptr;
    const float* norm2 = nullptr;
    Linear qkv, proj;
    MlpWeights mlp;
};

struct VisionWeights {
    Linear patch_embed;
    const float* post_conv_norm = nullptr;
    const float* position_table = nullptr;
    std::vector<VisionBlockWeights> blocks;
    const float* post_norm = nullptr;
    Linear downsample, merger_proj;
    const float* merger_norm = nullptr;
    const float* merger_norm_bias = nullptr;
    MlpWeights merger;
};

/// What lies on the device: the layers from `first_layer` on, the head, and the tower. The embedding stays in memory: its rows are looked up there.
struct Placement {
    int first_layer = 0;
    bool has_head = true;
    bool has_vision = true;
};

struct DeviceWeights {
    Placement placement;
    std::vector<LayerWeights> layers; ///< of the device alone
    const float* norm = nullptr;
    Linear head;
    VisionWeights vision;
    DeviceMemory memory;
};

/// Bytes of each layer, and of head and tower, in their layout on a device.
struct WeightBytes {
    std::vector<std::int64_t> layers;
    std::int64_t head = 0;
    std::int64_t vision = 0;
};
WeightBytes weight_bytes(const Model& model);

/// Lays out and copies what `placement` says, matrix after matrix; one is laid out by all threads while the one before is on its way.
Result<DeviceWeights> load_weights(Device& device, ThreadPool& pool, const Model& model, const Placement& placement,
                                   const std::function<void(std::string_view stage, double share)>& on_progress);

/// The same places filled with random numbers of ordinary size: for measuring, without a file.
Result<DeviceWeights> random_weights(Device& device, const Model& model, const Placement& placement);

} // namespace handeye::device
