// SPDX-License-Identifier: Apache-2.0
// A dbus-daemon with the configuration of at-spi2-core, which starts AT-SPI's registry when the first program asks for it.
#include "platforms/x11/headless_bus.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cctype>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr const char* kConfiguration = "/usr/share/defaults/at-spi2/accessibility.conf";
constexpr Duration kPatience = std::chrono::seconds(10);

/// D-Bus addresses take few characters as they are.
std::string escaped(const std::string& path) {
    std::string out;
    for (const char c : path) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_/.").find(c) != std::string_view::npos;
        out += is_plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
    return out;
}

/// Its first line says that it listens.
Result<void> wait_for_line(int fd, const GuardedChild& daemon, Clock& clock) {
    const TimePoint deadline = clock.now() + kPatience;
    while (clock.now() < deadline) {
        pollfd ready{fd, POLLIN, 0};
        char piece[256];
        if (poll(&ready, 1, 20) > 0) {
            const ssize_t got = read(fd, piece, sizeof piece);
            if (got > 0 && std::string_view(piece, static_cast<std::size_t>(got)).find('\n') != std::string_view::npos) {
                return {};
            }
            if (got == 0) {
                break;
            }
        }
        if (daemon.has_ended()) {
            break;
        }
    }
    return Error{ErrorCode::Unavailable, fmt::format("dbus-daemon with {} did not come up", kConfiguration)};
}

} // namespace

Result<std::unique_ptr<HeadlessBus>> HeadlessBus::start(const std::filesystem::path& folder, const DisplayAddress& display,
                                                        const Environment& display_environment, Clock& clock) {
    const std::string program = TRY(find_program("dbus-daemon"));
    if (access(kConfiguration, R_OK) != 0) {
        return Error{ErrorCode::NotFound, fmt::format("no {}: apt-get install at-spi2-core", kConfiguration)};
    }
    std::unique_ptr<HeadlessBus> bus(new HeadlessBus);
    bus->address_ = "unix:path=" + escaped((folder / "bus").string());
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return Error{ErrorCode::IoFailed, "no pipe for the bus"};
    }
    const FileDescriptor from_daemon(ends[0]);
    FileDescriptor to_us(ends[1]);
    Environment environment = bus->environment(); // the registry is started with it
    environment.insert(environment.end(), display_environment.begin(), display_environment.end());
    bus->daemon_ = TRY(GuardedChild::start({program, "--nofork", "--nopidfile", "--nosyslog", fmt::format("--config-file={}", kConfiguration),
                                            "--address=" + bus->address_, fmt::format("--print-address={}", to_us.get())},
                                           merged_environment(environment), to_us.get()));
    to_us = FileDescriptor();
    TRY(wait_for_line(from_daemon.get(), *bus->daemon_, clock));
    const auto connection = TRY(Connection::open(display));
    XChangeProperty(connection->get(), connection->root(), connection->atom("AT_SPI_BUS"), XA_STRING, 8, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(bus->address_.data()), static_cast<int>(bus->address_.size()));
    TRY(connection->sync("telling of the accessibility bus"));
    return bus;
}

// Chromium looks for the bus only where a variable, or the session's settings, say that somebody reads.
Environment HeadlessBus::environment() const { return {{"ACCESSIBILITY_ENABLED", "1"}, {"AT_SPI_BUS_ADDRESS", address_}, {"DBUS_SESSION_BUS_ADDRESS", address_}}; }

} // namespace handeye::x11
