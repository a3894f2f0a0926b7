// SPDX-License-Identifier: Apache-2.0
// What memory this machine, its control groups and this process's limits leave.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace handeye {

struct MemoryLimit {
    std::string name; ///< "MemAvailable", "cgroup /user.slice", "RLIMIT_AS"
    std::int64_t available_bytes = 0; ///< beyond what this process has already
    bool is_address_space = false;    ///< counts what is mapped, not what is resident
};

struct MachineMemory {
    std::int64_t resident_bytes = 0;      ///< of this process
    std::int64_t peak_resident_bytes = 0; ///< of this process (VmHWM)
    std::int64_t address_space_bytes = 0; ///< of this process
    std::vector<MemoryLimit> limits;
};

/// Reads proc/meminfo, proc/self/{status,limits,cgroup} and sys/fs/cgroup, version 1 or 2, below `root`. What a control group
/// can drop at once (files it has read) counts as available. Files that are not there set no limit; proc/self/status must be there.
Result<MachineMemory> read_machine_memory(const std::filesystem::path& root = "/");

} // namespace handeye
