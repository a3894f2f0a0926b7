// SPDX-License-Identifier: Apache-2.0
// A client of the OpenAI-compatible endpoint by hand, byte for byte.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace handeye::testing {

/// A client by hand; every wait has an end.
class Client {
public:
    explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        const timeval patience{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void ask(std::string_view version = "1.1") {
        const std::string body = R"({"messages":[{"role":"user","content":"Hello"}]})";
        const std::string all = fmt::format("POST /v1/chat/completions HTTP/{}\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", version, body.size(), body);
        EXPECT_EQ(::send(fd_, all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
    }
    void send(std::string_view all) { EXPECT_EQ(::send(fd_, all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size())); }
    void end_sending() { EXPECT_EQ(::shutdown(fd_, SHUT_WR), 0); }
    void close() {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }
    [[nodiscard]] pollfd awaited() const { return {.fd = fd_, .events = POLLIN, .revents = 0}; }
    /// What comes until `end` was read, or until there is no more.
    std::string read_until(std::string_view end) {
        std::array<char, 4096> some{};
        std::string all;
        while (all.find(end) == std::string::npos) {
            const ssize_t n = ::recv(fd_, some.data(), some.size(), 0);
            if (n <= 0) {
                break;
            }
            all.append(some.data(), static_cast<std::size_t>(n));
        }
        return all;
    }

private:
    int fd_;
};

} // namespace handeye::testing
