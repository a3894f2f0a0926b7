// SPDX-License-Identifier: Apache-2.0
// Events and commands. Pointer events are gathered into gestures (gesture.h), keys are sent when they are pressed.
#include "platforms/android/apps.h"
#include "platforms/android/keycodes.h"
#include "platforms/android/platform.h"
#include "platforms/android/shown.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::android {

namespace {

constexpr int kNotchesMax = 100;
constexpr Duration kGestureTimeout = std::chrono::seconds(60);
constexpr Duration kStartTimeout = std::chrono::seconds(10);
constexpr std::size_t kDeletesUnknown = 200; // of a field whose length nobody tells
constexpr std::size_t kDeletesMax = 5000;
constexpr std::size_t kDeletesAtOnce = 100;
constexpr std::size_t kUrlBytesMax = 8192;

bool is_near(Point a, Point b) { return std::abs(a.x - b.x) <= kTouchSlopPx && std::abs(a.y - b.y) <= kTouchSlopPx; }

} // namespace

/// All that acts goes through here: it is begun only when nobody has asked for the stop, and once begun it is waited for.
Result<void> AndroidPlatform::send_command(std::string_view command, const std::stop_token& stop) {
    const std::lock_guard lock(sending_);
    if (stop.stop_requested() || is_closed_) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    TRY(link_.run_well(command, {.timeout = kGestureTimeout}));
    return {};
}

Result<void> AndroidPlatform::check_inside(Point point) {
    if (frame_.is_empty()) {
        TRY(capture());
    }
    if (!Rect{0, 0, frame_.width_px, frame_.height_px}.contains(point)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside the {}x{} screen of android device {}", point.x, point.y, frame_.width_px,
                                                         frame_.height_px, link_.name())};
    }
    return {};
}

Result<void> AndroidPlatform::inject(const InputEvent& event) { return inject_unless_stopped(event, {}); }

Result<void> AndroidPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    if (stop.stop_requested() || is_closed_) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    {
        const std::lock_guard lock(gathering_);
        gathered_under_ = stop;
    }
    return std::visit([&](const auto& e) { return send(e, stop); }, event);
}

/// Sends the taps and the wheel that wait for more of their kind.
Result<void> AndroidPlatform::flush(const std::stop_token& stop) {
    std::optional<Taps> taps;
    Wheel wheel;
    Point over;
    {
        const std::lock_guard lock(gathering_);
        const bool is_stopped = stop.stop_requested() || gathered_under_.stop_requested() || is_closed_;
        taps = is_stopped ? std::nullopt : taps_;
        wheel = is_stopped ? Wheel{} : wheel_;
        over = cursor_;
        taps_.reset();
        wheel_ = {};
    }
    if (taps) {
        TRY(send_command(taps_command(taps->at, taps->count), stop));
    }
    if (wheel.right_notches != 0 || wheel.down_notches != 0) {
        TRY(send_command(wheel_command(over, wheel.right_notches, wheel.down_notches, frame_), stop));
    }
    return {};
}

Result<void> AndroidPlatform::send(const PointerMove& move, const std::stop_token& stop) {
    TRY(check_inside(move.to));
    bool ends_wheel = false;
    {
        const std::lock_guard lock(gathering_);
        ends_wheel = (wheel_.right_notches != 0 || wheel_.down_notches != 0) && !(move.to == cursor_);
    }
    if (ends_wheel) {
        TRY(flush(stop));
    }
    const std::lock_guard lock(gathering_);
    cursor_ = move.to;
    if (touch_) {
        if (touch_->size() >= kTouchSamplesMax) {
            touch_->pop_back();
        }
        touch_->push_back({move.to, clock_.now() - touched_at_});
    }
    return {};
}

Result<void> AndroidPlatform::send(const PointerButton& button, const std::stop_token& stop) {
    if (button.button != MouseButton::Left) {
        return Error{ErrorCode::Unsupported, "a phone's screen has no right and no middle button: use a long press"};
    }
    if (frame_.is_empty()) {
        TRY(capture());
    }
    if (button.edge == Edge::Release) {
        return finish_touch(stop);
    }
    bool is_another = false;
    {
        const std::lock_guard lock(gathering_);
        const bool continues = taps_ && is_near(taps_->at, cursor_) && clock_.now() - taps_->last <= kDoubleTapMax;
        is_another = !continues;
    }
    if (is_another) {
        TRY(flush(stop));
    }
    const std::lock_guard lock(gathering_);
    touched_at_ = clock_.now();
    touch_ = Touch{{cursor_, Duration::zero()}};
    return {};
}

