// SPDX-License-Identifier: Apache-2.0
// `handeye-decoder`: pictures that come from outside, decoded where a broken decoder reaches nothing.
#include "base/picture_decoder.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace {

constexpr int kSocket = 3;
constexpr int kExitUsage = 2;
constexpr int kExitSandbox = 4;
constexpr rlim_t kMemoryBytesMax = rlim_t{2} << 30U; // a picture of 64 megapixels takes 0.6 GB on its way

// All that decoding calls once it is warm. Everything else kills.
constexpr std::array kAllowed{"read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg", "poll", "ppoll", "close", "brk", "mmap", "munmap", "mremap",
                              "madvise", "mprotect", "futex", "memfd_create", "clock_gettime", "gettimeofday", "clock_nanosleep", "sched_yield",
                              "sched_getaffinity", "getpid", "gettid", "getrandom", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "exit",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
                              "pipe", "pipe2", // how a sanitizer asks whether memory is there
#endif
                              "exit_group", "restart_syscall", "fstat", "newfstatat", "lseek", "tgkill", "rt_sigaction"};

bool limit_resources() {
    const rlimit none{0, 0};
    bool is_done = ::setrlimit(RLIMIT_CORE, &none) == 0 && ::prctl(PR_SET_DUMPABLE, 0) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // whose own maps are larger
    const rlimit memory{kMemoryBytesMax, kMemoryBytesMax};
    is_done = is_done && ::setrlimit(RLIMIT_AS, &memory) == 0;
#endif
    return is_done;
}

bool enter_sandbox() {
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

/// One picture of each kind: what the libraries open, ask and start at first use is behind them.
void warm_up() {
    constexpr int kSidePx = 1024; // large enough for the work to be shared out, for which OpenCV looks for libraries
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kSidePx) * kSidePx * 3, 127);
    const auto image = handeye::Image::from_pixels({kSidePx, kSidePx}, handeye::PixelFormat::Rgb, pixels);
    const auto png = handeye::encode_png(*image);
    const auto jpeg = handeye::encode_jpeg(*image);
    static_cast<void>(handeye::decode_image(*png));
    static_cast<void>(handeye::decode_image(*jpeg));
    static_cast<void>(handeye::decode_image(std::array<std::uint8_t, 4>{'B', 'M', 0, 0}));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3 || std::string_view(argv[1]) != "--fd" || std::string_view(argv[2]) != "3") {
        std::fputs("handeye-decoder is started by handeyed, with its socket. It is of no use by hand.\n", stderr);
        return kExitUsage;
    }
    ::setenv("OPENCV_FOR_THREADS_NUM", "1", 1); // a thread later on would be a call that kills
    warm_up();
    if (!limit_resources() || !enter_sandbox()) {
        std::fputs("handeye-decoder: its sandbox could not be entered\n", stderr);
        return kExitSandbox;
    }
    return handeye::serve_pictures(kSocket);
}
