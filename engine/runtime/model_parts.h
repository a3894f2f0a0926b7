// SPDX-License-Identifier: Apache-2.0
// A model and what lies beside its weights: tokenizer, chat template, the rules for pictures. In files of the folder, or in GGUF metadata.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "engine/models/model.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/vision/preprocess.h"

#include <filesystem>

namespace handeye {

/// The model of the options with its adapters, packed on the way where they say so.
Result<Model> load_model(const EngineOptions& options, Contents contents);
/// tokenizer.json, tokenizer.model with tokenizer_config.json, or the GGUF file's own.
Result<Tokenizer> read_tokenizer(const std::filesystem::path& dir, const Model& model);
/// chat_template.jinja, tokenizer_config.json, or the GGUF file's own. NotFound when there is none.
Result<ChatTemplate> read_template(const std::filesystem::path& dir, const Model& model);
/// `defaults` when the file is absent. InvalidArgument when its patches are not the vision tower's.
Result<PreprocessConfig> read_preprocess(const std::filesystem::path& path, const PreprocessConfig& defaults, const VisionConfig& vision);

} // namespace handeye
