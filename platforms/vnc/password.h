// SPDX-License-Identifier: Apache-2.0
// The password of a VNC server: from a file that only its owner may read, or from the environment. Never from a command line.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>

namespace handeye::vnc {

/// Of `file`, whose mode must be 0600 or less (one line end at its end is dropped); where it is empty, of $HANDEYE_VNC_PASSWORD, which is
/// overwritten in the environment when it is first read, so that no program started later gets it. nullopt: there is none.
Result<std::optional<std::string>> read_password(const std::filesystem::path& file);

} // namespace handeye::vnc
