// SPDX-License-Identifier: Apache-2.0
// What can be said of a checkpoint without running it, and what can be made of it.
#pragma once

#include "base/geometry.h"
#include "base/result.h"
#include "engine/engine.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// How much of a model is in one weight format.
struct FormatShare {
    std::string format; ///< "bf16", "q4_k", "gptq-4bit"
    int modules = 0;
    std::int64_t parameters = 0;
    std::int64_t bytes = 0; ///< in the files, scales included
};

/// Modules that have name (numbers apart), format and shape in common.
struct ModuleGroup {
    std::string name; ///< "model.layers.*.mlp.down_proj"
    std::string format;
    int modules = 0;
    std::int64_t rows = 0; ///< outputs
    std::int64_t cols = 0; ///< inputs
    std::int64_t bytes = 0; ///< of all of them
};

struct VisionFacts {
    int blocks = 0;
    int width = 0;
    int patch_px = 0;
    int image_tokens_max = 0; ///< of one picture, however large
    std::int64_t parameters = 0;
    std::int64_t bytes = 0;
};

struct TokenizerFacts {
    std::string source; ///< "tokenizer.json", "tokenizer.model", "GGUF metadata"
    int vocabulary = 0;
    bool has_chat_template = false;
    std::string problem; ///< why it or the template cannot be used; empty: they can
};

struct AdapterFacts {
    std::string name; ///< its folder's
    int modules = 0;
    int rank_max = 0;
    std::int64_t parameters = 0;
};

struct ModelReport {
    std::string family;
    std::string weight_format; ///< what most of the weights are in
    std::int64_t parameters = 0; ///< packed weights counted one by one
    std::int64_t tensor_bytes = 0;
    std::int64_t file_bytes = 0; ///< headers included
    int files = 0;
    int layers = 0;
    int experts = 0;           ///< in a layer; 0: no mixture
    int context_tokens_max = 0;
    std::int64_t kv_bytes_per_token = 0; ///< in 16 bits
    std::vector<FormatShare> formats; ///< most bytes first
    std::vector<ModuleGroup> modules; ///< in the order of the graph
    int vectors = 0;           ///< norms, biases and convolutions, which are in no group
    std::int64_t vector_bytes = 0;
    std::optional<VisionFacts> vision;
    TokenizerFacts tokenizer;
    std::vector<AdapterFacts> adapters; ///< of the options
    std::vector<std::string> unused_tensors; ///< of the files; the engine computes nothing with them
};

/// Reads headers, config and tokenizer, no weights (of GPTQ files the lists of groups, too), and checks every name, type and shape as
/// loading does. Errors are those of loading.
Result<ModelReport> inspect_model(const EngineOptions& options);

/// One use of memory.
struct MemoryPart {
    std::string name;
    std::int64_t bytes = 0;
    bool is_mapped = false; ///< has its address space once the headers are read
};

/// What one limit of the machine says to the sum.
struct MemoryFit {
    std::string limit; ///< "MemAvailable", "cgroup /user.slice", "RLIMIT_AS"
    std::int64_t needed_bytes = 0;
    std::int64_t available_bytes = 0;
    std::int64_t shortfall_bytes = 0; ///< 0: it fits
};

inline constexpr Size kPlannedImage{.width_px = 1920, .height_px = 1080}; // a screen

struct PlanOptions {
    EngineOptions engine; ///< context_tokens 0: what loading would take
    int images = 1;       ///< in one prompt
    Size image = kPlannedImage;
};

/// What of a model would lie on a device.
struct OnDevice {
    std::string text; ///< for a person
    int layers = 0;   ///< of the last ones
    bool has_vision = false;
    std::int64_t weights_bytes = 0, cache_bytes = 0, work_bytes = 0, limit_bytes = 0;
};

struct PlanReport {
    std::int64_t context_tokens = 0;
    std::int64_t prompt_image_tokens = 0; ///< of all pictures
    std::vector<MemoryPart> parts;
    std::int64_t total_bytes = 0; ///< the peak, with the context full and all weights touched
    std::vector<MemoryFit> fits;
    std::optional<std::int64_t> measured_bytes; ///< VmHWM of this process after exactly that
    double load_seconds = 0;   ///< when measured: until the model could be asked
    double prompt_seconds = 0; ///< and for the full context
    [[nodiscard]] bool does_fit() const {
        for (const MemoryFit& fit : fits) {
            if (fit.shortfall_bytes > 0) {
                return false;
            }
        }
        return true;
    }
    std::optional<OnDevice> on_device; ///< then `parts` are what is left here
};

/// What open_engine() would need, reckoned as it reckons it. Errors are those of inspecting, and InvalidArgument for more pictures
/// than the context holds; too little memory is none.
Result<PlanReport> plan_model(const PlanOptions& options);
/// The same, and then done: loads, touches every weight, fills the context with pictures and text, and reads the peak.
Result<PlanReport> measure_model(const PlanOptions& options);

struct QuantizeOptions {
    std::filesystem::path in;  ///< a folder of 16-bit or 32-bit safetensors
    std::filesystem::path out; ///< must not exist
    Quantize to = Quantize::Bits8;
    int threads = 0;           ///< 0: one per core
    std::function<void(std::string_view module, double share)> on_progress;
    std::function<bool()> is_stopped; ///< asked for each tensor; may be empty
};

struct QuantizeReport {
    int modules = 0; ///< packed ones
    std::int64_t in_bytes = 0;
    std::int64_t out_bytes = 0;
};

/// Writes a copy in which the matrices of the decoder's layers are packed (compressed-tensors, symmetric, groups of 32 inputs for 4
/// bits and up to 128 for 8); embeddings, head, router, norms and the vision tower stay as they are. One matrix is in memory at a time.
/// Written beside `out` and renamed at the end, so that what is there is whole. Errors: InvalidArgument (packed already, `out`
/// exists), Unsupported (GGUF), Cancelled, and those of loading and of the disk.
Result<QuantizeReport> quantize_checkpoint(const QuantizeOptions& options);

} // namespace handeye
