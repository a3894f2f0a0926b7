// SPDX-License-Identifier: Apache-2.0
// Opening a phone, looking at it, and letting it go.
#include "platforms/android/platform.h"

#include "platforms/android/apps.h"
#include "platforms/android/framebuffer.h"
#include "platforms/android/keycodes.h"
#include "platforms/android/shown.h"
#include "platforms/open_registry.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include <fmt/format.h>

namespace handeye::android {

namespace {

constexpr Duration kOpenTimeout = std::chrono::seconds(20);
constexpr Duration kDescribeTimeout = std::chrono::seconds(1);
constexpr Duration kWakeTimeout = std::chrono::seconds(5);
constexpr Duration kStatePoll = std::chrono::milliseconds(100);
constexpr Duration kSettlePoll = std::chrono::milliseconds(30);
constexpr int kSdkNamedTools = 26; // Android 8: `input draganddrop`, for a phone whose `input` does not tell
constexpr std::string_view kFactsCommand = "getprop ro.build.version.sdk; settings get secure long_press_timeout; input 2>&1";

int number_in(std::string_view line) {
    int value = 0;
    line = trimmed(line);
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
}

} // namespace

PhoneFacts parse_facts(std::string_view text) {
    constexpr int kLongPressMaxMs = 5000;
    PhoneFacts facts;
    const auto next_line = [&] {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        return line;
    };
    facts.sdk = number_in(next_line());
    if (const int long_press = number_in(next_line()); long_press > 0 && long_press <= kLongPressMaxMs) {
        facts.touch.long_press = std::chrono::milliseconds(long_press);
    }
    facts.touch.has_drag_and_drop = text.find("draganddrop") != std::string_view::npos || (text.empty() && facts.sdk >= kSdkNamedTools);
    facts.touch.has_motion_event = text.find("motionevent") != std::string_view::npos;
    facts.has_key_combination = text.find("keycombination") != std::string_view::npos;
    return facts;
}

AndroidPlatform::AndroidPlatform(DeviceLink link, Clock& clock)
    : link_(std::move(link)), clock_(clock), ime_(std::make_unique<ImeKeeper>(link_, clock_)),
      typer_(std::make_unique<TextTyper>(link_, *ime_, clock_, sending_, is_closed_)) {}

Result<std::unique_ptr<Platform>> AndroidPlatform::open(const PlatformOptions& options, Clock& clock) {
    const StreamWait wait = StreamWait::lasting(kOpenTimeout);
    const Endpoint server = TRY(adb_server_address(options.attach));
    DeviceLink link = TRY(DeviceLink::open(AdbServer(server), options.serial, wait));
    std::unique_ptr<AndroidPlatform> platform(new AndroidPlatform(std::move(link), clock));
    TRY(platform->learn());
    TRY(platform->ime_->recover());
    TRY(platform->wake_and_unlock());
    register_open_platform(platform.get(), [raw = platform.get()](bool refuse_more) { raw->quiesce(refuse_more); });
    return std::unique_ptr<Platform>(std::move(platform));
}

AndroidPlatform::~AndroidPlatform() {
    unregister_open_platform(this);
    static_cast<void>(ime_->give_back()); // nobody is left to tell; the next session gives it back if this could not
}

Result<void> AndroidPlatform::learn() {
    const ShellResult told = TRY(link_.run(kFactsCommand));
    facts_ = parse_facts(told.out); // `input` without a command ends with an exit code of its own
    return {};
}

Result<bool> AndroidPlatform::wait_for_state(const std::function<bool(const DeviceState&)>& holds, Duration timeout) {
    const TimePoint deadline = clock_.now() + timeout;
    while (true) {
        if (holds(TRY(read_device_state(link_)))) {
            return true;
        }
        if (clock_.now() >= deadline || clock_.sleep_for(kStatePoll, {}) == WaitResult::Stopped) {
            return false;
        }
    }
}

Result<void> AndroidPlatform::wake_and_unlock() {
    DeviceState state = TRY(read_device_state(link_));
    if (state.is_awake == std::optional(false)) {
        TRY(link_.run_well(fmt::format("input keyevent {}", kKeycodeWakeup)));
        const bool is_awake = TRY(wait_for_state([](const DeviceState& now) { return now.is_awake != std::optional(false); }, kWakeTimeout));
        if (!is_awake) {
            return Error{ErrorCode::Unavailable, fmt::format("the screen of android device {} is off and did not go on within 5 s", link_.name())};
        }
        state = TRY(read_device_state(link_));
    }
    return state.is_locked.value_or(false) ? unlock(state) : Result<void>();
}

/// A swipe is all that is tried: credentials are a person's.
Result<void> AndroidPlatform::unlock(const DeviceState& state) {
    const Error locked{ErrorCode::Unavailable, fmt::format("android device {} is locked with a PIN, a pattern or a password: unlock it by hand, "
                                                           "handeye enters no credentials", link_.name())};
    if (state.is_lock_secure.value_or(false)) {
        return locked;
    }
    TRY(link_.run("wm dismiss-keyguard"));
    const auto is_open = [](const DeviceState& now) { return !now.is_locked.value_or(false); };
    if (TRY(wait_for_state(is_open, kWakeTimeout))) {
        return {};
    }
    const Image picture = TRY(take_picture());
    const Size size = picture.size();
    TRY(link_.run_well(fmt::format("input swipe {0} {1} {0} {2} 300", size.width_px / 2, size.height_px * 8 / 10, size.height_px * 2 / 10)));
    return TRY(wait_for_state(is_open, kWakeTimeout)) ? Result<void>() : Result<void>(locked);
}

Result<DisplayInfo> AndroidPlatform::display() {
    if (frame_.is_empty()) {
        TRY(capture());
    }
    DisplayInfo info;
    info.platform = "android";
    info.backend = route_ == Route::Png ? "screencap -p" : "screencap";
    info.size = frame_;
    info.address = link_.device().serial;
    info.monitors = {{"display 0", {0, 0, frame_.width_px, frame_.height_px}, true}};
    return info;
}

/// The one that has the focus: what lies behind it cannot be reached. A launch that brought an app to the front counts as a new window.
Result<std::vector<WindowInfo>> AndroidPlatform::windows() {
    TRY(flush({}));
    if (frame_.is_empty()) {
        static_cast<void>(capture()); // for its size; a window that forbids pictures has a name all the same
    }
    const DeviceState state = TRY(read_device_state(link_));
    std::vector<WindowInfo> windows;
    if (!state.focused_token.empty()) {
        WindowInfo window;
        const std::size_t hash = std::hash<std::string>()(fmt::format("{} {}", state.focused_token, launches_));
        window.id = hash == 0 ? 1 : hash;
        window.title_utf8 = state.is_locked.value_or(false) ? "lock screen" : state.focused_title;
        window.window_class = state.focused_title;
        window.area = {0, 0, frame_.width_px, frame_.height_px};
        window.is_focused = true;
        window.app = state.package();
        windows.push_back(std::move(window));
    }
    return windows;
}

/// A finger that does not touch is nowhere.
Result<std::optional<Point>> AndroidPlatform::pointer() { return std::optional<Point>(); }

/// Pictures are the only notice of a change there is: still means that two in a row are equal and `quiet` lies between them.
Result<Settled> AndroidPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    TRY(flush(stop));
    const TimePoint start = clock_.now();
    Settled settled;
    std::uint64_t last = seen_hash_;
    std::optional<TimePoint> still_since;
    while (true) {
        const TimePoint before = clock_.now();
        const Image picture = TRY(take_picture());
        const std::uint64_t hash = picture.content_hash();
        settled.has_changed = settled.has_changed || hash != seen_hash_ || picture.size() != frame_;
        if (hash != last || !still_since) {
            still_since = before;
            last = hash;
        } else if (before - *still_since >= options.quiet) {
            settled.is_quiet = true;
        }
        const bool is_over = settled.is_quiet || clock_.now() - start >= options.deadline || stop.stop_requested();
        if (is_over || clock_.sleep_for(kSettlePoll, stop) == WaitResult::Stopped) {
            seen_hash_ = hash;
            settled.waited = clock_.now() - start;
            return settled;
        }
    }
}

