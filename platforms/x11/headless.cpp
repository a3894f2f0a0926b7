// SPDX-License-Identifier: Apache-2.0
// Starts Xvfb with -displayfd, so that the server itself picks a free number, then openbox with a configuration of our own.
#include "platforms/x11/headless.h"

#include "base/hash.h"
#include "base/log.h"
#include "platforms/x11/client_sync.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdlib>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr Duration kServerPatience = std::chrono::seconds(15);
constexpr Duration kManagerPatience = std::chrono::seconds(15);
constexpr Duration kManagerLook = std::chrono::milliseconds(5);
constexpr Duration kManagerAnswer = std::chrono::milliseconds(50);
constexpr std::string_view kFolderPrefix = "handeye-x11-";
constexpr int kSideMin = 64;
constexpr int kSideMax = 16'384;
constexpr std::size_t kCookieBytes = 16;

// No key bindings: every chord belongs to the application. New windows get the focus; a click raises and focuses.
constexpr std::string_view kOpenboxConfig = R"(<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse><raiseOnFocus>yes</raiseOnFocus></focus>
  <placement><policy>Smart</policy><center>yes</center></placement>
  <theme><name>Clearlooks</name><titleLayout>NLIMC</titleLayout><animateIconify>no</animateIconify></theme>
  <desktops><number>1</number></desktops>
  <keyboard><rebindOnMappingNotify>no</rebindOnMappingNotify></keyboard>
  <mouse>
    <dragThreshold>4</dragThreshold>
    <context name="Frame"><mousebind button="A-Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
    <context name="Client">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Middle" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Right" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
    </context>
    <context name="Titlebar">
      <mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
      <mousebind button="Left" action="Drag"><action name="Move"/></mousebind>
      <mousebind button="Left" action="DoubleClick"><action name="ToggleMaximize"/></mousebind>
    </context>
    <context name="Close"><mousebind button="Left" action="Click"><action name="Close"/></mousebind></context>
    <context name="Maximize"><mousebind button="Left" action="Click"><action name="ToggleMaximize"/></mousebind></context>
    <context name="Iconify"><mousebind button="Left" action="Click"><action name="Iconify"/></mousebind></context>
    <context name="BRCorner"><mousebind button="Left" action="Drag"><action name="Resize"/></mousebind></context>
  </mouse>
  <menu/>
</openbox_config>
)";

void append_counted(std::string& out, std::string_view bytes) {
    out += static_cast<char>(bytes.size() >> 8U);
    out += static_cast<char>(bytes.size() & 0xffU);
    out += bytes;
}

/// Reads the display number that the server writes once it listens.
Result<std::string> read_display_number(int fd, const GuardedChild& server, Clock& clock) {
    const TimePoint deadline = clock.now() + kServerPatience;
    std::string digits;
    while (clock.now() < deadline) {
        pollfd ready{fd, POLLIN, 0};
        bool is_over = false;
        if (poll(&ready, 1, 20) > 0) {
            char c = 0;
            ssize_t got = 0;
            while ((got = read(fd, &c, 1)) == 1) {
                if (c == '\n') {
                    return digits;
                }
                digits += c;
            }
            is_over = got == 0; // it closed its end without a number
        }
        if (is_over || server.has_ended()) {
            return Error{ErrorCode::Unavailable, "Xvfb ended at once: see `Xvfb :99` for its reason"};
        }
    }
    return Error{ErrorCode::DeadlineExceeded, "Xvfb did not come up within 15 s"};
}

Result<OwnedFolder> make_folder() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    std::error_code error;
    const bool has_runtime = runtime != nullptr && std::filesystem::is_directory(runtime, error);
    return make_owned_folder(has_runtime ? runtime : "/tmp", kFolderPrefix);
}

} // namespace

Result<std::unique_ptr<HeadlessDisplay>> HeadlessDisplay::start(const HeadlessOptions& options, Clock& clock) {
    const Size size = options.size;
    if (std::min(size.width_px, size.height_px) < kSideMin || std::max(size.width_px, size.height_px) > kSideMax) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a headless display of {}x{} is outside {}x{} to {}x{}", size.width_px,
                                 size.height_px, kSideMin, kSideMin, kSideMax, kSideMax)};
    }
    std::unique_ptr<HeadlessDisplay> display(new HeadlessDisplay);
    display->folder_ = TRY(make_folder());
    TRY(display->start_server(size, clock));
    display->settings_ = TRY(DesktopSettings::announce(display->address_));
    display->start_bus(clock);
    if (options.with_window_manager) {
        TRY(display->start_window_manager(clock));
    }
    return display;
}

