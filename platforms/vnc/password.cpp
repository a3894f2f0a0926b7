// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/password.h"

#include "base/file.h"

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

constexpr std::size_t kPasswordBytesMax = 256;
constexpr const char* kVariable = "HANDEYE_VNC_PASSWORD";

/// Read once: several sessions of one daemon may want it.
const std::optional<std::string>& from_environment() {
    static const std::optional<std::string> password = []() -> std::optional<std::string> {
        char* const value = std::getenv(kVariable);
        if (value == nullptr || value[0] == '\0') {
            return std::nullopt;
        }
        std::string copy(value);
        explicit_bzero(value, copy.size());
        return copy;
    }();
    return password;
}

} // namespace

Result<std::optional<std::string>> read_password(const std::filesystem::path& file) {
    if (file.empty()) {
        const auto& password = from_environment();
        if (password && password->size() > kPasswordBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} has {} bytes, the limit is {}", kVariable, password->size(), kPasswordBytesMax)};
        }
        return password;
    }
    struct stat about {};
    if (::stat(file.c_str(), &about) == 0 && ((about.st_mode & 077U) != 0 || (about.st_uid != ::geteuid() && about.st_uid != 0))) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("password file {} can be read by others (mode {:04o}, owner {}): chmod 600, and own it", file.string(), about.st_mode & 07777U, about.st_uid)};
    }
    std::string password = TRY(read_file(file, kPasswordBytesMax).with_context("password file"));
    if (password.ends_with('\n')) {
        password.pop_back();
    }
    if (password.empty() || password.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos) { // nor is somebody's private key a password
        return Error{ErrorCode::InvalidArgument, fmt::format("password file {} is not one line of plain text; what vncpasswd writes is none either", file.string())};
    }
    return std::optional(std::move(password));
}

} // namespace handeye::vnc