/// A tap waits for a second one: two commands, each a program on the phone, would come too late for a double tap.
Result<void> AndroidPlatform::finish_touch(const std::stop_token& stop) {
    std::optional<Touch> touch;
    {
        const std::lock_guard lock(gathering_);
        touch = std::move(touch_);
        touch_.reset();
        if (!touch) {
            return {}; // a release without its press: nothing is down
        }
        touch->push_back({cursor_, clock_.now() - touched_at_});
        if (kind_of(*touch) == TouchKind::Tap) {
            taps_ = Taps{touch->front().at, taps_ ? taps_->count + 1 : 1, clock_.now()};
            return {};
        }
    }
    TRY(flush(stop));
    const std::string command = TRY(touch_command(*touch, facts_.touch));
    return send_command(command, stop);
}

Result<void> AndroidPlatform::send(const Wheel& wheel, const std::stop_token& stop) {
    const int most = std::max(std::abs(wheel.down_notches), std::abs(wheel.right_notches));
    if (most > kNotchesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} wheel notches; the limit is {}", most, kNotchesMax)};
    }
    TRY(check_inside(cursor_));
    {
        const std::lock_guard lock(gathering_);
        if (!taps_ && std::abs(wheel_.down_notches + wheel.down_notches) <= kNotchesMax && std::abs(wheel_.right_notches + wheel.right_notches) <= kNotchesMax) {
            wheel_.down_notches += wheel.down_notches;
            wheel_.right_notches += wheel.right_notches;
            return {};
        }
    }
    TRY(flush(stop));
    const std::lock_guard lock(gathering_);
    wheel_ = wheel;
    return {};
}

Result<void> AndroidPlatform::send(const Key& key, const std::stop_token& stop) {
    const std::optional<Keycode> code = keycode_of(key.keysym);
    if (!code) {
        return Error{ErrorCode::InvalidArgument, fmt::format("Android has no key \"{}\"", shown(key.keysym))};
    }
    TRY(flush(stop));
    if (code->is_modifier) {
        const std::lock_guard lock(gathering_);
        std::erase(held_, key.keysym);
        if (key.edge == Edge::Press) {
            held_.push_back(key.keysym);
        }
        return {};
    }
    return key.edge == Edge::Press ? press_key(key, stop) : Result<void>();
}

Result<void> AndroidPlatform::press_key(const Key& key, const std::stop_token& stop) {
    const Keycode code = *keycode_of(key.keysym);
    bool has_held = false;
    bool deletes_all = false;
    {
        const std::lock_guard lock(gathering_);
        has_held = !held_.empty();
        deletes_all = is_all_selected_ && !has_held;
        is_all_selected_ = false;
    }
    if (has_held) {
        return press_chord(key, code.code, code.text, stop);
    }
    if (deletes_all && (code.code == kKeycodeDel || key.keysym == "Delete")) {
        return delete_all(stop);
    }
    if (deletes_all) {
        return Error{ErrorCode::Unsupported, "this phone has no key combinations (Android 12): all text can be selected only to delete it"};
    }
    if (code.code == 0) {
        return send_command(input_text_commands(std::string(1, code.text)).front(), stop);
    }
    return send_command(fmt::format("input keyevent {}", code.code), stop);
}

Result<void> AndroidPlatform::press_chord(const Key& key, int code, char text, const std::stop_token& stop) {
    std::vector<std::string> held;
    {
        const std::lock_guard lock(gathering_);
        held = held_;
    }
    const bool is_shift_only = std::ranges::all_of(held, [](const std::string& name) { return name.starts_with("Shift"); });
    const bool is_letter = key.keysym.size() == 1 && key.keysym[0] >= 'a' && key.keysym[0] <= 'z';
    if (is_shift_only && is_letter) {
        return send_command(fmt::format("input text {}", static_cast<char>(key.keysym[0] - 'a' + 'A')), stop);
    }
    if (is_shift_only && code == 0) {
        return send_command(input_text_commands(std::string(1, text)).front(), stop); // "!" is Shift and a key already
    }
    if (facts_.has_key_combination && code != 0) {
        std::string codes;
        for (const std::string& name : held) {
            codes += fmt::format("{} ", keycode_of(name)->code);
        }
        return send_command(fmt::format("input keycombination {}{}", codes, code), stop);
    }
    const bool is_select_all = held.size() == 1 && held.front().starts_with("Control") && key.keysym == "a";
    if (is_select_all) { // what follows is the deletion of all text: that can be done without
        const std::lock_guard lock(gathering_);
        is_all_selected_ = true;
        return {};
    }
    return Error{ErrorCode::Unsupported, code == 0 ? fmt::format("Android has no key of its own for \"{}\" to hold with others", shown(key.keysym))
                                                   : fmt::format("keys held together need `input keycombination` (Android 12); android device {} has Android's "
                                                                 "API level {}", link_.name(), facts_.sdk)};
}

