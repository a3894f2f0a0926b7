// SPDX-License-Identifier: Apache-2.0
// The sandbox of the programs that look at what strangers made: read, write and memory, nothing else.
#pragma once

#include <cstdint>

namespace handeye {

/// From now on any other system call kills this process, which has at most `memory_bytes_max` of address space, leaves no core and
/// gains no privileges. False: it could not be entered. Warm up before: libraries open files at first use.
bool enter_worker_sandbox(std::uint64_t memory_bytes_max);

} // namespace handeye
