// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/output_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBeginningBytes = 256;

Error refuse(const fs::path& path, std::string_view why) { return {ErrorCode::InvalidArgument, fmt::format("{} {}", path.string(), why)}; }

Error failed(std::string_view what, const fs::path& path) { return {ErrorCode::IoFailed, fmt::format("{} {}: {}", what, path.string(), std::strerror(errno))}; }

bool is_same_file(const fs::path& a, const fs::path& b) {
    std::error_code problem;
    return fs::equivalent(a, b, problem) && !problem;
}

// The recording, and what SQLite and the recorder keep beside it; those may not be there at the moment.
bool is_of_recording(const fs::path& out, const fs::path& recording) {
    if (is_same_file(out, recording)) {
        return true;
    }
    std::error_code problem;
    const fs::path whole = fs::weakly_canonical(fs::absolute(out), problem);
    const fs::path base = fs::weakly_canonical(fs::absolute(recording), problem);
    for (const char* suffix : {"", "-wal", "-shm", "-journal", ".lock"}) {
        if (whole == base.string() + suffix) {
            return true;
        }
    }
    return false;
}

std::string beginning_of(const fs::path& path) {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, kBeginningBytes> bytes{};
    const ssize_t read = file.is_open() ? ::read(file.get(), bytes.data(), bytes.size()) : 0;
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(read, 0))};
}

// Nothing when it may be written to.
Result<void> check(const fs::path& out, const OutputFile::Options& options) {
    for (const fs::path& recording : options.recordings) {
        if (is_of_recording(out, recording)) {
            return refuse(out, "is the recording itself, or belongs to it: name another file with -o");
        }
    }
    std::error_code problem;
    const fs::file_status status = fs::status(out, problem);
    if (fs::is_directory(status) || !out.has_filename()) {
        return refuse(out, "is a folder: name a file in it with -o");
    }
    if (!fs::exists(status)) {
        return fs::is_symlink(fs::symlink_status(out, problem)) ? Result<void>(refuse(out, "is a link to a file that is not there")) : Result<void>();
    }
    const bool may_replace = options.is_forced || !fs::is_regular_file(status) || (options.may_replace != nullptr && options.may_replace(beginning_of(out)));
    return may_replace ? Result<void>() : refuse(out, "is there already: --force replaces it");
}

} // namespace

Result<OutputFile> OutputFile::create(const Options& options) {
    OutputFile out;
    if (options.out == "-") {
        out.file_ = FileDescriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        return out.file_.is_open() ? Result<OutputFile>(std::move(out)) : failed("cannot write to", "standard output");
    }
    out.name_ = options.out;
    TRY(check(out.name_, options));
    std::error_code problem;
    if (const fs::file_status status = fs::status(out.name_, problem); fs::exists(status) && !fs::is_regular_file(status)) {
        out.file_ = FileDescriptor(::open(out.name_.c_str(), O_WRONLY | O_CLOEXEC)); // /dev/stdout, a pipe: a new file in its place is not what was meant
        return out.file_.is_open() ? Result<OutputFile>(std::move(out)) : failed("cannot write to", out.name_);
    }
    const fs::path linked = fs::canonical(out.name_, problem); // a link stays a link
    out.name_ = problem ? out.name_ : linked;
    out.part_ = out.name_.parent_path() / fmt::format(".{}.part.{}", ::getpid(), out.name_.filename().string()); // its ending tells a library the format
    out.file_ = FileDescriptor(::open(out.part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out.file_.is_open()) {
        const Error error = failed("cannot create", out.name_);
        out.part_.clear(); // not ours to remove
        return error;
    }
    return out;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::move(other.file_)), name_(std::exchange(other.name_, {})), part_(std::exchange(other.part_, {})), bytes_(other.bytes_) {}

OutputFile::~OutputFile() {
    if (!part_.empty()) {
        ::unlink(part_.c_str());
    }
}

Result<void> OutputFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return failed("cannot write to", name_.empty() ? fs::path("standard output") : name_);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
        bytes_ += static_cast<std::uint64_t>(written);
    }
    return {};
}

Result<std::uint64_t> OutputFile::finish() {
    if (part_.empty()) {
        return bytes_;
    }
    struct stat info {};
    if (::fsync(file_.get()) != 0 || ::fstat(file_.get(), &info) != 0 || ::rename(part_.c_str(), name_.c_str()) != 0) {
        return failed("cannot finish", name_);
    }
    part_.clear();
    return static_cast<std::uint64_t>(info.st_size);
}

} // namespace handeye::cli