Result<void> AndroidPlatform::release_all() {
    std::stop_token stop;
    {
        const std::lock_guard lock(gathering_);
        touch_.reset();
        held_.clear();
        is_all_selected_ = false;
        stop = gathered_under_;
    }
    TRY(flush(stop));
    const std::lock_guard until_sent(sending_); // what is under way on another thread ends before this returns
    return {};
}

void AndroidPlatform::forget() {
    const std::lock_guard lock(gathering_);
    touch_.reset();
    taps_.reset();
    wheel_ = {};
    held_.clear();
    is_all_selected_ = false;
}

void AndroidPlatform::quiesce(bool refuse_more) {
    if (refuse_more) {
        is_closed_ = true;
    }
    forget();
    const std::lock_guard until_sent(sending_);
    static_cast<void>(ime_->give_back()); // on a way out: nobody is left to tell
}

std::vector<ProbeFact> AndroidPlatform::probe_facts() {
    std::vector<ProbeFact> facts;
    const auto add = [&](std::string check, const Result<std::string>& found, std::string fix) {
        facts.push_back({std::move(check), found.has_value(), found ? *found : found.error().message, found ? "" : std::move(fix)});
    };
    const auto two_routes = [&]() -> Result<std::string> {
        const Image raw = TRY(take_picture(Route::Raw));
        const Image png = TRY(take_picture(Route::Png));
        if (raw.size() != png.size()) {
            return Error{ErrorCode::Unavailable, fmt::format("screencap gives {}x{} raw and {}x{} as PNG", raw.size().width_px, raw.size().height_px,
                                                             png.size().width_px, png.size().height_px)};
        }
        return fmt::format("{}x{} pixels raw and as PNG", raw.size().width_px, raw.size().height_px);
    };
    const auto may_inject = [&]() -> Result<std::string> {
        TRY(send_command("input keyevent 0", {})); // KEYCODE_UNKNOWN: no app does anything with it
        return fmt::format("a key that means nothing was taken; gestures by input tap, swipe{}{}; where a touch lands only an app of ours could tell",
                           facts_.touch.has_drag_and_drop ? ", draganddrop" : "", facts_.touch.has_motion_event ? ", motionevent" : "");
    };
    const auto types = [&]() -> Result<std::string> {
        const std::string methods = TRY(link_.run_well("ime list -a -s"));
        return methods.find(kAdbImeId) != std::string::npos ? "ASCII by input text, Unicode by ADBKeyboard"
                                                            : fmt::format("ASCII only: text beyond it is refused until ADBKeyboard ({}) is installed", kAdbImePackage);
    };
    const auto apps = [&]() -> Result<std::string> { return fmt::format("{} can be launched", TRY(list_apps(link_)).size()); };
    add("capture", two_routes(), "handeye screenshot --platform android -o test.png -v");
    add("input", may_inject(), "allow USB debugging (Security settings) in Developer options");
    add("type", types(), "");
    add("apps", apps(), "");
    return facts;
}

Result<std::unique_ptr<Platform>> open_android(const PlatformOptions& options, Clock& clock) { return AndroidPlatform::open(options, clock); }

PlatformSupport describe_android() {
    const auto found = []() -> Result<std::string> {
        const StreamWait wait = StreamWait::lasting(kDescribeTimeout);
        AdbServer server(TRY(adb_server_address({})));
        const std::vector<AdbDevice> devices = TRY(server.devices(wait));
        const auto ready = std::ranges::count(devices, "device", &AdbDevice::state);
        if (ready > 1) {
            return fmt::format("{} devices at the adb server {}: choose with --serial", ready, to_string(server.endpoint()));
        }
        const AdbDevice device = TRY(choose_device(devices, {}));
        return fmt::format("{}{} at the adb server {}", device.serial, device.model.empty() ? "" : " (" + device.model + ")", to_string(server.endpoint()));
    }();
    return {"android", found.has_value(), found ? *found : found.error().message};
}

} // namespace handeye::android
