// SPDX-License-Identifier: Apache-2.0
// A child process with one socket to it and nothing else of ours.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace handeye {

class Child {
public:
    /// Runs `program --fd 3` and what follows. It inherits that socket and stderr alone; of the environment only what names no desktop (see
    /// child_process.cpp). It leads its own session, dies with the calling thread, cannot gain privileges and leaves no core.
    static Result<std::unique_ptr<Child>> start(const std::filesystem::path& program, const std::vector<std::string>& more_arguments = {});
    /// Kills it.
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] const std::shared_ptr<FileDescriptor>& socket() const { return socket_; }
    /// Kills it if it still runs, waits, and says how it ended: "killed by signal 11 (Segmentation fault)".
    std::string reap();

private:
    Child(pid_t pid, FileDescriptor socket) : pid_(pid), socket_(std::make_shared<FileDescriptor>(std::move(socket))) {}
    pid_t pid_;
    std::shared_ptr<FileDescriptor> socket_;
    std::string how_;
};

} // namespace handeye
