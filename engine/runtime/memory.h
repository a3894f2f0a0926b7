// SPDX-License-Identifier: Apache-2.0
// How much memory a model takes while it works, reckoned before it does: the one arithmetic of loading and of planning.
#pragma once

#include "base/image.h"
#include "base/result.h"
#include "engine/checkpoints.h"
#include "engine/device/model_on_device.h"
#include "engine/kernels/ops.h"
#include "engine/models/model.h"
#include "engine/models/vision_tower.h"
#include "engine/runtime/machine_memory.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/preprocess.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace handeye {

inline constexpr std::int64_t kPrefillChunk = 512;     // rows between two looks at the stop token; fills every kernel's tiles
/// Rows of the next chunk when `left` are left: so few that a product takes them another way never stand alone at the end, so
/// that a prompt's numbers do not depend on how it was cut.
inline std::int64_t chunk_rows(std::int64_t left, std::int64_t chunk) { return left <= chunk + kernels::kFewRows ? left : chunk; }
/// Of `common` tokens that a cache has of a prompt of `count`: so that the rest is computed as it would be without a cache, too.
inline std::int64_t reusable_rows(std::int64_t common, std::int64_t count) { return std::max<std::int64_t>(0, std::min(common, count - kernels::kFewRows - 1)); }
inline constexpr std::int64_t kContextDefault = 32768; // four half-size screens, one whole one and two rounds of thinking
inline constexpr std::int64_t kContextLeast = 4096;    // below it no step of a task fits
inline constexpr std::int64_t kImageCacheBytes = 256 << 20; // embeddings of pictures that stay: five whole screens of a 9B model

/// What the process holds when the arithmetic is done: measured, as it depends on libraries and allocator.
struct AlreadyThere {
    std::int64_t program_bytes = 0; ///< resident before the model was opened
    std::int64_t opened_bytes = 0;  ///< added by tokenizer, metadata, norms and tables
};

struct MemoryUse {
    std::int64_t context_tokens = 0; ///< all of them filled
    int images = 1;
    Size image = kPlannedImage;
    int threads = 1;
    KvFormat kv_format = KvFormat::F16;
    std::optional<device::Placement> elsewhere; ///< what lies on a device and takes nothing here
};

/// The bytes of one prompt of `use`, part by part. The weights are all resident; `grid` is one picture's.
std::vector<MemoryPart> memory_parts(const Model& model, const AlreadyThere& there, const MemoryUse& use, VisionGrid grid);
std::int64_t total_bytes(const std::vector<MemoryPart>& parts);

/// What each limit leaves. The files must be mapped when `machine` is read.
std::vector<MemoryFit> fit_memory(const std::vector<MemoryPart>& parts, const MachineMemory& machine, int threads);
/// The limit that is missed by most, or null.
const MemoryFit* worst_shortfall(const std::vector<MemoryFit>& fits);
/// OutOfMemory that says the shortfall to the byte.
Error does_not_fit(const MemoryFit& fit);

/// The patches of one picture; all zero for a model without a vision tower.
Result<VisionGrid> picture_grid(const Model& model, const PreprocessConfig& rules, Size image);

/// A model whose headers were read, before its weights are.
struct Prospect {
    Model model; ///< computes nothing
    Tokenizer tokenizer;
    PreprocessConfig image_config;
    AlreadyThere there;
    std::int64_t context_tokens = 0; ///< asked for, or the default
    int threads = 1;
    KvFormat kv_format = KvFormat::F16;
};
/// LimitExceeded for a longer context than the model's, and the errors of loading.
Result<Prospect> look_ahead(const EngineOptions& options);

/// What of it would lie on a device: plan_device() with these options.
Result<device::DevicePlan> plan_on_device(const device::Device& device, const Prospect& prospect, const EngineOptions& options);

enum class Shrink { Never, WhenNeeded };
/// The context that fits, at most the wanted one: less only when it may shrink, and only down to kContextLeast. Else OutOfMemory.
Result<std::int64_t> context_that_fits(const Prospect& prospect, const MemoryUse& wanted, Shrink shrink);

} // namespace handeye
