// SPDX-License-Identifier: Apache-2.0
// A disk that says no: system calls of SQLite (through its own hook) and fsync of the whole program fail as they are told to.
#pragma once

#include <cstdint>
#include <functional>

namespace handeye::tests {

enum class DiskCall { Write, Truncate, Sync };

/// One at a time. While it lives, each call that `fails` says so of returns -1 with `error`, and half of the failing writes have
/// written half of their bytes before. Restores everything at its end.
class FailingDisk {
public:
    /// `fails` gets the kind of the call and its number among all of them, from 0; any thread of the test.
    FailingDisk(int error, std::function<bool(DiskCall call, std::uint64_t number)> fails);
    ~FailingDisk();
    FailingDisk(const FailingDisk&) = delete;
    FailingDisk& operator=(const FailingDisk&) = delete;

    [[nodiscard]] static std::uint64_t failures();
};

/// Counts what SQLite reads from files while it lives. One at a time.
class ReadMeter {
public:
    ReadMeter();
    ~ReadMeter();
    ReadMeter(const ReadMeter&) = delete;
    ReadMeter& operator=(const ReadMeter&) = delete;
    [[nodiscard]] static std::uint64_t bytes();
};

} // namespace handeye::tests
