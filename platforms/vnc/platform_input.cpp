// SPDX-License-Identifier: Apache-2.0
// The events and commands of the platform "vnc".
#include "platforms/vnc/platform.h"

#include "platforms/vnc/keysyms.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace handeye::vnc {
namespace {

constexpr int kNotchesMax = 1000;
constexpr unsigned kWheelUp = 4, kWheelDown = 5, kWheelLeft = 6, kWheelRight = 7;

unsigned button_number(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return 1;
    case MouseButton::Middle: return 2;
    case MouseButton::Right: return 3;
    }
    return 1;
}

Error unsupported(std::string_view what) {
    return {ErrorCode::Unsupported, fmt::format("{} on a VNC server, which has pixels, keys and a pointer: use what its desktop shows instead", what)};
}

} // namespace

/// Input is for what was captured last: over a new connection something else may be shown.
Result<void> VncPlatform::check_input() {
    if (is_view_only_) {
        return Error{ErrorCode::PermissionDenied, "the session is view only (--view-only): no input is sent to the VNC server"};
    }
    if (const LinkState state = link_->state(); state.failure) {
        return Error{state.failure->code, fmt::format("no input is sent: {}; capture again to connect again", state.failure->message)};
    }
    return {};
}

/// The frame of the last capture, while the desktop still has that size.
Result<Size> VncPlatform::frame_of_now() {
    const Size now = link_->state().size;
    if (!(now == frame_)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("the desktop is {}x{} now and was {}x{} at the last capture: capture again", now.width_px, now.height_px,
                                                         frame_.width_px, frame_.height_px)};
    }
    return now;
}

Result<void> VncPlatform::inject(const InputEvent& event) {
    TRY(check_input());
    return std::visit([this](const auto& e) { return send(e); }, event);
}

Result<void> VncPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    const InputGate::Obeying obeying(gate_, stop);
    return inject(event);
}

/// Without a button down the pointer comes from the next pixel: toolkits show what is under the pointer only when they have seen
/// it move.
Result<void> VncPlatform::send(const PointerMove& move) {
    const Size frame = TRY(frame_of_now());
    if (!Rect{0, 0, frame.width_px, frame.height_px}.contains(move.to)) {
        return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside the {}x{} desktop", move.to.x, move.to.y, frame.width_px, frame.height_px)};
    }
    if (!gate_.has_button_down()) {
        TRY(gate_.move({move.to.x > 0 ? move.to.x - 1 : std::min(1, frame.width_px - 1), move.to.y}));
    }
    return gate_.move(move.to);
}

Result<void> VncPlatform::send(const PointerButton& button) {
    if (button.edge == Edge::Press) {
        TRY(frame_of_now());
    }
    return gate_.button(button_number(button.button), button.edge == Edge::Press);
}

Result<void> VncPlatform::send(const Wheel& wheel) {
    const int most = std::max(std::abs(wheel.down_notches), std::abs(wheel.right_notches));
    if (most > kNotchesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} wheel notches; the limit is {}", most, kNotchesMax)};
    }
    TRY(frame_of_now());
    const auto turn = [this](unsigned number, int notches) -> Result<void> {
        for (int i = 0; i < std::abs(notches); ++i) {
            TRY(gate_.button(number, true));
            TRY(gate_.button(number, false));
        }
        return {};
    };
    TRY(turn(wheel.down_notches > 0 ? kWheelDown : kWheelUp, wheel.down_notches));
    return turn(wheel.right_notches > 0 ? kWheelRight : kWheelLeft, wheel.right_notches);
}

Result<void> VncPlatform::send(const Key& key) {
    const std::uint32_t keysym = TRY(keysym_of_name(key.keysym));
    return key.edge == Edge::Press ? gate_.press_key(key.keysym, keysym) : gate_.release_key(key.keysym, keysym);
}

Result<void> VncPlatform::perform(const Command& command) {
    TRY(check_input());
    struct Do {
        VncPlatform& self;
        Result<void> operator()(const LaunchApp&) const { return unsupported("programs cannot be started from outside"); }
        Result<void> operator()(const FocusWindow& focus) const { return unsupported(fmt::format("window \"{}\" cannot be brought to the front from outside", focus.title.substr(0, 100))); }
        Result<void> operator()(const OpenUrl&) const { return unsupported("addresses cannot be opened from outside"); }
        Result<void> operator()(const NavigateHome&) const { return unsupported("there is no home screen"); }
        /// Alt+Left: what browsers and file managers take for "back".
        Result<void> operator()(const NavigateBack&) const {
            TRY(self.send(Key{"Alt_L", Edge::Press}));
            const Result<void> pressed = self.send(Key{"Left", Edge::Press});
            const Result<void> released = self.send(Key{"Left", Edge::Release});
            TRY(self.send(Key{"Alt_L", Edge::Release}));
            TRY(Result<void>(pressed));
            return released;
        }
    };
    return std::visit(Do{*this}, command);
}

} // namespace handeye::vnc
