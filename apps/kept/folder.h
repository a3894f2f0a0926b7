// SPDX-License-Identifier: Apache-2.0
// The folder of a run that is interrupted and gone on with.
#pragma once

#include "base/result.h"

#include <filesystem>

namespace handeye::kept {

/// Makes it (0700) where it is not there. One that is there must be empty or hold `marker`, the file by which such a folder is known, and
/// apart from folders nothing but regular files: InvalidArgument. So a stranger's folder, and links that lead elsewhere, are left alone.
Result<void> open_folder(const std::filesystem::path& folder, const char* marker);

} // namespace handeye::kept