HeadlessDisplay::~HeadlessDisplay() {
    manager_sync_.reset();
    window_manager_.reset();
    bus_.reset();
    settings_.reset();
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_.path, ignored);
}

Environment HeadlessDisplay::environment() const {
    Environment environment = {{"DISPLAY", address_.name}, {"XAUTHORITY", authority_file().string()}};
    if (bus_ != nullptr) {
        const Environment of_bus = bus_->environment();
        environment.insert(environment.end(), of_bus.begin(), of_bus.end());
    }
    return environment;
}

// One entry of the Xauthority format: family (0xffff: any host), address, display number, method, data; counts are big-endian.
Result<void> HeadlessDisplay::write_authority(std::string_view display_number) const {
    std::string entry = "\xff\xff";
    append_counted(entry, "");
    append_counted(entry, display_number);
    append_counted(entry, "MIT-MAGIC-COOKIE-1");
    append_counted(entry, {reinterpret_cast<const char*>(address_.cookie.data()), address_.cookie.size()});
    return write_file_atomic(authority_file(), entry, 0600);
}

Result<void> HeadlessDisplay::start_server(Size size, Clock& clock) {
    const auto program = find_program("Xvfb");
    if (!program) {
        return Error{ErrorCode::Unavailable, "--headless needs Xvfb: apt-get install xvfb"};
    }
    const std::string hex = TRY(random_hex(kCookieBytes));
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        address_.cookie.push_back(static_cast<std::uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    }
    TRY(write_authority("")); // the server takes the cookie whatever the number says
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return Error{ErrorCode::IoFailed, "no pipe for the display number"};
    }
    const FileDescriptor from_server(ends[0]);
    FileDescriptor to_us(ends[1]);
    fcntl(from_server.get(), F_SETFL, O_NONBLOCK);
    server_ = TRY(GuardedChild::start({*program, "-displayfd", std::to_string(to_us.get()), "-screen", "0",
                                       fmt::format("{}x{}x24", size.width_px, size.height_px), "-nolisten",
                                       "tcp", "-noreset", "-dpi", "96", "-auth", authority_file().string()},
                                      merged_environment({}), to_us.get()));
    to_us = FileDescriptor();
    const std::string number = TRY(read_display_number(from_server.get(), *server_, clock));
    address_.name = ":" + number;
    return write_authority(number);
}

void HeadlessDisplay::start_bus(Clock& clock) {
    auto bus = HeadlessBus::start(folder_.path, address_, environment(), clock);
    if (bus) {
        bus_ = std::move(*bus);
    } else if (bus.error().code != ErrorCode::NotFound) { // that one `handeye platforms` tells
        log::warn("x11", "no accessibility on the headless display: " + bus.error().message);
    }
}

Result<void> HeadlessDisplay::start_window_manager(Clock& clock) {
    const auto program = find_program("openbox");
    if (!program) {
        return Error{ErrorCode::Unavailable, "--headless needs a window manager: apt-get install openbox"};
    }
    const auto config = folder_.path / "openbox.xml";
    TRY(write_file_atomic(config, kOpenboxConfig));
    const auto connection = TRY(Connection::open(address_));
    window_manager_ = TRY(GuardedChild::start({*program, "--sm-disable", "--config-file", config.string()},
                                              merged_environment(environment()), -1));
    const Atom running = connection->atom("_NET_SUPPORTING_WM_CHECK");
    const TimePoint deadline = clock.now() + kManagerPatience;
    while (read_property(*connection, connection->root(), running).values.empty()) {
        TRY(connection->check("starting openbox"));
        if (window_manager_->has_ended() || clock.now() >= deadline) {
            return Error{ErrorCode::Unavailable, "openbox did not start on the headless display within 15 s"};
        }
        clock.sleep_for(kManagerLook, {});
    }
    // It announces itself before it reads events, and a window that is shown in between is never managed: wait for an answer.
    manager_sync_ = TRY(ClientSync::open(address_, clock));
    bool has_answered = false;
    while (!has_answered && clock.now() < deadline) {
        has_answered = TRY(manager_sync_->wait_for_manager(clock.now() + kManagerAnswer, {}));
    }
    if (!has_answered) {
        return Error{ErrorCode::DeadlineExceeded, "openbox did not answer within 15 s"};
    }
    return {};
}

} // namespace handeye::x11
