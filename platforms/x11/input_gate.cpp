// SPDX-License-Identifier: Apache-2.0
// A press is remembered before it is sent and forgotten after its release was sent, under one lock with the sending:
// release_all() can therefore miss nothing. It uses a connection of its own, since the other may be in the middle of a request.
#include "platforms/x11/input_gate.h"

#include "platforms/x11/guardian_link.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr auto kReleasePatience = std::chrono::milliseconds(40); // of the 50 ms that a stop may take

} // namespace

Result<std::unique_ptr<InputGate>> InputGate::open(const DisplayAddress& address) {
    std::unique_ptr<InputGate> gate(new InputGate);
    gate->input_ = TRY(Connection::open(address));
    gate->releaser_ = TRY(Connection::open(address));
    int event_base = 0, error_base = 0, major = 0, minor = 0;
    if (XTestQueryExtension(gate->input_->get(), &event_base, &error_base, &major, &minor) == 0) {
        return Error{ErrorCode::Unsupported,
                     fmt::format("X display \"{}\" has no XTest extension: input cannot be sent",
                                 gate->input_->name())};
    }
    // Input goes on while a menu holds a grab.
    XTestGrabControl(gate->input_->get(), 1);
    XTestGrabControl(gate->releaser_->get(), 1);
    TRY(gate->input_->sync("opening input"));
    TRY(gate->releaser_->sync("opening input"));
    gate->guardian_ = TRY(GuardianLink::start(gate->input_->name(), address.cookie));
    return gate;
}

InputGate::~InputGate() {
    if (releaser_ == nullptr) {
        return; // the server took no further client while this was being opened
    }
    static_cast<void>(release_all()); // a lost server holds nothing
    static_cast<void>(restore_keyboard());
}

InputGate::Obeying::Obeying(InputGate& gate, std::stop_token stop) : gate_(gate) {
    const std::lock_guard lock(gate_.mutex_);
    gate_.stop_ = std::move(stop);
}

InputGate::Obeying::~Obeying() {
    const std::lock_guard lock(gate_.mutex_);
    gate_.stop_ = {};
}

// With mutex_ held, so that a release_all() comes before or after what is sent now, never into it.
Result<void> InputGate::may_send() {
    if (is_closed_ || stop_.stop_requested()) {
        return Error{ErrorCode::Cancelled, "input was stopped: nothing is pressed any more"};
    }
    return guardian_->ensure(); // a drag that began under one that has died since goes on under another
}

Result<void> InputGate::finish(std::string_view doing) { return input_->sync(doing); }

bool InputGate::has_button_down() const {
    return std::any_of(buttons_.begin(), buttons_.end(), [](const auto& down) { return down.load(); });
}

Result<void> InputGate::move(Point root_position) {
    const std::lock_guard lock(mutex_);
    TRY(may_send());
    TRY(input_->check("moving the pointer"));
    // Pressed buttons make it a drag, so a move is input like any other and closed with it.
    sent_.will_move();
    XTestFakeMotionEvent(input_->get(), -1, root_position.x, root_position.y, CurrentTime);
    return finish("moving the pointer");
}

Result<void> InputGate::button(unsigned number, bool is_press) {
    const std::lock_guard lock(mutex_);
    TRY(input_->check("mouse button"));
    if (is_press) {
        TRY(may_send());
        guardian_->will_press_button(static_cast<std::uint8_t>(number));
        buttons_[number] = true;
    }
    if (is_press) {
        sent_.will_press_button(number);
    }
    XTestFakeButtonEvent(input_->get(), number, is_press ? 1 : 0, CurrentTime);
    const Result<void> result = finish("mouse button");
    buttons_[number] = is_press; // down again where a release_all() did not wait and overtook the press
    if (!is_press) {
        guardian_->did_release_button(static_cast<std::uint8_t>(number));
    }
    return result;
}

