// SPDX-License-Identifier: Apache-2.0
// `handeye-reader`: text on a screen, read where pixels that break the reader reach nothing.
#include "agent/text_reader.h"
#include "apps/worker_sandbox.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace {

constexpr int kSocket = 3;
constexpr int kExitUsage = 2;
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{1} << 30U;

} // namespace

int main(int argc, char** argv) {
    if (argc != 3 || std::string_view(argv[1]) != "--fd" || std::string_view(argv[2]) != "3") {
        std::fputs("handeye-reader is started by handeye and handeyed, with its socket. It is of no use by hand.\n", stderr);
        return kExitUsage;
    }
    // Debian's Tesseract starts OpenMP threads, a call that would kill later on; their limit is read before main() and nowhere else.
    if (const char* const limit = std::getenv("OMP_THREAD_LIMIT"); limit == nullptr || std::string_view(limit) != "1") {
        ::setenv("OMP_THREAD_LIMIT", "1", 1);
        ::execv("/proc/self/exe", argv);
        std::perror("handeye-reader: /proc/self/exe");
        return kExitUsage;
    }
    return handeye::serve_reading(kSocket, [] { return handeye::enter_worker_sandbox(kMemoryBytesMax); });
}
