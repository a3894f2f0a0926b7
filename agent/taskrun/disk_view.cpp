// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/disk_view.h"

#include "base/file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye::taskrun {
namespace {

namespace fs = std::filesystem;

fs::path file_path(const std::string& named) {
    const char* const home = std::getenv("HOME");
    return named.starts_with("~/") && home != nullptr ? fs::path(home) / named.substr(2) : fs::path(named);
}

/// The kernel itself follows no link and no ".." out of the folder, so nothing can be exchanged between a check and the opening.
Result<FileDescriptor> open_below(const fs::path& root, const std::string& name) {
    const FileDescriptor folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) {
        return Error{ErrorCode::IoFailed, fmt::format("the folder of files for tasks cannot be opened: {}", std::strerror(errno))};
    }
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY; // a FIFO would wait for its writer
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, folder.get(), name.c_str(), &how, sizeof how);
    if (fd >= 0) {
        return FileDescriptor(static_cast<int>(fd));
    }
    const int number = errno;
    if (number == EXDEV || number == ELOOP) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the file \"{}\" lies outside the folder whose files tasks may read", name)};
    }
    return Error{number == ENOENT || number == ENOTDIR ? ErrorCode::NotFound : ErrorCode::IoFailed, fmt::format("cannot open {}: {}", name, std::strerror(number))};
}

} // namespace

Result<std::optional<WallTime>> DiskView::written(const std::string& name) const {
    struct stat facts {};
    if (root_.empty()) {
        if (::stat(file_path(name).c_str(), &facts) != 0) {
            return std::optional<WallTime>();
        }
    } else {
        const Result<FileDescriptor> file = open_below(root_, name);
        if (!file) {
            return file.error().code == ErrorCode::NotFound ? Result<std::optional<WallTime>>(std::nullopt) : file.error();
        }
        if (::fstat(file->get(), &facts) != 0) {
            return Error{ErrorCode::IoFailed, fmt::format("{}: {}", name, std::strerror(errno))};
        }
    }
    if (!S_ISREG(facts.st_mode)) {
        return std::optional<WallTime>();
    }
    const auto since_epoch = std::chrono::seconds(facts.st_mtim.tv_sec) + std::chrono::nanoseconds(facts.st_mtim.tv_nsec);
    return std::optional(WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch)));
}

Result<std::string> DiskView::read(const std::string& name, std::size_t bytes_max) const {
    if (root_.empty()) {
        return read_file(file_path(name), bytes_max);
    }
    const FileDescriptor file = TRY(open_below(root_, name));
    return read_file(fmt::format("/proc/self/fd/{}", file.get()), bytes_max); // the very file that was opened
}

} // namespace handeye::taskrun
