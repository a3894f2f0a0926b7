// SPDX-License-Identifier: Apache-2.0
// Recordings for tests: small ones with known content, and one whose writer is killed.
#pragma once

#include "agent/recorder.h"

#include <chrono>
#include <cstdint>
#include <filesystem>

namespace handeye::tests {

/// A folder that removes itself.
class TempDir {
public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Event number `index` with a blob of `blob_bytes` bytes that no other event has; the same at each call.
SessionEvent make_event(int index, std::size_t blob_bytes = 300);

enum class Ending { Sealed, Left };
/// Session "S" with make_event(1..count).
std::filesystem::path record_sample(const std::filesystem::path& path, int count, Ending ending = Ending::Sealed);

/// Starts `program FILE`, kills it with SIGKILL after `delay`, and returns the last number it printed (0: none).
std::uint64_t run_and_kill(const std::filesystem::path& program, const std::filesystem::path& file, std::chrono::microseconds delay);

} // namespace handeye::tests
