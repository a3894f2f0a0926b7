// SPDX-License-Identifier: Apache-2.0
// `handeye-engine`: the model in a process of its own, without a desktop, a network or a way to start programs.
#include "base/log.h"
#include "engine/engine.h"
#include "engine/engine_worker.h"

#include <charconv>
#include <cstdio>
#include <string_view>

#include <sys/socket.h>

namespace {

constexpr int kExitUsage = 2;
constexpr int kExitSandbox = 4;

bool is_socket(int fd) {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

} // namespace

int main(int argc, char** argv) {
    int fd = -1;
    const bool has_device = argc == 5 && std::string_view(argv[3]) == "--device";
    if ((argc == 3 || has_device) && std::string_view(argv[1]) == "--fd") {
        const std::string_view number = argv[2];
        std::from_chars(number.data(), number.data() + number.size(), fd);
    }
    if (fd < 0 || !is_socket(fd)) {
        std::fputs("handeye-engine is started by handeyed, with its socket. It is of no use by hand.\n", stderr);
        return kExitUsage;
    }
    // The driver of a card wants what the sandbox takes away, to begin with, and may take longer than a worker may be silent.
    auto device = [&] {
        const handeye::SignsOfLife beats(fd);
        return handeye::open_device(has_device ? argv[4] : "cpu");
    }();
    // Before the first file is opened: model files may come from anywhere.
    if (const auto inside = handeye::enter_engine_sandbox(device && *device ? handeye::DriverFiles::Nvidia : handeye::DriverFiles::None); !inside) {
        handeye::log::error("engine", inside.error().message);
        return kExitSandbox;
    }
    handeye::serve_engine(fd, [&device](handeye::EngineOptions options) -> handeye::Result<std::unique_ptr<handeye::ChatModel>> {
        if (!device) {
            return device.error();
        }
        options.opened_device = *device;
        return handeye::open_engine(options);
    });
}
