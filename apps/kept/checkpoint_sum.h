// SPDX-License-Identifier: Apache-2.0
// What tells one checkpoint from another, so that results of two are never counted together.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

namespace handeye::kept {

/// SHA-256, in hexadecimal, over names, sizes and bytes of the files that a checkpoint computes with (not its cards), or of one .gguf file with
/// its other parts and the mmproj beside it, or adapter. Of a file over 64 MiB the first 64 MiB and 256 pieces of 64 KiB that lie evenly over it speak for the rest.
/// The path does not count. NotFound where no such file is there.
Result<std::string> checkpoint_sum(const std::filesystem::path& checkpoint);

} // namespace handeye::kept
