// SPDX-License-Identifier: Apache-2.0
// What can be said of a checkpoint without running it.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
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
    std::int64_t kv_bytes_per_token = 0;
    std::vector<FormatShare> formats; ///< most bytes first
    std::vector<ModuleGroup> modules; ///< in the order of the graph
    int vectors = 0;           ///< norms, biases and convolutions, which are in no group
    std::int64_t vector_bytes = 0;
    std::optional<VisionFacts> vision;
    TokenizerFacts tokenizer;
    std::vector<std::string> unused_tensors; ///< of the files; the engine computes nothing with them
};

/// `path` as EngineOptions::model_dir. Reads headers, config and tokenizer, no weights (of GPTQ files the lists of groups, too), and checks every
/// name, type and shape as loading does. Errors are those of loading.
Result<ModelReport> inspect_model(const std::filesystem::path& path);

} // namespace handeye
