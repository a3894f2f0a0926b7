// SPDX-License-Identifier: Apache-2.0
// The platform "x11": capture by XShm, settling by XDamage, input by XTest, windows by EWMH,
// elements by AT-SPI2.
#pragma once

#include "platforms/open_platform.h"
#include "platforms/x11/accessibility.h"
#include "platforms/x11/capture.h"
#include "platforms/x11/damage.h"
#include "platforms/x11/headless.h"
#include "platforms/x11/human_input.h"
#include "platforms/x11/input_gate.h"
#include "platforms/x11/keymap.h"
#include "platforms/x11/launch.h"
#include "platforms/x11/person_input.h"
#include "platforms/x11/text.h"

#include <atomic>
#include <map>
#include <memory>

namespace handeye::x11 {

/// Opens a display that exists, or a headless one of its own (options.headless).
Result<std::unique_ptr<Platform>> open_x11(const PlatformOptions& options, Clock& clock);
/// Whether a display can be opened here, and what is missing if not.
PlatformSupport describe_x11();

class X11Platform final : public Platform {
public:
    static Result<std::unique_ptr<Platform>> open(const PlatformOptions& options,
                                                  std::unique_ptr<HeadlessDisplay> headless, Clock& clock);
    ~X11Platform() override;

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<WindowInfo> window_at(Point in_target) override;
    Result<WindowInfo> focused_window() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<std::shared_ptr<void>> freeze() override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> watch_person(PersonWatch watch) override;
    Result<void> follow_person(PersonFollow follow) override;
    Result<void> release_all() override;

    std::string launch_failure() override;
    Result<std::string> clipboard() override;
    Result<std::unique_ptr<ProbeWindow>> open_probe() override;

    /// How another connection of this process reaches the same display.
    [[nodiscard]] const DisplayAddress& address() const { return address_; }

    /// Releases, takes bindings and locks back, and, when `refuse_more`, presses nothing from now on. Any thread.
    void quiesce(bool refuse_more);

private:
    X11Platform(const PlatformOptions& options, Clock& clock) : options_(options), clock_(clock) {}
    Result<void> open_parts();
    Result<void> choose_target();
    Result<Rect> target_area();
    Result<void> check_target();
    Result<Point> to_root(Point in_target);
    Result<void> send(const PointerMove& move);
    Result<void> send(const PointerButton& button);
    Result<void> send(const Wheel& wheel);
    Result<void> send(const Key& key);
    Result<void> press(const std::string& name, const KeyStroke& stroke);
    Result<void> release(const std::string& name);
    Result<KeyStroke> stroke_for(const std::string& name);
    Result<void> wait_until_read();
    Result<void> let_focus_settle();
    Result<void> run(const LaunchApp& launch_app);
    Result<void> run(const FocusWindow& focus);
    Result<void> run(const NavigateBack& back);
    Result<void> run(const NavigateHome& home);
    Result<void> run(const OpenUrl& open_url);
    void thaw();

    PlatformOptions options_;
    Clock& clock_;
    std::unique_ptr<HeadlessDisplay> headless_; // first: goes last
    DisplayAddress address_;
    std::unique_ptr<Connection> screen_;
    std::unique_ptr<Accessibility> accessibility_; // borrows screen_
    std::atomic<bool> is_frozen_ = false;
    std::unique_ptr<ScreenReader> reader_;
    std::unique_ptr<DamageWatcher> damage_;
    std::unique_ptr<InputGate> gate_;
    std::unique_ptr<HumanInput> human_; // asks gate_
    std::unique_ptr<PersonInputReader> person_;
    std::unique_ptr<Keymap> keymap_;
    std::unique_ptr<ClientSync> clients_;
    std::unique_ptr<TextTyper> typer_;
    ::Window window_ = 0;       // the target, or 0: the whole display
    std::string window_title_;  // for messages
    Rect area_;                 // of the last capture or display(), in root pixels: the frame of input
    std::uint64_t captures_ = 0;
    bool may_focus_move_ = true; // a click was sent, or a window activated, and the window manager may not have seen to it
    std::map<std::string, KeyStroke> pressed_; // by name: a layout may change between press and release
    std::shared_ptr<const LaunchStatus> newest_launched_; // empty: none
};

} // namespace handeye::x11
