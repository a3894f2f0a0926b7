// SPDX-License-Identifier: Apache-2.0
#include "base/file_beneath.h"

#include "base/printable.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kShownMax = 100;
constexpr std::string_view kScheme = "file://";

std::string shown(std::string_view text) { return printable_line(text.substr(0, kShownMax)); }

/// `flags` besides O_CLOEXEC.
FileDescriptor open_beneath(int root, const std::string& path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return FileDescriptor(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

Error no_way_to(std::string_view path, int problem) {
    switch (problem) {
    case EXDEV:
    case ELOOP: return {ErrorCode::PermissionDenied, fmt::format("\"{}\" leads out of the allowed folder, or through a link", shown(path))};
    case EACCES: return {ErrorCode::PermissionDenied, fmt::format("\"{}\" may not be read", shown(path))};
    case ENOSYS: return {ErrorCode::Unsupported, "this kernel has no openat2 (Linux 5.6): no local file can be opened safely"};
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG: return {ErrorCode::NotFound, fmt::format("\"{}\" is not in the allowed folder", shown(path))};
    default: return {ErrorCode::IoFailed, fmt::format("\"{}\": {}", shown(path), std::strerror(problem))};
    }
}

/// %XX of URLs; a zero byte would end the name for the kernel.
Result<std::string> decoded(std::string_view url_path) {
    std::string out;
    for (std::size_t i = 0; i < url_path.size(); ++i) {
        unsigned code = 0;
        const char* const digits = url_path.data() + i + 1;
        if (url_path[i] != '%') {
            out += url_path[i];
        } else if (i + 2 < url_path.size() && std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
            out += static_cast<char>(code);
            i += 2;
        } else {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\": a % without two digits", shown(url_path))};
        }
    }
    return out;
}

Result<std::vector<std::uint8_t>> read_all(int fd, std::size_t size, std::string_view path) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t at = 0; at < size;) {
        const ssize_t got = ::pread(fd, bytes.data() + at, size - at, static_cast<off_t>(at));
        if (got <= 0) {
            return Error{ErrorCode::IoFailed, fmt::format("\"{}\" could not be read to its end", shown(path))};
        }
        at += static_cast<std::size_t>(got);
    }
    return bytes;
}

} // namespace

Result<FilesBeneath> FilesBeneath::open(const std::filesystem::path& folder) {
    std::error_code problem;
    const std::filesystem::path whole = std::filesystem::canonical(folder, problem); // who starts the program may name it through a link
    if (problem || !std::filesystem::is_directory(whole, problem)) {
        return Error{ErrorCode::NotFound, fmt::format("{} is no folder", folder.string())};
    }
    FileDescriptor root(::open(whole.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_open()) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{}: {}", folder.string(), std::strerror(errno))};
    }
    if (const FileDescriptor probe = open_beneath(root.get(), ".", O_PATH | O_DIRECTORY); !probe.is_open()) {
        return no_way_to(whole.string(), errno);
    }
    return FilesBeneath(whole, std::move(root));
}

/// Relative to the folder, not normalised: that is the kernel's.
Result<std::string> FilesBeneath::below(std::string_view path_or_url) const {
    std::string path(path_or_url);
    if (path_or_url.starts_with(kScheme)) {
        std::string_view rest = path_or_url.substr(kScheme.size());
        rest.remove_prefix(rest.starts_with("localhost/") ? std::strlen("localhost") : 0);
        if (!rest.starts_with('/') || rest.find_first_of("?#") != std::string_view::npos) {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\": a file's URL is file:///PATH, without host, query and fragment", shown(path_or_url))};
        }
        path = TRY(decoded(rest));
    }
    if (path.empty() || path.size() > kPathBytesMax || path.find('\0') != std::string::npos) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a path has 1 to {} bytes, none of them zero", kPathBytesMax)};
    }
    if (!path.starts_with('/')) {
        return path;
    }
    const std::string root = folder_ == folder_.root_path() ? std::string() : folder_.string();
    if (!path.starts_with(root + "/")) {
        return no_way_to(path_or_url, EXDEV);
    }
    path.erase(0, std::min(path.find_first_not_of('/', root.size()), path.size()));
    return path.empty() ? std::string(".") : path;
}

Result<std::vector<std::uint8_t>> FilesBeneath::read(std::string_view path_or_url, std::size_t bytes_max) const {
    const std::string path = TRY(below(path_or_url));
    struct stat found {};
    // Looked at before it is opened: opening a device or a FIFO would do something already.
    const FileDescriptor seen = open_beneath(root_->get(), path, O_PATH);
    if (!seen.is_open() || ::fstat(seen.get(), &found) != 0) {
        return no_way_to(path_or_url, errno);
    }
    if (!S_ISREG(found.st_mode)) {
        return Error{ErrorCode::PermissionDenied, fmt::format("\"{}\" is no ordinary file", shown(path_or_url))};
    }
    const FileDescriptor file = open_beneath(root_->get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat opened {};
    if (!file.is_open() || ::fstat(file.get(), &opened) != 0) {
        return no_way_to(path_or_url, errno);
    }
    if (opened.st_ino != found.st_ino || opened.st_dev != found.st_dev || !S_ISREG(opened.st_mode)) {
        return Error{ErrorCode::PermissionDenied, fmt::format("\"{}\" became another file while it was opened", shown(path_or_url))};
    }
    const auto size = static_cast<std::size_t>(opened.st_size);
    if (size > bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("\"{}\" has {} bytes; the limit is {}", shown(path_or_url), size, bytes_max)};
    }
    return read_all(file.get(), size, path_or_url);
}

} // namespace handeye
