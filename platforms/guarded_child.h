// SPDX-License-Identifier: Apache-2.0
// A child process that does not outlive us: ended by close(), by the destructor, and by the kernel should this process die.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace handeye {

class GuardedChild {
public:
    /// argv[0] is a path. `pass_fd` (or -1) stays open in the child under the same number. Standard streams go to /dev/null, save
    /// what it writes to its standard error where `error_fd` takes that; the caller may close its copy afterwards.
    static Result<std::unique_ptr<GuardedChild>> start(std::vector<std::string> argv, std::vector<std::string> environment,
                                                       int pass_fd, int error_fd = -1);
    ~GuardedChild();
    GuardedChild(const GuardedChild&) = delete;
    GuardedChild& operator=(const GuardedChild&) = delete;

    [[nodiscard]] int pid() const { return pid_; }
    /// Whether it ended by itself. Any thread.
    [[nodiscard]] bool has_ended() const;
    /// Asks it to end, insists after a second, and reaps it. What is left of its process group is killed then.
    void close();

private:
    GuardedChild() = default;

    int pid_ = -1;
    std::jthread keeper_; ///< starts the child and lives until close(): the kernel's death signal follows the starting thread
};

} // namespace handeye
