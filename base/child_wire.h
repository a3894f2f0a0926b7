// SPDX-License-Identifier: Apache-2.0
// Whole messages to and from a child process over its socket, each by a deadline: the child may be slow, gone, or taken over.
#pragma once

#include "base/file.h"

#include <chrono>
#include <cstdint>
#include <span>

namespace handeye::wire {

using Deadline = std::chrono::steady_clock::time_point;

enum class Moved { All, Gone, TooLate };

/// False: nothing to do there by the deadline. `events` as for poll(2).
bool wait_for(int socket, short events, Deadline deadline);
Moved send_all(int socket, std::span<const std::uint8_t> bytes, Deadline deadline);
Moved receive_all(int socket, std::span<std::uint8_t> into, Deadline deadline);

/// One message of these bytes, with a copy of `descriptor` where that is not -1: at once, or the other side is gone.
Moved send_with_descriptor(int socket, std::span<const std::uint8_t> bytes, int descriptor);
/// The same, received: the message has exactly these bytes. `descriptor` is closed where none came.
Moved receive_with_descriptor(int socket, std::span<std::uint8_t> into, FileDescriptor& descriptor, Deadline deadline);

/// The bytes of a plain struct: both ends are of one build.
template <class T>
std::span<std::uint8_t> bytes_of(T& value) { return {reinterpret_cast<std::uint8_t*>(&value), sizeof value}; }

} // namespace handeye::wire
