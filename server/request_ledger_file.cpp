// SPDX-License-Identifier: Apache-2.0
#include "server/request_ledger_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace handeye {
namespace {

Error io_error(std::string_view what) {
    const int number = errno;
    return {number == EMFILE || number == ENFILE ? ErrorCode::Unavailable : ErrorCode::IoFailed, fmt::format("{}: {}", what, std::strerror(number))};
}

Result<void> write_and_sync(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) {
            return io_error("cannot keep the request key");
        }
        bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    return ::fdatasync(fd) == 0 ? Result<void>() : Result<void>(io_error("cannot keep the request key"));
}

} // namespace

Result<void> RequestLedgerFile::read(const std::function<void(const std::string&)>& take) const {
    std::error_code ignored;
    if (!std::filesystem::exists(path_, ignored)) {
        return {};
    }
    std::ifstream lines(path_);
    if (!lines) {
        return io_error(fmt::format("cannot read {}", path_.string()));
    }
    for (std::string line; std::getline(lines, line);) {
        take(line);
    }
    return lines.bad() ? Result<void>(io_error(fmt::format("cannot read {}", path_.string()))) : Result<void>();
}

Result<void> RequestLedgerFile::open() {
    if (!file_.is_open()) {
        file_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    }
    return file_.is_open() ? Result<void>() : Result<void>(io_error(fmt::format("cannot write {}", path_.string())));
}

Result<void> RequestLedgerFile::append(std::string_view line) {
    TRY(open());
    const off_t whole = ::lseek(file_.get(), 0, SEEK_END);
    const Result<void> written = write_and_sync(file_.get(), has_torn_end_ ? fmt::format("\n{}", line) : std::string(line));
    if (written) {
        has_torn_end_ = false;
    } else if (whole < 0 || ::ftruncate(file_.get(), whole) != 0) { // else the next line would be glued to half of this one
        has_torn_end_ = true;
    }
    return written;
}

Result<void> RequestLedgerFile::replace(std::string_view lines) {
    TRY(write_file_atomic(path_, lines, 0600));
    file_ = FileDescriptor(); // the old file has no name any more
    has_torn_end_ = false;
    const FileDescriptor folder(::open(path_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const bool is_synced = folder.is_open() && ::fsync(folder.get()) == 0; // else a power cut could bring the old file back
    return is_synced ? Result<void>() : Result<void>(io_error(fmt::format("cannot sync the folder of {}", path_.string())));
}

} // namespace handeye
