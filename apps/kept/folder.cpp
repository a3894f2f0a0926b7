// SPDX-License-Identifier: Apache-2.0
#include "apps/kept/folder.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::kept {

namespace fs = std::filesystem;

Result<void> open_folder(const fs::path& folder, const char* marker) {
    std::error_code problem;
    if (!fs::exists(folder, problem) && fs::create_directories(folder, problem)) {
        fs::permissions(folder, fs::perms::owner_all, problem);
    }
    struct stat facts {};
    if (::stat(folder.c_str(), &facts) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("{}: {}", folder.string(), problem ? problem.message() : std::strerror(errno))};
    }
    if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & S_IWOTH) != 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no folder of this user's alone (it is another's, or everybody may write to it): name another --out", folder.string())};
    }
    bool is_empty = true;
    for (fs::directory_iterator at(folder, problem), end; !problem && at != end; at.increment(problem)) {
        std::error_code unseen;
        is_empty = false;
        if (at->is_symlink(unseen) || (!at->is_directory(unseen) && !at->is_regular_file(unseen))) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is no regular file: name another --out", at->path().string())};
        }
    }
    if (problem) {
        return Error{ErrorCode::IoFailed, fmt::format("{}: {}", folder.string(), problem.message())};
    }
    if (!is_empty && !fs::exists(folder / marker, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is not empty and holds no evaluation ({} is missing): name a new or an empty folder with --out", folder.string(), marker)};
    }
    return {};
}

} // namespace handeye::kept