/// From the end, one by one: what Android before 12 has instead of select-all.
Result<void> AndroidPlatform::delete_all(const std::stop_token& stop) {
    const std::optional<Element> field = TRY(read_focused_text(link_, frame_, {.stop = stop}));
    std::size_t rest = field && !field->is_secret ? std::min(count_characters(field->value_utf8), kDeletesMax) : kDeletesUnknown;
    TRY(send_command(fmt::format("input keyevent {}", kKeycodeMoveEnd), stop));
    while (rest > 0) {
        std::string command = "input keyevent";
        const std::size_t now = std::min(rest, kDeletesAtOnce);
        for (std::size_t i = 0; i < now; ++i) {
            command += fmt::format(" {}", kKeycodeDel);
        }
        TRY(send_command(command, stop));
        rest -= now;
    }
    return {};
}

Result<TextResult> AndroidPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    TRY(flush(stop));
    if (is_closed_) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    if (frame_.is_empty()) {
        TRY(capture());
    }
    return typer_->type(text_utf8, frame_, stop);
}

Result<void> AndroidPlatform::perform(const Command& command) {
    TRY(flush({}));
    return std::visit([this](const auto& c) { return run(c); }, command);
}

/// Returns when the app has the focus, or a window that was not there before (a question about a permission, a splash screen).
Result<void> AndroidPlatform::start(const std::string& component) {
    const std::string package = component.substr(0, component.find('/'));
    const DeviceState before = TRY(read_device_state(link_));
    TRY(send_command(fmt::format("am start -a android.intent.action.MAIN -c android.intent.category.LAUNCHER -n {}", shell_quoted(component)), {}));
    ++launches_;
    const auto has_come = [&](const DeviceState& now) {
        return now.package() == package || (!now.focused_token.empty() && now.focused_token != before.focused_token);
    };
    if (!TRY(wait_for_state(has_come, kStartTimeout))) {
        return Error{ErrorCode::DeadlineExceeded, fmt::format("{} was started on android device {} and showed no window within 10 s", component, link_.name())};
    }
    return {};
}

/// An app takes no arguments: several words are its name.
Result<void> AndroidPlatform::run(const LaunchApp& launch_app) {
    const std::string name = fmt::format("{}", fmt::join(launch_app.argv, " "));
    const std::vector<App> apps = TRY(list_apps(link_));
    const App app = TRY(find_app(apps, name));
    return start(app.component);
}

Result<std::vector<std::string>> AndroidPlatform::app_names() { return names_of(TRY(list_apps(link_))); }

/// What runs already comes to the front by being started again.
Result<void> AndroidPlatform::run(const FocusWindow& focus) { return run(LaunchApp{{focus.title}}); }

Result<void> AndroidPlatform::run(const NavigateBack& /*back*/) { return send_command(fmt::format("input keyevent {}", kKeycodeBack), {}); }

Result<void> AndroidPlatform::run(const NavigateHome& /*home*/) { return send_command(fmt::format("input keyevent {}", kKeycodeHome), {}); }

Result<void> AndroidPlatform::run(const OpenUrl& open_url) {
    const std::string& url = open_url.url;
    const bool is_web = url.starts_with("http://") || url.starts_with("https://");
    const bool is_plain = std::ranges::all_of(url, [](unsigned char c) { return c > 0x20U && c != 0x7FU; });
    if (!is_web || !is_plain || url.size() > kUrlBytesMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is not an http or https address", shown(url))};
    }
    TRY(send_command(fmt::format("am start -a android.intent.action.VIEW -d {}", shell_quoted(url)), {}));
    ++launches_;
    return {};
}

} // namespace handeye::android
