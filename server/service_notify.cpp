// SPDX-License-Identifier: Apache-2.0
#include "server/service_notify.h"

#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

std::optional<std::int64_t> number_in(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, problem] = std::from_chars(text, end, value);
    return problem == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

} // namespace

ServiceNotify ServiceNotify::from_environment() {
    const char* const socket = std::getenv("NOTIFY_SOCKET");
    return ServiceNotify(socket != nullptr ? socket : "");
}

Result<void> ServiceNotify::send(std::string_view lines) const {
    if (socket_.empty()) {
        return {};
    }
    sockaddr_un address{};
    if (socket_.size() >= sizeof(address.sun_path)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("NOTIFY_SOCKET has {} bytes", socket_.size())};
    }
    address.sun_family = AF_UNIX;
    std::copy(socket_.begin(), socket_.end(), address.sun_path);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0'; // the abstract namespace
    }
    const FileDescriptor out(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    if (!out.is_open() || ::sendto(out.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                                   reinterpret_cast<const sockaddr*>(&address), length) < 0) {
        return Error{ErrorCode::Unavailable, fmt::format("cannot notify {}: {}", socket_, std::strerror(errno))};
    }
    return {};
}

std::optional<Duration> watchdog_interval() {
    const auto period_us = number_in("WATCHDOG_USEC");
    const auto pid = number_in("WATCHDOG_PID");
    if (!period_us || *period_us <= 0 || (pid && *pid != ::getpid())) {
        return std::nullopt;
    }
    return std::chrono::microseconds(*period_us) / 2;
}

} // namespace handeye
