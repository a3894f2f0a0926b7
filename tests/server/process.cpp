// SPDX-License-Identifier: Apache-2.0
#include "tests/server/process.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace handeye::testing {

Process::Process(const std::vector<std::string>& argv, const std::vector<std::pair<std::string, std::string>>& environment) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return;
    }
    pipe_ = FileDescriptor(ends[0]);
    const FileDescriptor write_end(ends[1]);
    std::vector<std::string> words = argv; // everything is made before the fork: no allocation after it
    std::vector<char*> raw;
    for (std::string& word : words) {
        raw.push_back(word.data());
    }
    raw.push_back(nullptr);
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        variables.emplace_back(*variable);
    }
    for (const auto& [name, value] : environment) {
        std::erase_if(variables, [&](const std::string& v) { return v.starts_with(name + "="); });
        variables.push_back(name + "=" + value);
    }
    std::vector<char*> raw_environment;
    for (std::string& variable : variables) {
        raw_environment.push_back(variable.data());
    }
    raw_environment.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::dup2(write_end.get(), STDOUT_FILENO);
        ::dup2(write_end.get(), STDERR_FILENO);
        ::execvpe(raw[0], raw.data(), raw_environment.data());
        ::_exit(127);
    }
}

Process::~Process() {
    if (pid_ > 0 && status_ < 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

void Process::send_signal(int number) const { ::kill(pid_, number); }

int Process::wait() {
    std::array<char, 4096> buffer{};
    ssize_t got = 0;
    while ((got = ::read(pipe_.get(), buffer.data(), buffer.size())) > 0) {
        output_.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return status_;
}

NotifySocket::NotifySocket(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::abort();
    }
}

std::string NotifySocket::next() const {
    pollfd wait{socket_.get(), POLLIN, 0};
    std::array<char, 4096> buffer{};
    if (::poll(&wait, 1, 60'000) != 1) {
        return "";
    }
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : "";
}

bool NotifySocket::wait_for(const std::string& datagram) const {
    for (;;) {
        const std::string said = next();
        if (said == datagram || said.empty()) {
            return said == datagram;
        }
    }
}

} // namespace handeye::testing
