// SPDX-License-Identifier: Apache-2.0
// The events and commands of the platform "x11".
#include "platforms/x11/platform.h"
#include "platforms/x11/windows.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr int kNotchesMax = 1000;

// Buttons of the core protocol.
constexpr unsigned kWheelUp = 4, kWheelDown = 5, kWheelLeft = 6, kWheelRight = 7;

unsigned button_number(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return 1;
    case MouseButton::Middle: return 2;
    case MouseButton::Right: return 3;
    }
    return 1;
}

} // namespace

Result<Point> X11Platform::to_root(Point in_target) {
    if (!Rect{0, 0, area_.width_px, area_.height_px}.contains(in_target)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside the {}x{} target", in_target.x, in_target.y,
                                                         area_.width_px, area_.height_px)};
    }
    return Point{in_target.x + area_.x, in_target.y + area_.y};
}

Result<void> X11Platform::inject(const InputEvent& event) {
    TRY(check_target());
    return std::visit([this](const auto& e) { return send(e); }, event);
}

Result<void> X11Platform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    const InputGate::Obeying obeying(*gate_, stop);
    return inject(event);
}

/// Without a button down the pointer comes from the next pixel: toolkits show what is under the pointer only when they have seen
/// it move, and two motions also leave a window and enter it again where the pointer was there before.
Result<void> X11Platform::send(const PointerMove& move) {
    const Point target = TRY(to_root(move.to));
    if (!gate_->has_button_down()) {
        const int beside = target.x > area_.x ? target.x - 1 : std::min(target.x + 1, area_.x + area_.width_px - 1);
        TRY(gate_->move({beside, target.y})); // inside the target: a neighbour must not see the pointer pass
    }
    return gate_->move(target);
}

Result<void> X11Platform::send(const PointerButton& button) {
    may_focus_move_ = true;
    return gate_->button(button_number(button.button), button.edge == Edge::Press);
}

Result<void> X11Platform::send(const Wheel& wheel) {
    const int most = std::max(std::abs(wheel.down_notches), std::abs(wheel.right_notches));
    if (most > kNotchesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} wheel notches; the limit is {}", most, kNotchesMax)};
    }
    TRY(gate_->wheel(wheel.down_notches > 0 ? kWheelDown : kWheelUp, std::abs(wheel.down_notches)));
    return gate_->wheel(wheel.right_notches > 0 ? kWheelRight : kWheelLeft, std::abs(wheel.right_notches));
}

Result<KeyStroke> X11Platform::stroke_for(const std::string& name) {
    const KeySym keysym = TRY(keysym_of_name(name));
    TRY(keymap_->refresh());
    if (const auto stroke = keymap_->find(keysym)) {
        return *stroke;
    }
    if (const char32_t character = character_of_keysym(keysym); character != 0) {
        const std::vector<char32_t> text = {character};
        const std::size_t count = TRY(keymap_->make_typeable(text, [this] { return wait_until_read(); }));
        const auto stroke = keymap_->find_character(character);
        if (count == 1 && stroke) {
            return *stroke;
        }
    }
    return Error{ErrorCode::Unsupported, fmt::format("this keyboard has no key \"{}\"", name)};
}

Result<void> X11Platform::send(const Key& key) {
    if (key.edge == Edge::Release) {
        return release(key.keysym);
    }
    TRY(let_focus_settle());
    const KeyStroke stroke = TRY(stroke_for(key.keysym));
    return press(key.keysym, stroke);
}

Result<void> X11Platform::press(const std::string& name, const KeyStroke& stroke) {
    for (const KeyCode modifier : keymap_->modifiers_of(stroke)) {
        if (!gate_->is_down(modifier)) {
            TRY(gate_->key(modifier, true));
        }
    }
    TRY(gate_->key(stroke.code, true));
    pressed_[name] = stroke;
    return {};
}

/// A release without its press is sent all the same: the key may have been left down by somebody else.
Result<void> X11Platform::release(const std::string& name) {
    const auto found = pressed_.find(name);
    if (found == pressed_.end()) {
        const KeyStroke stroke = TRY(stroke_for(name));
        return gate_->key(stroke.code, false);
    }
    const KeyStroke stroke = found->second;
    pressed_.erase(found);
    TRY(gate_->key(stroke.code, false));
    for (const KeyCode modifier : keymap_->modifiers_of(stroke)) {
        const bool is_wanted = std::any_of(pressed_.begin(), pressed_.end(), [&](const auto& other) {
            const auto held = keymap_->modifiers_of(other.second);
            return other.second.code == modifier || std::find(held.begin(), held.end(), modifier) != held.end();
        });
        if (!is_wanted && gate_->is_down(modifier)) {
            TRY(gate_->key(modifier, false));
        }
    }
    return {};
}

Result<void> X11Platform::perform(const Command& command) {
    TRY(screen_->check("command"));
    return std::visit([this](const auto& c) { return run(c); }, command);
}

Result<void> X11Platform::run(const LaunchApp& launch_app) {
    const Environment environment =
        headless_ ? headless_->environment() : Environment{{"DISPLAY", screen_->name()}};
    may_focus_move_ = true;
    newest_launched_.reset();
    newest_launched_ = reap_when_ended(TRY(launch(launch_app.argv, environment)));
    return {};
}

Result<void> X11Platform::run(const FocusWindow& focus) {
    const WindowInfo window = TRY(find_window(*screen_, focus.title));
    may_focus_move_ = true;
    return activate_window(*screen_, window.id, clock_);
}

/// Alt+Left: what browsers and file managers take for "back".
Result<void> X11Platform::run(const NavigateBack& /*back*/) {
    TRY(send(Key{"Alt_L", Edge::Press}));
    const Result<void> pressed = send(Key{"Left", Edge::Press});
    const Result<void> released = send(Key{"Left", Edge::Release});
    TRY(send(Key{"Alt_L", Edge::Release}));
    TRY(Result<void>(pressed));
    return released;
}

Result<void> X11Platform::run(const NavigateHome& /*home*/) {
    return Error{ErrorCode::Unsupported, "a desktop has no home screen; focus a window by its title instead"};
}

Result<void> X11Platform::run(const OpenUrl& open_url) {
    const std::string& url = open_url.url;
    const bool is_web = url.rfind("http://", 0) == 0 || url.rfind("https://", 0) == 0;
    if (!is_web) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("\"{}\" is not an http or https address", url.substr(0, 100))};
    }
    if (!find_program("xdg-open")) {
        return Error{ErrorCode::Unsupported, "no xdg-open here: launch a browser with the address instead"};
    }
    return run(LaunchApp{{"xdg-open", url}});
}

} // namespace handeye::x11
