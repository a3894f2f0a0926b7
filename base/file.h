// SPDX-License-Identifier: Apache-2.0
// Whole small files, the XDG folders, and a file descriptor that closes itself.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace handeye {

/// The file's bytes; refuses files larger than `bytes_max` before reading them.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max);
/// Written beside the target, synced, then renamed over it: readers see the old or the new file.
Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, int mode = 0644);

/// $XDG_CONFIG_HOME/handeye, $XDG_STATE_HOME/handeye and $XDG_RUNTIME_DIR/handeye with their defaults; not created.
std::filesystem::path config_dir();
std::filesystem::path state_dir();
std::filesystem::path runtime_dir();
/// Creates a folder that only this user may enter (0700), parents included.
Result<void> make_private_dir(const std::filesystem::path& path);

/// Owns a POSIX descriptor.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor();
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

} // namespace handeye
