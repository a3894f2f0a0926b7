// SPDX-License-Identifier: Apache-2.0
// Starts the guardian (guardian_main.cpp) and writes two bytes to it for each change.
#include "platforms/x11/guardian_link.h"

#include "platforms/x11/launch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr const char* kProgram = "handeye-guardian";
constexpr int kStartMs = 10'000;

std::filesystem::path guardian_program() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto beside = self.parent_path() / kProgram;
    return !error && access(beside.c_str(), X_OK) == 0 ? beside : std::filesystem::path();
}

Error no_guardian(std::string_view why) {
    return {ErrorCode::Unavailable, fmt::format("{} {}: without it nothing would let go of keys and buttons if this process were killed", kProgram, why)};
}

/// With `theirs` as its standard input and nothing else of ours; 0: it cannot be started.
int spawn(std::string path, std::string display, int theirs) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, theirs, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID); // a Control+C in the terminal is not for it
    char* const argv[] = {path.data(), display.data(), nullptr};
    std::vector<std::string> environment = merged_environment({});
    std::vector<char*> variables;
    for (std::string& entry : environment) {
        variables.push_back(entry.data());
    }
    variables.push_back(nullptr);
    int pid = 0;
    const int failure = posix_spawn(&pid, path.c_str(), &files, &attributes, argv, variables.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return failure == 0 ? pid : 0;
}

} // namespace

Result<std::unique_ptr<GuardianLink>> GuardianLink::start(const std::string& display, const std::vector<std::uint8_t>& cookie) {
    std::unique_ptr<GuardianLink> link(new GuardianLink);
    link->program_ = guardian_program().string();
    link->display_ = display;
    link->cookie_ = cookie;
    TRY(link->ensure());
    return link;
}

GuardianLink::~GuardianLink() {
    pipe_ = FileDescriptor();
    if (pid_ > 0) {
        waitpid(pid_, nullptr, 0);
    }
}

Result<void> GuardianLink::ensure() {
    if (program_.empty()) {
        return {};
    }
    {
        const std::lock_guard lock(mutex_);
        char byte = 0;
        if (pipe_.is_open() && recv(pipe_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) {
            return {}; // it says nothing while it lives
        }
    }
    end_program();
    FileDescriptor pipe = TRY(start_program());
    const std::lock_guard lock(mutex_);
    pipe_ = std::move(pipe);
    send_or_give_up(held_now()); // others may have let go of something meanwhile
    return {};
}

/// Returns when it has opened the display.
Result<FileDescriptor> GuardianLink::start_program() {
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return no_guardian("cannot be reached");
    }
    FileDescriptor ours(ends[0]);
    FileDescriptor theirs(ends[1]);
    std::string head(1, static_cast<char>(cookie_.size())); // the cookie goes through the pipe, not through argv
    head.append(cookie_.begin(), cookie_.end());
    { // before it lives: whenever this process is killed from here on, it knows what to let go of
        const std::lock_guard lock(mutex_);
        head += held_now();
    }
    if (send(ours.get(), head.data(), head.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(head.size())) {
        return no_guardian("cannot be told what is held");
    }
    pid_ = spawn(program_, display_, theirs.get());
    if (pid_ == 0) {
        return no_guardian("cannot be started");
    }
    theirs = FileDescriptor();
    char ready = 0;
    pollfd answer{ours.get(), POLLIN, 0};
    if (poll(&answer, 1, kStartMs) != 1 || recv(ours.get(), &ready, 1, MSG_DONTWAIT) != 1) {
        end_program();
        return no_guardian("does not come up");
    }
    return ours;
}

/// First killed, then hung up on: else it would let go of what is still wanted.
void GuardianLink::end_program() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    const std::lock_guard lock(mutex_);
    pipe_ = FileDescriptor();
}

void GuardianLink::report(Held& held, char what, std::uint8_t which, bool is_held) {
    const std::lock_guard lock(mutex_);
    held[which] = is_held;
    send_or_give_up({what, static_cast<char>(which)});
}

/// Of each key and button, down or not: what the guardian believed before counts no more.
std::string GuardianLink::held_now() const {
    std::string out;
    for (unsigned i = 0; i < keys_.size(); ++i) {
        const auto which = static_cast<char>(i);
        out.append({keys_[i] ? 'K' : 'k', which, buttons_[i] ? 'B' : 'b', which, bound_[i] ? 'M' : 'm', which});
    }
    return out;
}

/// One that is gone, or has stopped reading, guards nothing: ensure() will find its pipe shut.
void GuardianLink::send_or_give_up(const std::string& messages) {
    if (pipe_.is_open() && send(pipe_.get(), messages.data(), messages.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != static_cast<ssize_t>(messages.size())) {
        shutdown(pipe_.get(), SHUT_RD);
    }
}

} // namespace handeye::x11
