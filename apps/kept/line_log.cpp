// SPDX-License-Identifier: Apache-2.0
#include "apps/kept/line_log.h"

#include "base/json.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::kept {
namespace {

constexpr std::size_t kLineBytesMax = std::size_t{64} << 20U;

Error failed(const std::filesystem::path& path, std::string_view what) { return {ErrorCode::IoFailed, fmt::format("{} cannot be {}: {}", path.string(), what, std::strerror(errno))}; }

} // namespace

Result<LineLog> LineLog::open(const std::filesystem::path& path, const std::function<Result<void>(const nlohmann::json& line)>& take) {
    FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));
    struct stat facts {};
    if (!file.is_open() || ::fstat(file.get(), &facts) != 0) {
        return failed(path, "opened");
    }
    if (!S_ISREG(facts.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no regular file", path.string())};
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("{} is written by another handeye at this moment; wait for it, or name another --out", path.string())};
    }
    const std::string text = TRY(read_file(path, kBytesMax));
    std::size_t at = 0;
    for (std::size_t number = 1; at < text.size(); ++number) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string::npos) {
            break; // the writer was stopped in the middle of it
        }
        const Result<nlohmann::json> line = parse_json(std::string_view(text).substr(at, end - at), {.bytes_max = kLineBytesMax, .depth_max = 16});
        if (!line || !line->is_object()) {
            return Error{ErrorCode::ParseFailed, fmt::format("{} line {}: {}", path.string(), number, line ? "no JSON object" : line.error().message)};
        }
        TRY(take(*line).with_context(fmt::format("{} line {}", path.string(), number)));
        at = end + 1;
    }
    if (::ftruncate(file.get(), static_cast<off_t>(at)) != 0 || ::lseek(file.get(), 0, SEEK_END) < 0) {
        return failed(path, "written");
    }
    return LineLog(path, std::move(file));
}

Result<void> LineLog::add(const nlohmann::json& line) {
    const std::string text = dump_json(line) + "\n";
    const std::lock_guard lock(*mutex_);
    const off_t begin = ::lseek(file_.get(), 0, SEEK_END);
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t put = ::write(file_.get(), text.data() + at, text.size() - at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            const Error why = failed(path_, "written");
            (void)!::ftruncate(file_.get(), begin); // half a line would swallow the next one
            return why;
        }
        at += static_cast<std::size_t>(put);
    }
    if (::fdatasync(file_.get()) != 0) {
        const Error why = failed(path_, "written to the disk");
        (void)!::ftruncate(file_.get(), begin);
        return why;
    }
    return {};
}

} // namespace handeye::kept
