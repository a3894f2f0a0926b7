// SPDX-License-Identifier: Apache-2.0
#include "apps/worker_sandbox.h"

#include <array>

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace handeye {
namespace {

// All that decoding and reading call once they are warm. Everything else kills.
constexpr std::array kAllowed{"read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg", "poll", "ppoll", "close", "brk", "mmap", "munmap", "mremap",
                              "madvise", "mprotect", "futex", "memfd_create", "clock_gettime", "gettimeofday", "clock_nanosleep", "sched_yield",
                              "sched_getaffinity", "getpid", "gettid", "getrandom", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
                              "pipe", "pipe2", // how a sanitizer asks whether memory is there
#endif
                              "exit_group", "restart_syscall", "fstat", "newfstatat", "lseek", "tgkill", "rt_sigaction"};

bool limit_resources([[maybe_unused]] rlim_t memory_bytes_max) {
    const rlimit none{0, 0};
    bool is_done = ::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // whose own maps are larger
    const rlimit memory{memory_bytes_max, memory_bytes_max};
    is_done = is_done && ::setrlimit(RLIMIT_AS, &memory) == 0;
#endif
    return is_done;
}

} // namespace

bool enter_worker_sandbox(std::uint64_t memory_bytes_max) {
    if (!limit_resources(memory_bytes_max)) {
        return false;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int failed = filter == nullptr ? 1 : 0;
    for (const char* const name : kAllowed) {
        if (const int number = seccomp_syscall_resolve_name(name); failed == 0 && number != __NR_SCMP_ERROR) {
            failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
        }
    }
    failed = failed == 0 ? seccomp_load(filter) : failed;
    seccomp_release(filter);
    return failed == 0;
}

} // namespace handeye
