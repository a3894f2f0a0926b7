// SPDX-License-Identifier: Apache-2.0
// What tells one checkpoint from another, so that results of two are never counted together.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

namespace handeye::miniwob {

/// SHA-256 over names and bytes of a checkpoint's files, or of one .gguf file: what it computes with, not its cards. Reads all of it.
Result<std::string> model_sum(const std::filesystem::path& model);

} // namespace handeye::miniwob
