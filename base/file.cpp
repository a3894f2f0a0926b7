// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

Error system_error(std::string_view what, const std::filesystem::path& path) {
    const int number = errno;
    const ErrorCode code = number == ENOENT   ? ErrorCode::NotFound
                           : number == EACCES ? ErrorCode::PermissionDenied
                                              : ErrorCode::IoFailed;
    return Error{code, fmt::format("{} {}: {}", what, path.string(), std::strerror(number))};
}

std::filesystem::path xdg(const char* variable, const char* below_home) {
    if (const char* set = std::getenv(variable); set != nullptr && set[0] == '/') {
        return std::filesystem::path(set) / "handeye";
    }
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home != nullptr ? home : "/") / below_home / "handeye";
}

Result<void> write_all(const FileDescriptor& file, const std::filesystem::path& path, std::string_view bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
        if (put < 0 && errno != EINTR) {
            return system_error("cannot write", path);
        }
        done += put > 0 ? static_cast<std::size_t>(put) : 0;
    }
    return {};
}

Result<void> write_through(const std::filesystem::path& path, std::string_view bytes) {
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.is_open()) {
        return system_error("cannot write to", path);
    }
    return write_all(file, path, bytes);
}

} // namespace

FileDescriptor::~FileDescriptor() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a FIFO would wait for its writer
    struct stat info {};
    if (!file.is_open() || ::fstat(file.get(), &info) != 0) {
        return system_error("cannot open", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is not a regular file", path.string())};
    }
    if (static_cast<std::size_t>(info.st_size) > bytes_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("{} has {} bytes, the limit is {}", path.string(), info.st_size, bytes_max)};
    }
    std::string out(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = ::read(file.get(), out.data() + done, out.size() - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return system_error("cannot read", path);
        }
        if (got == 0) {
            break; // it shrank since fstat
        }
        done += static_cast<std::size_t>(got);
    }
    out.resize(done);
    return out;
}

Result<void> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, int mode) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        return write_through(path, bytes); // /dev/stdout, a pipe: a new file in its place is not what was meant
    }
    std::error_code is_no_link;
    const std::filesystem::path linked = std::filesystem::canonical(path, is_no_link);
    const std::filesystem::path& target = is_no_link ? path : linked; // a link stays a link
    const std::filesystem::path beside = target.string() + fmt::format(".{}.part", ::getpid());
    const FileDescriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file.is_open()) {
        return system_error("cannot create", path);
    }
    Result<void> written = write_all(file, path, bytes);
    if (written && (::fsync(file.get()) != 0 || ::rename(beside.c_str(), target.c_str()) != 0)) {
        written = system_error("cannot finish", path);
    }
    if (!written) {
        ::unlink(beside.c_str());
    }
    return written;
}

std::filesystem::path config_dir() { return xdg("XDG_CONFIG_HOME", ".config"); }

std::filesystem::path state_dir() { return xdg("XDG_STATE_HOME", ".local/state"); }

std::filesystem::path runtime_dir() {
    if (const char* set = std::getenv("XDG_RUNTIME_DIR"); set != nullptr && set[0] == '/') {
        return std::filesystem::path(set) / "handeye";
    }
    return std::filesystem::temp_directory_path() / fmt::format("handeye-{}", ::getuid());
}

Result<void> make_private_dir(const std::filesystem::path& path) {
    std::error_code problem;
    std::filesystem::create_directories(path.parent_path(), problem);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return system_error("cannot create folder", path);
    }
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return system_error("cannot look at", path);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != ::getuid()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} must be a folder of this user, not a link and not another's", path.string())};
    }
    if ((info.st_mode & 0077U) != 0) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("{} must be a folder of this user with mode 0700; its mode is {:04o}: chmod 700 {}", path.string(), info.st_mode & 07777U, path.string())};
    }
    return {};
}

} // namespace handeye
