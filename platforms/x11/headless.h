// SPDX-License-Identifier: Apache-2.0
// A display of our own: an Xvfb with a private cookie, a small window manager and a message bus, all gone when this object is, or this process.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "base/geometry.h"
#include "platforms/guarded_child.h"
#include "platforms/owned_folder.h"
#include "platforms/x11/client_sync.h"
#include "platforms/x11/connection.h"
#include "platforms/x11/desktop_settings.h"
#include "platforms/x11/headless_bus.h"
#include "platforms/x11/launch.h"

#include <filesystem>
#include <memory>

namespace handeye::x11 {

struct HeadlessOptions {
    Size size{1280, 800};
    bool with_window_manager = true;
};

class HeadlessDisplay {
public:
    /// Returns when the display answers and the window manager runs. Unavailable names the missing package; InvalidArgument for
    /// sizes outside 64x64 to 16384x16384.
    static Result<std::unique_ptr<HeadlessDisplay>> start(const HeadlessOptions& options, Clock& clock);
    ~HeadlessDisplay();
    HeadlessDisplay(const HeadlessDisplay&) = delete;
    HeadlessDisplay& operator=(const HeadlessDisplay&) = delete;

    [[nodiscard]] const DisplayAddress& address() const { return address_; }
    /// Holds the cookie for other programs: their XAUTHORITY.
    [[nodiscard]] std::filesystem::path authority_file() const { return folder_.path / "Xauthority"; }
    /// What a program needs to find this display, and its bus where there is one.
    [[nodiscard]] Environment environment() const;
    [[nodiscard]] int server_pid() const { return server_->pid(); }
    /// Without at-spi2-core there is none, and programs on this display tell nothing of what they show.
    [[nodiscard]] bool has_bus() const { return bus_ != nullptr; }

private:
    HeadlessDisplay() = default;
    Result<void> start_server(Size size, Clock& clock);
    void start_bus(Clock& clock);
    Result<void> start_window_manager(Clock& clock);
    Result<void> write_authority(std::string_view display_number) const;

    OwnedFolder folder_;
    DisplayAddress address_;
    std::unique_ptr<GuardedChild> server_;
    std::unique_ptr<HeadlessBus> bus_;
    std::unique_ptr<DesktopSettings> settings_;
    std::unique_ptr<GuardedChild> window_manager_;
    /// Stays open while the display lives: its window's id would otherwise be given to a program's first window, while questions
    /// about the old one may still wait in the window manager.
    std::unique_ptr<ClientSync> manager_sync_;
};

} // namespace handeye::x11
