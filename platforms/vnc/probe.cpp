// SPDX-License-Identifier: Apache-2.0
// A probe window on the display behind the server, where that is an X display of this machine.
#include "platforms/probe.h"

#include "platforms/vnc/platform.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

namespace handeye::vnc {
namespace {

constexpr Duration kShownPatience = std::chrono::seconds(5);
constexpr int kFirstPort = 5900, kDisplayMax = 99;

/// The display's own window, seen and touched over VNC.
class BorrowedProbe final : public ProbeWindow {
public:
    BorrowedProbe(std::unique_ptr<Platform> desktop, std::unique_ptr<ProbeWindow> window) : desktop_(std::move(desktop)), window_(std::move(window)) {}
    Rect area() const override { return window_->area(); }
    std::array<std::uint8_t, 3> background_rgb() const override { return window_->background_rgb(); }
    std::optional<Point> wait_click(Duration timeout) override { return window_->wait_click(timeout); }
    Result<void> take_focus() override { return window_->take_focus(); }
    std::string wait_text(std::string_view expected, Duration timeout) override { return window_->wait_text(expected, timeout); }

private:
    std::unique_ptr<Platform> desktop_;
    std::unique_ptr<ProbeWindow> window_; // gone before it
};

/// Xvnc's display has the number of its port; x11vnc may show any, most likely the one of this environment.
std::vector<std::string> displays_near(const Address& address) {
    std::vector<std::string> displays;
    if (address.unix_path.empty() && address.port >= kFirstPort && address.port <= kFirstPort + kDisplayMax) {
        displays.push_back(fmt::format(":{}", address.port - kFirstPort));
    }
    if (const char* const own = std::getenv("DISPLAY"); own != nullptr && own[0] != '\0') {
        displays.emplace_back(own);
    }
    return displays;
}

bool shows(Platform& screen, const ProbeWindow& window) {
    const auto shot = screen.capture();
    const Rect area = window.area();
    const Image part = shot ? shot->image.to_rgb().cropped({area.x + 4, area.y + 4, 8, 8}) : Image();
    const auto want = window.background_rgb();
    return !part.is_empty() && std::equal(want.begin(), want.end(), part.bytes().begin());
}

} // namespace

Result<std::unique_ptr<ProbeWindow>> VncPlatform::open_probe() {
    std::string tried = is_local(options_.address) ? "" : "it runs on another machine";
    for (const std::string& name : is_local(options_.address) ? displays_near(options_.address) : std::vector<std::string>()) {
        PlatformOptions options;
        options.display = name;
        Result<std::unique_ptr<Platform>> desktop = open_platform(options, clock_);
        Result<std::unique_ptr<ProbeWindow>> window = desktop ? (*desktop)->open_probe() : Result<std::unique_ptr<ProbeWindow>>(desktop.error());
        const TimePoint deadline = clock_.now() + kShownPatience;
        while (window && clock_.now() < deadline) {
            if (shows(*this, **window)) {
                return std::unique_ptr<ProbeWindow>(std::make_unique<BorrowedProbe>(std::move(*desktop), std::move(*window)));
            }
            TRY(settle({}, {}));
        }
        tried += fmt::format("{}display {}: {}", tried.empty() ? "" : "; ", name, window ? "the server does not show it" : window.error().message);
    }
    return Error{ErrorCode::Unsupported, fmt::format("no window of ours can be shown on the desktop of VNC server {} ({})", describe(options_.address),
                                                     tried.empty() ? "no X display of this machine has its number, and DISPLAY is not set" : tried)};
}

} // namespace handeye::vnc
