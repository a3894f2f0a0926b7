// SPDX-License-Identifier: Apache-2.0
// Starts a program, reads what it says, ends it. For tests of real processes.
#pragma once

#include "base/file.h"

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace handeye::testing {

class Process {
public:
    /// `environment` is added to this process's own. stdout and stderr go into output().
    Process(const std::vector<std::string>& argv, const std::vector<std::pair<std::string, std::string>>& environment = {});
    /// Kills it when it still runs.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void send_signal(int number) const;
    /// Its exit code, or 128 + the signal that ended it; reads output() to the end first.
    int wait();
    [[nodiscard]] const std::string& output() const { return output_; }
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    FileDescriptor pipe_;
    std::string output_;
    int status_ = -1;
};

/// $NOTIFY_SOCKET as a service manager would hold it.
class NotifySocket {
public:
    explicit NotifySocket(const std::string& path);
    /// The next datagram; "" when none comes within a minute.
    [[nodiscard]] std::string next() const;
    /// Reads until this datagram; false when it does not come.
    [[nodiscard]] bool wait_for(const std::string& datagram) const;

private:
    FileDescriptor socket_;
};

} // namespace handeye::testing
