// SPDX-License-Identifier: Apache-2.0
// Starts the guardian (guardian_main.cpp) and writes two bytes to it for each change.
#include "platforms/x11/guardian_link.h"

#include "platforms/x11/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace handeye::x11 {

namespace {

constexpr const char* kProgram = "handeye-guardian";

std::filesystem::path guardian_program() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto beside = self.parent_path() / kProgram;
    return !error && access(beside.c_str(), X_OK) == 0 ? beside : std::filesystem::path();
}

} // namespace

std::unique_ptr<GuardianLink> GuardianLink::start(const std::string& display, const std::vector<std::uint8_t>& cookie) {
    std::unique_ptr<GuardianLink> link(new GuardianLink);
    const std::string program = guardian_program().string();
    int ends[2] = {-1, -1};
    if (program.empty() || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return link;
    }
    FileDescriptor ours(ends[0]);
    const FileDescriptor theirs(ends[1]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, theirs.get(), 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID); // a Control+C in the terminal is not for it
    std::string path = program, name = display;
    char* const argv[] = {path.data(), name.data(), nullptr};
    std::vector<std::string> environment = merged_environment({});
    std::vector<char*> variables;
    for (std::string& entry : environment) {
        variables.push_back(entry.data());
    }
    variables.push_back(nullptr);
    const int failure = posix_spawn(&link->pid_, path.c_str(), &files, &attributes, argv, variables.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) {
        link->pid_ = 0;
        return link;
    }
    link->pipe_ = std::move(ours);
    const auto length = static_cast<std::uint8_t>(cookie.size()); // the cookie goes through the pipe, not through argv
    std::string head(1, static_cast<char>(length));
    head.append(cookie.begin(), cookie.end());
    static_cast<void>(send(link->pipe_.get(), head.data(), head.size(), MSG_NOSIGNAL));
    return link;
}

GuardianLink::~GuardianLink() {
    pipe_ = FileDescriptor();
    if (pid_ > 0) {
        waitpid(pid_, nullptr, 0);
    }
}

void GuardianLink::report(char what, std::uint8_t which) {
    if (!pipe_.is_open()) {
        return;
    }
    const char message[2] = {what, static_cast<char>(which)};
    static_cast<void>(send(pipe_.get(), message, sizeof message, MSG_NOSIGNAL)); // a guardian that died guards nothing
}

} // namespace handeye::x11
