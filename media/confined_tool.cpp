// SPDX-License-Identifier: Apache-2.0
#include "media/confined_tool.h"

#include "base/child_wire.h"
#include "base/printable.h"
#include "media/tool_cage.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr std::size_t kComplaintBytesMax = 400;
constexpr std::string_view kWarning = "Warning:";
constexpr int kCagedExit = 126; // as a shell says of what cannot be run
constexpr int kMissingExit = 127;

struct Launch {
    const ToolCall& call;
    const ToolCage& cage;
    int output, complaint;
    pid_t parent;
    char* const* argv;
    char* const* environment;
};

void limit(int what, std::uint64_t most) {
    const rlimit both{most, most};
    ::setrlimit(static_cast<__rlimit_resource_t>(what), &both);
}

// Between fork and exec of a threaded program: system calls only.
[[noreturn]] void become(const Launch& launch) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != launch.parent) {
        ::_exit(0); // it died before the line above
    }
    ::setsid();
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_AS, launch.call.memory_bytes_max);
    limit(RLIMIT_FSIZE, launch.call.file_bytes_max);
    limit(RLIMIT_CPU, static_cast<std::uint64_t>(launch.call.patience.count()));
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, STDIN_FILENO);
    ::dup2(launch.output, STDOUT_FILENO);
    ::dup2(launch.complaint, STDERR_FILENO);
    if (::chdir(launch.call.folder.c_str()) != 0 || !enter_cage(launch.cage)) {
        ::_exit(kCagedExit);
    }
    ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    for (int number = 1; number < NSIG; ++number) {
        ::signal(number, SIG_DFL);
    }
    sigset_t nothing;
    sigemptyset(&nothing);
    ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
    ::execve(launch.argv[0], launch.argv, launch.environment);
    ::_exit(kMissingExit);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> out;
    std::transform(words.begin(), words.end(), std::back_inserter(out), [](std::string& word) { return word.data(); });
    out.push_back(nullptr);
    return out;
}

// No display, no bus, no agent: nothing of ours but where programs are.
std::vector<std::string> environment_of(const ToolCall& call) {
    const char* const path = std::getenv("PATH");
    const std::string folder = call.folder.string();
    return {fmt::format("PATH={}", path != nullptr ? path : "/usr/bin:/bin"), "LANG=C.UTF-8", "HOME=" + folder, "TMPDIR=" + folder, "XDG_CONFIG_HOME=" + folder,
            "XDG_CACHE_HOME=" + folder, "XDG_RUNTIME_DIR=" + folder, "SAL_USE_VCLPLUGIN=svp"};
}

} // namespace

Result<std::filesystem::path> find_tool(const std::string& name) {
    const char* const variable = std::getenv("PATH");
    const std::string_view path = variable != nullptr ? variable : "/usr/bin:/bin";
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::filesystem::path candidate = std::filesystem::path(path.substr(begin, end - begin)) / name;
        begin = end + 1;
        if (candidate.is_absolute() && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return Error{ErrorCode::NotFound, fmt::format("{} is not on PATH", name)};
}

Result<std::unique_ptr<ConfinedTool>> ConfinedTool::start(const ToolCall& call) {
    const ToolCage cage = TRY(build_cage(call));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return Error{ErrorCode::Unavailable, fmt::format("no pipe for {}: {}", call.program.filename().string(), std::strerror(errno))};
    }
    FileDescriptor ours(ends[0]);
    const FileDescriptor theirs(ends[1]);
    FileDescriptor complaint(::memfd_create("complaint", MFD_CLOEXEC));
    std::vector<std::string> words{call.program.string()}, variables = environment_of(call);
    words.insert(words.end(), call.arguments.begin(), call.arguments.end());
    const std::vector<char*> argv = pointers(words), environment = pointers(variables);
    const Launch launch{call, cage, theirs.get(), complaint.get(), ::getpid(), argv.data(), environment.data()};
    const pid_t pid = ::fork();
    if (pid < 0) {
        return Error{ErrorCode::Unavailable, fmt::format("no process for {}: {}", call.program.filename().string(), std::strerror(errno))};
    }
    if (pid == 0) {
        become(launch);
    }
    return std::unique_ptr<ConfinedTool>(new ConfinedTool(pid, std::move(ours), std::move(complaint), call));
}

