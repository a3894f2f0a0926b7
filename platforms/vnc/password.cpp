// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/password.h"

#include "base/file.h"

#include <cstdlib>
#include <cstring>
#include <mutex>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

constexpr std::size_t kPasswordBytesMax = 256;
constexpr std::size_t kShownMax = 200;
constexpr const char* kVariable = "HANDEYE_VNC_PASSWORD";

struct FromEnvironment {
    std::mutex mutex;
    std::optional<std::string> password; ///< several sessions may want it
};

FromEnvironment& from_environment() {
    static FromEnvironment instance;
    return instance;
}

} // namespace

void take_password_from_environment() {
    FromEnvironment& kept = from_environment();
    const std::lock_guard lock(kept.mutex);
    char* const value = std::getenv(kVariable);
    if (value != nullptr && value[0] != '\0') {
        kept.password = value;
        explicit_bzero(value, kept.password->size());
    }
}

void forget_password_of_environment() {
    FromEnvironment& kept = from_environment();
    const std::lock_guard lock(kept.mutex);
    kept.password.reset();
}

Result<std::optional<std::string>> read_password(const std::filesystem::path& file) {
    if (file.empty()) {
        take_password_from_environment(); // of a program that did not do so when it began
        FromEnvironment& kept = from_environment();
        const std::lock_guard lock(kept.mutex);
        const auto& password = kept.password;
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

Result<std::optional<std::string>> read_bound_password(const std::filesystem::path& file, const std::filesystem::path& folder, const Address& server) {
    if (file.empty()) {
        return std::optional<std::string>();
    }
    const std::string name = describe(server);
    std::error_code problem;
    const auto given = std::filesystem::weakly_canonical(file.parent_path(), problem);
    const auto wanted = std::filesystem::weakly_canonical(folder, problem);
    if (problem || !file.is_absolute() || given != wanted || file.filename() != name || name.find('/') != std::string::npos) {
        return Error{ErrorCode::PermissionDenied, fmt::format("password_file \"{}\" is not {}, which alone a client may use with the server {}",
                                                              file.string().substr(0, kShownMax), (folder / name).string().substr(0, kShownMax), name.substr(0, kShownMax))};
    }
    return read_password(file);
}

} // namespace handeye::vnc
