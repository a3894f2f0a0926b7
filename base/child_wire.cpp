// SPDX-License-Identifier: Apache-2.0
#include "base/child_wire.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

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

Moved send_with_descriptor(int socket, std::span<const std::uint8_t> bytes, int descriptor) {
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()}; // sendmsg() only reads
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const note = CMSG_FIRSTHDR(&message);
        note->cmsg_level = SOL_SOCKET;
        note->cmsg_type = SCM_RIGHTS;
        note->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(note), &descriptor, sizeof descriptor);
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()) ? Moved::All : Moved::Gone;
}

Moved receive_with_descriptor(int socket, std::span<std::uint8_t> into, FileDescriptor& descriptor, Deadline deadline) {
    descriptor = {};
    if (!wait_for(socket, POLLIN, deadline)) {
        return Moved::TooLate;
    }
    iovec part{into.data(), into.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (const cmsghdr* const note = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr; note != nullptr && note->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(note), sizeof fd);
        descriptor = FileDescriptor(fd);
    }
    return got == static_cast<ssize_t>(into.size()) ? Moved::All : Moved::Gone;
}

} // namespace handeye::wire
