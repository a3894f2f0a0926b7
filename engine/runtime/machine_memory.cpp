// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/machine_memory.h"

#include "base/file.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTextMax = 1U << 20U;
constexpr std::int64_t kNoLimit = std::int64_t{1} << 62U; // version 1 writes the largest number of pages for "none"
constexpr int kGroupsMax = 64;                            // of a path

// These files say that they are empty, so their length is not asked for.
std::optional<std::string> read_text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return std::nullopt;
    }
    std::string text(kTextMax, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

std::optional<std::int64_t> number_in(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    std::int64_t value = 0;
    if (begin == text.npos || std::from_chars(text.data() + begin, text.data() + text.size(), value).ec != std::errc()) {
        return std::nullopt;
    }
    return value;
}

// The number after `key` at the start of a line.
std::optional<std::int64_t> value_of(const std::string& text, std::string_view key) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key)) {
            return number_in(std::string_view(line).substr(key.size()));
        }
    }
    return std::nullopt;
}

std::int64_t kilobytes(const std::string& text, std::string_view key) { return value_of(text, key).value_or(0) * 1024; }

struct GroupFiles {
    const char* folder;
    const char* limit;
    const char* usage;
    const char* inactive; // files that were read and are not mapped by anybody's recent work
    const char* active;
};
constexpr GroupFiles kVersion2 = {"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ", "active_file "};
constexpr GroupFiles kVersion1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ", "total_active_file "};

// One control group's limit; nothing when it has none.
void add_group(const fs::path& dir, const std::string& name, const GroupFiles& files, MachineMemory& memory) {
    const auto limit_text = read_text(dir / files.limit);
    const auto usage_text = read_text(dir / files.usage);
    if (!limit_text || !usage_text) {
        return;
    }
    const auto limit = number_in(*limit_text); // "max" is none
    const auto usage = number_in(*usage_text);
    if (!limit || !usage || *limit >= kNoLimit) {
        return;
    }
    const std::string stat = read_text(dir / "memory.stat").value_or("");
    const std::int64_t droppable = value_of(stat, files.inactive).value_or(0) + value_of(stat, files.active).value_or(0);
    memory.limits.push_back({.name = "cgroup " + name, .available_bytes = std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *usage - droppable))});
}

// The group and all above it. Inside a container the path may be the host's and not exist; then only its root counts.
void add_groups(const fs::path& root, const std::string& path, const GroupFiles& files, MachineMemory& memory) {
    fs::path group = fs::path(path).lexically_normal();
    for (int i = 0; i < kGroupsMax; ++i) {
        const fs::path relative = group.relative_path();
        add_group(root / files.folder / relative, group.string(), files, memory);
        if (relative.empty() || relative == ".") {
            return;
        }
        group = group.parent_path();
    }
}

void add_control_groups(const fs::path& root, MachineMemory& memory) {
    std::istringstream lines(read_text(root / "proc/self/cgroup").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
        if (second == line.npos || line.find("..") != line.npos) {
            continue;
        }
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        if (controllers == ",,") {
            add_groups(root, line.substr(second + 1), kVersion2, memory);
        } else if (controllers.find(",memory,") != controllers.npos) {
            add_groups(root, line.substr(second + 1), kVersion1, memory);
        }
    }
}

} // namespace

Result<MachineMemory> read_machine_memory(const fs::path& root) {
    const auto status = read_text(root / "proc/self/status");
    if (!status) {
        return Error{ErrorCode::IoFailed, fmt::format("cannot read {}", (root / "proc/self/status").string())};
    }
    MachineMemory memory;
    memory.resident_bytes = kilobytes(*status, "VmRSS:");
    memory.peak_resident_bytes = kilobytes(*status, "VmHWM:");
    memory.address_space_bytes = kilobytes(*status, "VmSize:");
    if (const auto info = read_text(root / "proc/meminfo"); info && value_of(*info, "MemAvailable:")) {
        memory.limits.push_back({.name = "MemAvailable", .available_bytes = kilobytes(*info, "MemAvailable:")});
    }
    add_control_groups(root, memory);
    const std::string limits = read_text(root / "proc/self/limits").value_or("");
    if (const auto most = value_of(limits, "Max address space")) { // else "unlimited"
        memory.limits.push_back({.name = "RLIMIT_AS", .available_bytes = std::max<std::int64_t>(0, *most - memory.address_space_bytes), .is_address_space = true});
    }
    return memory;
}

} // namespace handeye
