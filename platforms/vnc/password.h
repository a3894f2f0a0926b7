// SPDX-License-Identifier: Apache-2.0
// The password of a VNC server: from a file that only its owner may read, or from the environment. Never from a command line.
#pragma once

#include "base/result.h"
#include "platforms/vnc/address.h"

#include <filesystem>
#include <optional>
#include <string>

namespace handeye::vnc {

/// Keeps $HANDEYE_VNC_PASSWORD for read_password() and overwrites it in the environment, so that no program started from then on gets it.
void take_password_from_environment();
void forget_password_of_environment();

/// Of `file`, whose mode must be 0600 or less (one line end at its end is dropped); where it is empty, the one of the environment.
/// nullopt: there is none.
Result<std::optional<std::string>> read_password(const std::filesystem::path& file);
/// For a server that a stranger named: `file` must be the one in `folder` that is named like the server (describe()), and the environment has
/// none for it. PermissionDenied names the file that it would have to be.
Result<std::optional<std::string>> read_bound_password(const std::filesystem::path& file, const std::filesystem::path& folder, const Address& server);

} // namespace handeye::vnc
