// SPDX-License-Identifier: Apache-2.0
// `handeye-decoder`: pictures that come from outside, decoded where a broken decoder reaches nothing.
#include "apps/worker_sandbox.h"
#include "base/picture_decoder.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

constexpr int kSocket = 3;
constexpr int kExitUsage = 2;
constexpr int kExitSandbox = 4;
constexpr std::uint64_t kMemoryBytesMax = std::uint64_t{2} << 30U; // a picture of 64 megapixels takes 0.6 GB on its way

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
    if (!handeye::enter_worker_sandbox(kMemoryBytesMax)) {
        std::fputs("handeye-decoder: its sandbox could not be entered\n", stderr);
        return kExitSandbox;
    }
    return handeye::serve_pictures(kSocket);
}
