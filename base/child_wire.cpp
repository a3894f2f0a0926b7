// SPDX-License-Identifier: Apache-2.0
#include "base/child_wire.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>

namespace handeye::wire {
namespace {

constexpr std::int64_t kPollMsMax = 3'600'000;

} // namespace

bool wait_for(int socket, short events, Deadline deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd ready{socket, events, 0};
        const int n = ::poll(&ready, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, kPollMsMax)));
        if (n > 0 || (n == 0 && left <= kPollMsMax) || (n < 0 && errno != EINTR)) {
            return n > 0;
        }
    }
}

Moved send_all(int socket, std::span<const std::uint8_t> bytes, Deadline deadline) {
    while (!bytes.empty()) {
        if (!wait_for(socket, POLLOUT, deadline)) {
            return Moved::TooLate;
        }
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EINTR && errno != EAGAIN) {
            return Moved::Gone;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    }
    return Moved::All;
}

Moved receive_all(int socket, std::span<std::uint8_t> into, Deadline deadline) {
    while (!into.empty()) {
        if (!wait_for(socket, POLLIN, deadline)) {
            return Moved::TooLate;
        }
        const ssize_t got = ::recv(socket, into.data(), into.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
            return Moved::Gone;
        }
        into = into.subspan(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return Moved::All;
}

} // namespace handeye::wire
