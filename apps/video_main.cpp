// SPDX-License-Identifier: Apache-2.0
// `handeye-video`: one film from outside, decoded where a broken decoder reaches nothing.
#include "apps/worker_sandbox.h"
#include "media/film_decoder.h"

#include <cstdint>
#include <cstdio>
#include <string_view>

namespace {

constexpr int kSocket = 3;
constexpr int kExitUsage = 2;
constexpr int kExitSandbox = 4;
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{2} << 30U; // an 8K film and the frames that its decoder refers to

} // namespace

int main(int argc, char** argv) {
    if (argc != 3 || std::string_view(argv[1]) != "--fd" || std::string_view(argv[2]) != "3") {
        std::fputs("handeye-video is started by handeye, with its socket. It is of no use by hand.\n", stderr);
        return kExitUsage;
    }
    handeye::warm_up_film_decoder();
    if (!handeye::enter_worker_sandbox(kMemoryBytesMax)) {
        std::fputs("handeye-video: its sandbox could not be entered\n", stderr);
        return kExitSandbox;
    }
    return handeye::serve_film(kSocket);
}
