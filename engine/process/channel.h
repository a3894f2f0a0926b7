// SPDX-License-Identifier: Apache-2.0
// Whole packets over a connected stream socket.
#pragma once

#include "engine/process/wire.h"

namespace handeye::wire {

/// Blocks until all is sent. EngineLost when the other end is gone.
Result<void> send_packet(int socket, std::string_view head_json, std::span<const std::span<const std::uint8_t>> body = {});
/// Blocks until one packet is whole. EngineLost at the end of the stream or after the socket's receive timeout.
Result<Packet> receive_packet(int socket, const PacketLimits& limits);

} // namespace handeye::wire
