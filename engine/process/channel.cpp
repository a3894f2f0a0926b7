// SPDX-License-Identifier: Apache-2.0
#include "engine/process/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>

namespace handeye::wire {
namespace {

constexpr std::size_t kChunkBytes = 1U << 20U; // memory grows with what came, not with what was announced

Result<void> send_all(int socket, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return Error{ErrorCode::EngineLost, fmt::format("the engine process does not listen: {}", std::strerror(errno))};
        }
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<void> receive_all(int socket, std::span<std::uint8_t> into) {
    while (!into.empty()) {
        const ssize_t got = ::recv(socket, into.data(), into.size(), 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return Error{ErrorCode::EngineLost, got == 0 ? std::string("the other process is gone")
                                                         : fmt::format("the other process says no more: {}", std::strerror(errno))};
        }
        into = into.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

template <class Bytes>
Result<void> receive_grown(int socket, std::size_t wanted, Bytes& into) {
    while (into.size() < wanted) {
        const std::size_t have = into.size();
        into.resize(have + std::min(kChunkBytes, wanted - have));
        TRY(receive_all(socket, {reinterpret_cast<std::uint8_t*>(into.data()) + have, into.size() - have}));
    }
    return {};
}

} // namespace

Result<void> send_packet(int socket, std::string_view head_json, std::span<const std::span<const std::uint8_t>> body) {
    PacketSizes sizes{.head_bytes = head_json.size()};
    for (const auto part : body) {
        sizes.body_bytes += part.size();
    }
    const PacketLimits limits;
    if (sizes.head_bytes > limits.head_bytes_max || sizes.body_bytes > limits.body_bytes_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("a request of {} bytes of text and {} bytes of pictures; at most {} and {} go to the engine",
                                 sizes.head_bytes, sizes.body_bytes, limits.head_bytes_max, limits.body_bytes_max)};
    }
    const Prefix prefix = write_prefix(sizes);
    TRY(send_all(socket, prefix));
    TRY(send_all(socket, {reinterpret_cast<const std::uint8_t*>(head_json.data()), head_json.size()}));
    for (const auto part : body) {
        TRY(send_all(socket, part));
    }
    return {};
}

Result<Packet> receive_packet(int socket, const PacketLimits& limits) {
    Prefix prefix{};
    TRY(receive_all(socket, prefix));
    const PacketSizes sizes = TRY(read_prefix(prefix, limits));
    Packet packet;
    TRY(receive_grown(socket, sizes.head_bytes, packet.head_json));
    TRY(receive_grown(socket, sizes.body_bytes, packet.body));
    return packet;
}

} // namespace handeye::wire
