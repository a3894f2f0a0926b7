// SPDX-License-Identifier: Apache-2.0
#include "platforms/owned_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <string>

#include <fmt/format.h>

namespace handeye {

namespace {

constexpr std::time_t kAbandonedAgeS = 60; // a young one may not be locked yet

FileDescriptor open_folder(const std::filesystem::path& folder) {
    return FileDescriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void remove_abandoned(const std::filesystem::path& parent, std::string_view prefix) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
        if (!entry.path().filename().string().starts_with(prefix)) {
            continue;
        }
        const FileDescriptor folder = open_folder(entry.path());
        struct stat info {};
        if (folder.is_open() && fstat(folder.get(), &info) == 0 && info.st_uid == getuid() &&
            std::time(nullptr) - info.st_mtime > kAbandonedAgeS && flock(folder.get(), LOCK_EX | LOCK_NB) == 0) {
            std::filesystem::remove_all(entry.path(), error);
        }
    }
}

} // namespace

Result<OwnedFolder> make_owned_folder(const std::filesystem::path& parent, std::string_view prefix) {
    remove_abandoned(parent, prefix);
    std::string path = parent / fmt::format("{}XXXXXX", prefix);
    if (mkdtemp(path.data()) == nullptr) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot create a private folder like {}", path)};
    }
    OwnedFolder owned{path, open_folder(path)};
    if (!owned.lock.is_open() || flock(owned.lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot lock {}", path)};
    }
    return owned;
}

} // namespace handeye