void InputGate::send_key(KeyCode code, bool is_press) {
    if (is_press) {
        sent_.will_press_key(code);
    }
    XTestFakeKeyEvent(input_->get(), code, is_press ? 1 : 0, CurrentTime);
}

Result<void> InputGate::key(KeyCode code, bool is_press) {
    const std::lock_guard lock(mutex_);
    TRY(input_->check("key"));
    if (is_press) {
        TRY(may_send());
        guardian_->will_press_key(code);
        keys_[code] = true;
    }
    send_key(code, is_press);
    const Result<void> result = finish("key");
    keys_[code] = is_press; // as buttons_
    if (!is_press) {
        guardian_->did_release_key(code);
    }
    return result;
}

Result<void> InputGate::wheel(unsigned number, int count) {
    for (int i = 0; i < count; ++i) {
        TRY(button(number, true));
        TRY(button(number, false));
    }
    return {};
}

Result<void> InputGate::tap(std::span<const KeyCode> modifiers, KeyCode code) {
    const std::lock_guard lock(mutex_);
    TRY(may_send());
    TRY(input_->check("typing"));
    const auto each_modifier = [&](bool is_press) {
        for (const KeyCode modifier : modifiers) {
            if (!keys_[modifier]) { // one that is held down for a chord stays down
                send_key(modifier, is_press);
            }
        }
    };
    has_unread_ = true;
    each_modifier(true);
    send_key(code, true);
    send_key(code, false);
    each_modifier(false);
    XFlush(input_->get());
    return input_->check("typing");
}

Result<void> InputGate::sync() {
    const std::lock_guard lock(mutex_);
    has_unread_ = false;
    return input_->sync("typing");
}

Result<void> InputGate::force_up(KeyCode code) {
    const std::lock_guard lock(mutex_);
    send_key(code, false);
    return finish("releasing a stuck key");
}

void InputGate::note_bound(KeyCode code) {
    bound_[code] = true;
    guardian_->did_bind(code);
}

Result<void> InputGate::release_all() {
    std::unique_lock lock(mutex_, kReleasePatience); // without it after that: the other thread is stuck
    const std::lock_guard release_lock(release_mutex_);
    if (lock.owns_lock() && has_unread_) {
        static_cast<void>(input_->sync("letting go")); // characters are sent without waiting: none may come after the releases
        has_unread_ = false;
    }
    TRY(releaser_->check("releasing keys and buttons"));
    for (unsigned code = 0; code < keys_.size(); ++code) {
        if (keys_[code].exchange(false)) {
            XTestFakeKeyEvent(releaser_->get(), code, 0, CurrentTime);
            guardian_->did_release_key(static_cast<KeyCode>(code));
        }
    }
    for (unsigned number = 0; number < buttons_.size(); ++number) {
        if (buttons_[number].exchange(false)) {
            XTestFakeButtonEvent(releaser_->get(), number, 0, CurrentTime);
            guardian_->did_release_button(static_cast<std::uint8_t>(number));
        }
    }
    if (lock.owns_lock()) {
        lock.unlock(); // the server may take its time; who sends the rest of a click to it must not wait for this thread
    }
    return releaser_->sync("releasing keys and buttons");
}

Result<void> InputGate::restore_keyboard() {
    const std::lock_guard release_lock(release_mutex_);
    TRY(releaser_->check("restoring the keyboard"));
    for (unsigned code = 0; code < bound_.size(); ++code) {
        if (bound_[code].exchange(false)) {
            KeySym nothing = NoSymbol;
            XChangeKeyboardMapping(releaser_->get(), static_cast<int>(code), 1, &nothing, 1);
            guardian_->did_unbind(static_cast<std::uint8_t>(code));
        }
    }
    if (const unsigned modifiers = unlocked_.exchange(0); modifiers != 0) {
        XkbLockModifiers(releaser_->get(), XkbUseCoreKbd, modifiers, modifiers);
    }
    return releaser_->sync("restoring the keyboard");
}

} // namespace handeye::x11
