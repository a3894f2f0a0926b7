// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/printable.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye::log {
namespace {

std::atomic<Level> lowest{Level::Warn};
std::atomic<Format> format{Format::Text};
std::mutex file_mutex;
std::unique_ptr<FileDescriptor> file; // guarded by file_mutex; unset: stderr
Redact redact; // guarded by file_mutex

// Text for a person at a terminal.
spdlog::logger& terminal() {
    static const auto instance = [] {
        auto made = spdlog::stderr_color_mt("handeye");
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
        made->set_level(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
    case Level::Debug: return spdlog::level::debug;
    case Level::Info: return spdlog::level::info;
    case Level::Warn: return spdlog::level::warn;
    case Level::Error: return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string_view name_of(Level level) {
    switch (level) {
    case Level::Debug: return "debug";
    case Level::Info: return "info";
    case Level::Warn: return "warn";
    case Level::Error: return "error";
    }
    return "error";
}

std::string json_line(Level level, std::string_view section, std::string_view message, std::string_view session) {
    nlohmann::json line{
        {"time", format_utc(SystemClock().wall_now())}, {"level", name_of(level)}, {"area", section}, {"message", message}};
    if (!session.empty()) {
        line["session"] = session;
    }
    return dump_json(line) + "\n";
}

/// A message may hold what a client said: one line it stays, so that nobody can write a line of their own.
std::string one_line(std::string_view message) {
    std::string out = printable(message);
    for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos;) {
        out.replace(at, 1, "\\n");
    }
    return out;
}

// One write each, so that lines of several processes do not mix. A full disk loses the line, not the program.
void write_line(int fd, const std::string& line) { (void)!::write(fd, line.data(), line.size()); }

} // namespace

void set_level(Level level) { lowest = level; }

void set_format(Format wanted) { format = wanted; }

Result<void> set_file(const std::filesystem::path& path) {
    std::unique_ptr<FileDescriptor> opened;
    if (!path.empty()) {
        constexpr int kHow = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK; // a FIFO would wait for its reader
        opened = std::make_unique<FileDescriptor>(::open(path.c_str(), kHow, 0600));
        struct stat info {};
        if (!opened->is_open() || ::fstat(opened->get(), &info) != 0) {
            const bool is_fifo = errno == ENXIO;
            return Error{ErrorCode::IoFailed, fmt::format("log file {}: {}", path.string(), is_fifo ? "not a regular file" : std::strerror(errno))};
        }
        if (!S_ISREG(info.st_mode)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("log file {}: not a regular file", path.string())};
        }
    }
    const std::lock_guard lock(file_mutex);
    file = std::move(opened);
    return {};
}

void set_redactor(Redact wanted) {
    const std::lock_guard lock(file_mutex);
    redact = std::move(wanted);
}

void write(Level level, std::string_view section, std::string_view said, std::string_view session) {
    if (level < lowest) {
        return;
    }
    const std::lock_guard lock(file_mutex);
    const std::string message = redact ? redact(std::string(said)) : std::string(said);
    if (format == Format::Json) {
        write_line(file ? file->get() : STDERR_FILENO, json_line(level, section, message, session));
        return;
    }
    const std::string shown = one_line(message);
    const std::string text = session.empty() ? fmt::format("[{}] {}", section, shown) : fmt::format("[{}] {}: {}", section, session, shown);
    if (file) {
        write_line(file->get(), fmt::format("{} {} {}\n", format_utc(SystemClock().wall_now()), name_of(level), text));
    } else {
        terminal().log(to_spdlog(level), "{}", text);
    }
}

} // namespace handeye::log
