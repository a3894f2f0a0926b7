// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/failing_disk.h"

#include "base/result.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye::tests {
namespace {

struct State {
    std::mutex mutex; // guards the three below
    std::function<bool(DiskCall, std::uint64_t)> fails;
    std::uint64_t number = 0;
    int error = 0;
    std::atomic<bool> is_armed = false;
    std::atomic<std::uint64_t> failures = 0;
    std::atomic<std::uint64_t> bytes_read = 0;
};

State& state() {
    static State the;
    return the;
}

/// 0: goes through; else the error. `torn`: half of it is done first.
int verdict(DiskCall call, bool* torn = nullptr) {
    State& the = state();
    if (!the.is_armed) {
        return 0;
    }
    const std::lock_guard lock(the.mutex);
    if (!the.fails || !the.fails(call, the.number++)) {
        return 0;
    }
    if (torn != nullptr) {
        *torn = the.failures % 2 == 1;
    }
    ++the.failures;
    return the.error;
}

ssize_t my_pwrite(int fd, const void* bytes, size_t count, off_t offset) {
    bool torn = false;
    if (const int error = verdict(DiskCall::Write, &torn); error != 0) {
        if (torn) {
            (void)!::pwrite(fd, bytes, count / 2, offset);
        }
        errno = error;
        return -1;
    }
    return ::pwrite(fd, bytes, count, offset);
}

ssize_t my_pread(int fd, void* bytes, size_t count, off_t offset) {
    const ssize_t got = ::pread(fd, bytes, count, offset);
    state().bytes_read += got > 0 ? static_cast<std::uint64_t>(got) : 0;
    return got;
}

int my_ftruncate(int fd, off_t size) {
    if (const int error = verdict(DiskCall::Truncate); error != 0) {
        errno = error;
        return -1;
    }
    return ::ftruncate(fd, size);
}

int sync_call(long number, int fd) {
    if (const int error = verdict(DiskCall::Sync); error != 0) {
        errno = error;
        return -1;
    }
    return static_cast<int>(::syscall(number, fd));
}

template <class Function>
void hook(std::initializer_list<const char*> names, Function* function) {
    sqlite3_initialize();
    sqlite3_vfs* const vfs = sqlite3_vfs_find("unix");
    CHECK(vfs != nullptr);
    bool is_hooked = false;
    for (const char* name : names) {
        is_hooked = vfs->xSetSystemCall(vfs, name, reinterpret_cast<sqlite3_syscall_ptr>(function)) == SQLITE_OK || is_hooked;
    }
    CHECK(is_hooked);
}

void hook_writes(bool mine) {
    hook({"pwrite", "pwrite64"}, mine ? &my_pwrite : nullptr);
    hook({"ftruncate"}, mine ? &my_ftruncate : nullptr);
}

} // namespace

FailingDisk::FailingDisk(int error, std::function<bool(DiskCall, std::uint64_t)> fails) {
    State& the = state();
    {
        const std::lock_guard lock(the.mutex);
        CHECK(!the.is_armed);
        the.fails = std::move(fails);
        the.number = 0;
        the.error = error;
        the.failures = 0;
    }
    hook_writes(true);
    the.is_armed = true;
}

FailingDisk::~FailingDisk() {
    state().is_armed = false;
    hook_writes(false);
}

std::uint64_t FailingDisk::failures() { return state().failures; }

ReadMeter::ReadMeter() {
    hook({"pread", "pread64"}, &my_pread);
    state().bytes_read = 0;
}

ReadMeter::~ReadMeter() { hook<ssize_t(int, void*, size_t, off_t)>({"pread", "pread64"}, nullptr); }

std::uint64_t ReadMeter::bytes() { return state().bytes_read; }

} // namespace handeye::tests

// In place of the C library's, for SQLite and for this program; SQLite has no hook for them.
extern "C" int fsync(int fd) { return handeye::tests::sync_call(SYS_fsync, fd); }
extern "C" int fdatasync(int fd) { return handeye::tests::sync_call(SYS_fdatasync, fd); }
