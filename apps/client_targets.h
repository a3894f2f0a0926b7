// SPDX-License-Identifier: Apache-2.0
// What a client of the daemon may name in a target. It holds a token, perhaps of few scopes, and runs perhaps in a page or an agent of its
// own: files, programs and passwords of this user are not its to choose. A person's own command line may name all of them.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <vector>

namespace handeye {

struct TargetSpec;

/// The key `targets` of the configuration.
struct ClientTargets {
    std::vector<std::filesystem::path> folders;  ///< uploads, downloads, ca_file and sockets lie below one of them
    std::vector<std::filesystem::path> browsers; ///< programs that may be named as `browser`
    bool operator==(const ClientTargets&) const = default;
};

/// PermissionDenied names the field, its value and the key of the configuration that would allow it.
Result<void> check_client_target(const TargetSpec& spec, const ClientTargets& allowed);

/// Where passwords lie that clients may have used: each in a file that is named like the server it is for, HOST::PORT.
std::filesystem::path client_password_folder();

} // namespace handeye
