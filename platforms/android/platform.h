// SPDX-License-Identifier: Apache-2.0
// The platform "android": one phone through an adb server. Pictures by screencap, gestures and keys by `input`, Unicode by ADBKeyboard,
// elements by uiautomator.
#pragma once

#include "platforms/android/device_state.h"
#include "platforms/android/gesture.h"
#include "platforms/android/ime.h"
#include "platforms/android/text.h"
#include "platforms/open_platform.h"
#include "platforms/probe.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace handeye::android {

/// The device options.serial, or the only one, of the adb server at options.attach. Wakes it, and unlocks it where no credentials
/// are asked for; a phone that is locked with some is Unavailable.
Result<std::unique_ptr<Platform>> open_android(const PlatformOptions& options, Clock& clock);
/// Whether an adb server answers and which devices it has.
PlatformSupport describe_android();

/// What this phone's tools can do.
struct PhoneFacts {
    int sdk = 0; ///< Android's API level
    TouchAbility touch;
    bool has_key_combination = false;
};
/// Of what the tools print about themselves.
PhoneFacts parse_facts(std::string_view text);

class AndroidPlatform final : public Platform {
public:
    static Result<std::unique_ptr<Platform>> open(const PlatformOptions& options, Clock& clock);
    ~AndroidPlatform() override;

    Result<DisplayInfo> display() override;
    Result<Screenshot> capture() override;
    /// DeadlineExceeded where uiautomator cannot tell of a screen that moves: what is on it is then unknown, password fields with it.
    Result<std::vector<Element>> elements() override;
    Result<std::vector<WindowInfo>> windows() override;
    Result<std::optional<Point>> pointer() override;
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<std::vector<std::string>> app_names() override;
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    /// A touch that is not finished is forgotten: the phone never saw it begin. Taps and a wheel that wait for more of their kind are sent,
    /// unless the stop of those events was requested.
    Result<void> release_all() override;
    std::vector<ProbeFact> probe_facts() override;

    /// Lets go, gives the input method back and, when `refuse_more`, sends nothing from now on. Any thread.
    void quiesce(bool refuse_more);

private:
    AndroidPlatform(DeviceLink link, Clock& clock);
    Result<void> learn();
    Result<void> wake_and_unlock();
    Result<void> unlock(const DeviceState& state);
    Result<bool> wait_for_state(const std::function<bool(const DeviceState&)>& holds, Duration timeout);

    enum class Route { Raw, Png };
    Result<Image> take_picture();
    Result<Image> take_picture(Route route);
    Result<Image> explain_failure(const ShellResult& result);
    Result<void> explain_black();
    Result<bool> is_at_rest();

    Result<void> send_command(std::string_view command, const std::stop_token& stop);
    Result<void> check_inside(Point point);
    Result<void> send(const PointerMove& move, const std::stop_token& stop);
    Result<void> send(const PointerButton& button, const std::stop_token& stop);
    Result<void> send(const Wheel& wheel, const std::stop_token& stop);
    Result<void> send(const Key& key, const std::stop_token& stop);
    Result<void> finish_touch(const std::stop_token& stop);
    Result<void> press_key(const Key& key, const std::stop_token& stop);
    Result<void> press_chord(const Key& key, int code, char text, const std::stop_token& stop);
    Result<void> delete_all(const std::stop_token& stop);
    Result<void> flush(const std::stop_token& stop);
    void forget();

    Result<void> run(const LaunchApp& launch_app);
    Result<void> run(const FocusWindow& focus);
    Result<void> run(const NavigateBack& back);
    Result<void> run(const NavigateHome& home);
    Result<void> run(const OpenUrl& open_url);
    Result<void> start(const std::string& component);

    DeviceLink link_;
    Clock& clock_;
    PhoneFacts facts_;
    std::mutex sending_;               // held while a command that acts is under way
    std::atomic<bool> is_closed_ = false;
    std::unique_ptr<ImeKeeper> ime_;
    std::unique_ptr<TextTyper> typer_; // borrows link_, ime_, sending_, is_closed_

    Size frame_;                       // of the last picture: the frame of input
    std::uint64_t captures_ = 0;
    std::uint64_t seen_hash_ = 0;      // of the last picture
    std::optional<Route> route_;       // unset: not measured yet
    std::optional<Duration> raw_time_; // of the first raw picture
    std::uint64_t launches_ = 0;
    bool is_restless_ = false;         // uiautomator waited in vain for this screen to rest

    // What is gathered and not yet sent. Guarded by gathering_: release_all() may come from any thread.
    struct Taps {
        Point at;
        int count = 0;
        TimePoint last{};
    };
    std::mutex gathering_;
    Point cursor_;
    std::optional<Touch> touch_;  // a finger is down
    TimePoint touched_at_{};
    std::optional<Taps> taps_;
    Wheel wheel_;
    std::stop_token gathered_under_; // of the event that is gathered: nothing follows its stop
    std::vector<std::string> held_;  // modifiers
    bool is_all_selected_ = false;   // ctrl+a was asked of a phone without key combinations
};

} // namespace handeye::android
