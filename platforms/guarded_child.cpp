// SPDX-License-Identifier: Apache-2.0
// PR_SET_PDEATHSIG fires when the thread that forked ends, not only its process; so each child has a thread of its own that
// forks it and then waits until it is told to end it.
#include "platforms/guarded_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <future>
#include <mutex>

#include <fmt/format.h>

namespace handeye {

namespace {

constexpr int kEndPatienceMs = 1000;

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (std::string& text : strings) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

/// Runs between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, char* const* environment, int pass_fd, int error_fd, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) { // we died in between
        _exit(127);
    }
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(error_fd >= 0 ? error_fd : null, 2);
    if (pass_fd >= 0) {
        fcntl(pass_fd, F_SETFD, 0);
        close_range(3, static_cast<unsigned>(pass_fd) - 1, 0);
        close_range(static_cast<unsigned>(pass_fd) + 1, ~0U, 0);
    } else {
        close_range(3, ~0U, 0);
    }
    execve(argv[0], argv, environment);
    _exit(127);
}

void end(pid_t pid) {
    kill(pid, SIGTERM);
    for (int waited = 0; waited < kEndPatienceMs; waited += 10) {
        siginfo_t info{};
        if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid) {
            break;
        }
        poll(nullptr, 0, 10);
    }
    kill(pid, SIGKILL);
    kill(-pid, SIGKILL); // unreaped it still holds its number: the group can be no other
    waitpid(pid, nullptr, 0);
}

} // namespace

Result<std::unique_ptr<GuardedChild>> GuardedChild::start(std::vector<std::string> argv,
                                                          std::vector<std::string> environment, int pass_fd,
                                                          int error_fd) {
    std::unique_ptr<GuardedChild> child(new GuardedChild);
    std::promise<pid_t> started;
    auto pid = started.get_future();
    const std::string program = argv.front();
    child->keeper_ = std::jthread([started = std::move(started), argv = std::move(argv), environment = std::move(environment),
                                   pass_fd, error_fd](std::stop_token stop) mutable {
        const auto arguments = pointers(argv);
        const auto variables = pointers(environment);
        const pid_t parent = getpid();
        const pid_t forked = fork();
        if (forked == 0) {
            become(arguments.data(), variables.data(), pass_fd, error_fd, parent);
        }
        started.set_value(forked < 0 ? -errno : forked);
        std::mutex mutex;
        std::condition_variable_any wake;
        std::unique_lock lock(mutex);
        wake.wait(lock, stop, [] { return false; });
        if (forked > 0) {
            end(forked);
        }
    });
    child->pid_ = pid.get();
    if (child->pid_ < 0) {
        return Error{ErrorCode::IoFailed, fmt::format("starting \"{}\": {}", program, std::strerror(-child->pid_))};
    }
    return child;
}

GuardedChild::~GuardedChild() { close(); }

bool GuardedChild::has_ended() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid_;
}

void GuardedChild::close() {
    if (keeper_.joinable()) {
        keeper_.request_stop();
        keeper_.join();
    }
}

} // namespace handeye
