// SPDX-License-Identifier: Apache-2.0
// A foreign program (pdftoppm, soffice) that reads what strangers made: without network and desktop, with limits on memory, processor
// time, files and wall time, and with one folder where it may write.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <sys/types.h>

namespace handeye {

struct ToolCall {
    std::filesystem::path program;
    std::vector<std::string> arguments;
    std::filesystem::path folder; ///< its working folder, HOME and TMPDIR
    std::uint64_t memory_bytes_max = std::uint64_t{1} << 30U; ///< of address space, of each of its processes
    std::uint64_t file_bytes_max = std::uint64_t{256} << 20U; ///< of each file it writes
    std::chrono::seconds patience{60}; ///< processor time of each process, and wall time of the whole
    enum class Sockets { None, OfThisMachine } sockets = Sockets::None;
};

/// The whole path of a program on PATH; NotFound.
Result<std::filesystem::path> find_tool(const std::string& name);

class ConfinedTool {
public:
    /// It leads a session of its own, dies with the calling thread, gains no privileges, opens no socket (or none beyond this machine)
    /// and, where the kernel has Landlock, sees the system's programs, libraries and fonts and `folder`, and no other file.
    /// PermissionDenied when the kernel refuses the filter of system calls.
    static Result<std::unique_ptr<ConfinedTool>> start(const ToolCall& call);
    /// Kills it with all that it started.
    ~ConfinedTool();
    ConfinedTool(const ConfinedTool&) = delete;
    ConfinedTool& operator=(const ConfinedTool&) = delete;

    /// Exactly so many bytes of its standard output; false: it ended before the first of them. ParseFailed when it ended in their
    /// midst, DeadlineExceeded, Cancelled.
    Result<bool> read(std::span<std::uint8_t> into, const std::stop_token& stop);
    /// All that is left of it; LimitExceeded beyond `bytes_max`.
    Result<std::string> read_rest(std::size_t bytes_max, const std::stop_token& stop);
    /// Waits for its end, after its output. Errors as read(); ParseFailed with how it ended and what it said when that was not well.
    Result<void> finish(const std::stop_token& stop);

private:
    ConfinedTool(pid_t pid, FileDescriptor output, FileDescriptor complaint, const ToolCall& call);
    Result<std::size_t> read_some(std::span<std::uint8_t> into, const std::stop_token& stop);
    Error late() const;
    std::string complaint() const;
    void kill_all() const;

    pid_t pid_;
    FileDescriptor output_, complaint_;
    std::string name_;
    std::chrono::seconds patience_;
    std::chrono::steady_clock::time_point deadline_;
};

} // namespace handeye
