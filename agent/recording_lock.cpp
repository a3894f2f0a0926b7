// SPDX-License-Identifier: Apache-2.0
#include "agent/recording_lock.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

std::filesystem::path lock_name(const std::filesystem::path& recording) { return recording.string() + ".lock"; }

} // namespace

Result<RecordingLock> RecordingLock::take(const std::filesystem::path& recording) {
    constexpr int kAttempts = 16;
    const std::filesystem::path name = lock_name(recording);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        FileDescriptor file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
        if (!file.is_open()) {
            const bool is_absent = errno == ENOENT || errno == ENOTDIR;
            const ErrorCode code = is_absent ? ErrorCode::NotFound : errno == EACCES ? ErrorCode::PermissionDenied : ErrorCode::IoFailed;
            return Error{code, fmt::format("cannot create {}: {}", name.string(), std::strerror(errno))};
        }
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            return Error{ErrorCode::Overloaded, fmt::format("{} is being written by another recorder", recording.string())};
        }
        struct stat held {};
        struct stat named {};
        // The previous owner may have removed the name between our open and our lock.
        if (::fstat(file.get(), &held) == 0 && ::stat(name.c_str(), &named) == 0 && held.st_ino == named.st_ino) {
            RecordingLock lock;
            lock.file_ = std::move(file);
            lock.name_ = name;
            return lock;
        }
    }
    return Error{ErrorCode::Overloaded, fmt::format("{} changes hands too fast", name.string())};
}

bool RecordingLock::is_taken(const std::filesystem::path& recording) {
    const FileDescriptor file(::open(lock_name(recording).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)); // nobody opens the other end of a pipe
    return file.is_open() && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
}

RecordingLock::RecordingLock(RecordingLock&& other) noexcept : file_(std::move(other.file_)), name_(std::exchange(other.name_, {})) {}

RecordingLock& RecordingLock::operator=(RecordingLock&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(name_, other.name_);
    return *this;
}

RecordingLock::~RecordingLock() {
    if (file_.is_open()) {
        ::unlink(name_.c_str());
    }
}

} // namespace handeye
