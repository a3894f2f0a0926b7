// SPDX-License-Identifier: Apache-2.0
// `handeye-vnc`: the connection to one VNC server, where a server that lies reaches nothing.
#include "platforms/vnc_peer.h"

#include <cstdio>
#include <string_view>

#include <sys/resource.h>

namespace {

constexpr int kSocket = 3;
constexpr int kExitUsage = 2;
constexpr rlim_t kMemoryBytesMax = rlim_t{2} << 30U; // a desktop of 64 megapixels takes 0.6 GB twice while it changes its size

bool limit_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // whose own maps are larger
    const rlimit memory{kMemoryBytesMax, kMemoryBytesMax};
    return ::setrlimit(RLIMIT_AS, &memory) == 0;
#else
    return true;
#endif
}

} // namespace

// In place of that limit: a server that asks for so much at once ends the process under a sanitizer, too.
#if defined(__SANITIZE_ADDRESS__)
extern "C" const char* __asan_default_options() { return "max_allocation_size_mb=2048"; }
#elif defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() { return "max_allocation_size_mb=2048"; }
#endif

int main(int argc, char** argv) {
    if (argc != 3 || std::string_view(argv[1]) != "--fd" || std::string_view(argv[2]) != "3") {
        std::fputs("handeye-vnc is started by handeye and handeyed, with its socket. It is of no use by hand.\n", stderr);
        return kExitUsage;
    }
    return handeye::serve_vnc(kSocket, limit_memory);
}
