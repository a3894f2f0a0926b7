// SPDX-License-Identifier: Apache-2.0
#include "base/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr int kSocket = 3; // in the child

// An allow-list: DISPLAY, WAYLAND_DISPLAY, XAUTHORITY, DBUS_*, XDG_RUNTIME_DIR, SSH_AUTH_SOCK and whatever comes next stay out.
constexpr std::array<std::string_view, 9> kKept{"PATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
                                                "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"};
constexpr std::array<std::string_view, 3> kKeptPrefixes{"LC_", "CUDA_", "NVIDIA_"};

bool is_kept(std::string_view variable) {
    const std::string_view name = variable.substr(0, variable.find('='));
    return std::find(kKept.begin(), kKept.end(), name) != kKept.end() ||
           std::any_of(kKeptPrefixes.begin(), kKeptPrefixes.end(), [&](std::string_view p) { return name.starts_with(p); });
}

// Between fork and exec of a threaded program: system calls only.
[[noreturn]] void become(int socket, pid_t parent, char* const* argv, char* const* environment) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(0); // it died before the line above
    }
    ::setsid();
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    if (socket == kSocket) {
        ::fcntl(socket, F_SETFD, 0);
    } else {
        ::dup2(socket, kSocket);
    }
    ::syscall(SYS_close_range, kSocket + 1, ~0U, 0);
    for (int number = 1; number < NSIG; ++number) {
        ::signal(number, SIG_DFL);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
    ::execve(argv[0], argv, environment);
    ::_exit(127);
}

} // namespace

Result<std::unique_ptr<Child>> Child::start(const std::filesystem::path& program, const std::vector<std::string>& more_arguments) {
    if (::access(program.c_str(), X_OK) != 0) {
        return Error{ErrorCode::NotFound, fmt::format("{} cannot be run: {}", program.string(), std::strerror(errno))};
    }
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("no socket for {}: {}", program.filename().string(), std::strerror(errno))};
    }
    FileDescriptor ours(ends[0]);
    const FileDescriptor theirs(ends[1]);
    std::vector<std::string> words{program.string(), "--fd", std::to_string(kSocket)};
    words.insert(words.end(), more_arguments.begin(), more_arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (is_kept(*variable)) {
            environment.push_back(*variable);
        }
    }
    environment.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return Error{ErrorCode::Unavailable, fmt::format("no process for {}: {}", program.filename().string(), std::strerror(errno))};
    }
    if (pid == 0) {
        become(theirs.get(), parent, argv.data(), environment.data());
    }
    return std::unique_ptr<Child>(new Child(pid, std::move(ours)));
}

Child::~Child() { reap(); }

std::string Child::reap() {
    if (pid_ < 0) {
        return how_;
    }
    ::kill(pid_, SIGKILL); // a child that ended by itself keeps the status it had
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    how_ = WIFSIGNALED(status) ? fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                               : fmt::format("ended with code {}", WEXITSTATUS(status));
    return how_;
}

} // namespace handeye