ConfinedTool::ConfinedTool(pid_t pid, FileDescriptor output, FileDescriptor complaint, const ToolCall& call)
    : pid_(pid), output_(std::move(output)), complaint_(std::move(complaint)), name_(call.program.filename().string()), patience_(call.patience),
      deadline_(std::chrono::steady_clock::now() + call.patience) {}

ConfinedTool::~ConfinedTool() {
    if (pid_ > 0) {
        kill_all();
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

// Its whole session; it leads a group of the same number from its first lines on.
void ConfinedTool::kill_all() const {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL); // where it had not come that far
}

Error ConfinedTool::late() const { return {ErrorCode::DeadlineExceeded, fmt::format("{} was not done within {} s", name_, patience_.count())}; }

Result<std::size_t> ConfinedTool::read_some(std::span<std::uint8_t> into, const std::stop_token& stop) {
    const std::stop_callback end(stop, [this] { kill_all(); }); // which closes its output
    const bool is_ready = wire::wait_for(output_.get(), POLLIN, deadline_);
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, fmt::format("{} was stopped", name_)};
    }
    if (!is_ready) {
        return late();
    }
    const ssize_t got = ::read(output_.get(), into.data(), into.size());
    return static_cast<std::size_t>(std::max<ssize_t>(got, 0));
}

Result<bool> ConfinedTool::read(std::span<std::uint8_t> into, const std::stop_token& stop) {
    for (std::size_t at = 0; at < into.size();) {
        const std::size_t got = TRY(read_some(into.subspan(at), stop));
        if (got == 0 && at == 0) {
            return false;
        }
        if (got == 0) {
            return Error{ErrorCode::ParseFailed, fmt::format("{} ended in the midst of its output{}", name_, complaint())};
        }
        at += got;
    }
    return true;
}

Result<std::string> ConfinedTool::read_rest(std::size_t bytes_max, const std::stop_token& stop) {
    std::string out;
    std::array<std::uint8_t, 1 << 14> buffer{};
    for (;;) {
        const std::size_t got = TRY(read_some(buffer, stop));
        if (got == 0) {
            return out;
        }
        out.append(reinterpret_cast<const char*>(buffer.data()), got);
        if (out.size() > bytes_max) {
            return Error{ErrorCode::LimitExceeded, fmt::format("{} says more than {} bytes", name_, bytes_max)};
        }
    }
}

Result<void> ConfinedTool::finish(const std::stop_token& stop) {
    static_cast<void>(TRY(read_rest(std::size_t{1} << 20U, stop))); // an end of output is close to its own
    const FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const std::stop_callback end(stop, [this] { kill_all(); });
    const bool is_done = process.is_open() && wire::wait_for(process.get(), POLLIN, deadline_);
    if (!is_done || stop.stop_requested()) {
        return stop.stop_requested() ? Error{ErrorCode::Cancelled, fmt::format("{} was stopped", name_)} : late();
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ::kill(-pid_, SIGKILL); // what it left behind
    pid_ = -1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return {};
    }
    const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                                                : fmt::format("ended with code {}", WEXITSTATUS(status));
    return Error{ErrorCode::ParseFailed, fmt::format("{} {}{}", name_, how, complaint())};
}

std::string ConfinedTool::complaint() const {
    std::string text(kComplaintBytesMax, '\0');
    const ssize_t got = ::pread(complaint_.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    std::size_t begin = 0;
    while (text.compare(begin, kWarning.size(), kWarning) == 0) { // which is not why it ended
        begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
    }
    text = text.substr(begin, text.find('\n', begin) - begin);
    return text.empty() ? "" : ": " + printable_line(text);
}

} // namespace handeye
