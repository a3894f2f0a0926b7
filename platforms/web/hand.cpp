// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/hand.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::web {

using nlohmann::json;

namespace {

constexpr Duration kInputPatience = std::chrono::seconds(30); // a page that works on its click for longer hangs
constexpr Duration kReleasePatience = std::chrono::seconds(5);
constexpr Duration kMultiClick = std::chrono::milliseconds(500);
constexpr double kMultiClickCss = 4;
constexpr int kClicksMax = 3;

const char* name_of(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return "left";
    case MouseButton::Middle: return "middle";
    case MouseButton::Right: return "right";
    }
    return "left";
}

/// DOM's MouseEvent.buttons.
int bit_of(MouseButton button) {
    switch (button) {
    case MouseButton::Left: return 1;
    case MouseButton::Right: return 2;
    case MouseButton::Middle: return 4;
    }
    return 1;
}

/// As the same key is with Shift held.
KeyStroke shifted(const KeyStroke& stroke) {
    if (stroke.text.size() != 1 || stroke.needs_shift || stroke.location == 3) {
        return stroke;
    }
    constexpr std::string_view kPlain = "1234567890-=[]\\;'`,./";
    constexpr std::string_view kShifted = "!@#$%^&*()_+{}|:\"~<>?";
    KeyStroke out = stroke;
    const char sign = stroke.text.front();
    if (sign >= 'a' && sign <= 'z') {
        out.key = out.text = std::string(1, static_cast<char>(sign - 'a' + 'A'));
    } else if (const std::size_t at = kPlain.find(sign); at != std::string_view::npos) {
        out.key = out.text = std::string(1, kShifted[at]);
    }
    return out;
}

} // namespace

void Hand::set_stop(const std::stop_token& stop) {
    const std::lock_guard lock(mutex_);
    stop_ = stop;
}

/// mutex_ is held: what is sent and what is remembered of it change together.
Result<Cdp::Ticket> Hand::start(const std::string& session, std::string_view method, const json& params) {
    if (stop_.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    if (refuses_) {
        return Error{ErrorCode::Cancelled, "input is closed: the program is about to end"};
    }
    Cdp::Ticket ticket = TRY(cdp_.start(session, method, params));
    ++in_flight_;
    return ticket;
}

Result<void> Hand::wait(const Cdp::Ticket& ticket) {
    const auto reply = cdp_.wait(ticket, kInputPatience);
    {
        const std::lock_guard lock(mutex_);
        --in_flight_;
    }
    landed_.notify_all();
    if (!reply) {
        return reply.error();
    }
    return {};
}

unsigned Hand::modifiers_now() const {
    unsigned bits = kNoModifier;
    for (const auto& [name, pressed] : keys_) {
        bits |= pressed.stroke.modifier;
    }
    return bits;
}

unsigned Hand::modifiers() const {
    const std::lock_guard lock(mutex_);
    return modifiers_now();
}

json Hand::mouse_event(const char* type) const {
    const CssPoint at = at_.value_or(CssPoint{});
    int buttons = 0;
    for (const auto& [button, session] : buttons_) {
        buttons |= bit_of(button);
    }
    return {{"type", type}, {"x", at.x}, {"y", at.y}, {"buttons", buttons}, {"modifiers", modifiers_now()}, {"pointerType", "mouse"}};
}

Result<void> Hand::move(const std::string& session, CssPoint to) {
    Cdp::Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto before = std::exchange(at_, to);
        json event = mouse_event("mouseMoved");
        event["button"] = buttons_.empty() ? "none" : name_of(buttons_.begin()->first);
        auto sent = start(session, "Input.dispatchMouseEvent", event);
        if (!sent) {
            at_ = before;
            return std::move(sent).error();
        }
        ticket = *sent;
    }
    return wait(ticket);
}

int Hand::count_click(MouseButton button) {
    const CssPoint at = at_.value_or(CssPoint{});
    const TimePoint now = clock_.now();
    const bool is_next = button == clicked_with_ && now - clicked_when_ < kMultiClick && std::abs(at.x - clicked_at_.x) <= kMultiClickCss &&
                         std::abs(at.y - clicked_at_.y) <= kMultiClickCss && clicks_ < kClicksMax;
    clicks_ = is_next ? clicks_ + 1 : 1;
    clicked_at_ = at;
    clicked_when_ = now;
    clicked_with_ = button;
    return clicks_;
}

Result<void> Hand::button(const std::string& session, MouseButton button, Edge edge) {
    Cdp::Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto before = buttons_;
        int count = 1;
        std::string where = session;
        if (edge == Edge::Press) {
            count = count_click(button);
            buttons_[button] = session;
        } else {
            count = button == clicked_with_ ? std::max(clicks_, 1) : 1;
            if (const auto held = buttons_.find(button); held != buttons_.end()) {
                where = held->second; // who heard of the press hears of the release
                buttons_.erase(held);
            }
        }
        json event = mouse_event(edge == Edge::Press ? "mousePressed" : "mouseReleased");
        event["button"] = name_of(button);
        event["clickCount"] = count;
        auto sent = start(where, "Input.dispatchMouseEvent", event);
        if (!sent) {
            buttons_ = before;
            return std::move(sent).error();
        }
        ticket = *sent;
    }
    return wait(ticket);
}

Result<void> Hand::wheel(const std::string& session, double right_css, double down_css) {
    Cdp::Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        json event = mouse_event("mouseWheel");
        event["deltaX"] = right_css;
        event["deltaY"] = down_css;
        ticket = TRY(start(session, "Input.dispatchMouseEvent", event));
    }
    return wait(ticket);
}

json Hand::key_event(const char* type, const KeyStroke& stroke, unsigned modifiers) const {
    const bool is_up = std::string_view(type) == "keyUp";
    json event{{"type", type}, {"modifiers", modifiers}, {"key", stroke.key}, {"code", stroke.code},
               {"windowsVirtualKeyCode", stroke.windows_code}, {"location", stroke.location}, {"isKeypad", stroke.location == 3}};
    if (!is_up && !stroke.text.empty()) {
        event["text"] = stroke.text;
        event["unmodifiedText"] = stroke.text;
    }
    return event;
}

Result<void> Hand::key(const std::string& session, const std::string& name, Edge edge) {
    KeyStroke stroke = TRY(key_of_name(name));
    Cdp::Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        const auto before = keys_;
        std::string where = session;
        if (edge == Edge::Press) {
            keys_[name] = {session, stroke};
        } else if (const auto held = keys_.find(name); held != keys_.end()) {
            where = held->second.session;
            stroke = held->second.stroke;
            keys_.erase(held);
        }
        unsigned bits = modifiers_now();
        stroke = (bits & kShift) != 0 ? shifted(stroke) : stroke;
        bits |= stroke.needs_shift ? unsigned{kShift} : 0U;
        if ((bits & (kAlt | kControl | kMeta)) != 0) {
            stroke.text.clear(); // a chord types nothing
        }
        const char* const press = stroke.text.empty() ? "rawKeyDown" : "keyDown";
        auto sent = start(where, "Input.dispatchKeyEvent", key_event(edge == Edge::Press ? press : "keyUp", stroke, bits));
        if (!sent) {
            keys_ = before;
            return std::move(sent).error();
        }
        ticket = *sent;
    }
    return wait(ticket);
}

Result<void> Hand::tap(const std::string& session, const KeyStroke& stroke) {
    Cdp::Ticket down, up;
    {
        const std::lock_guard lock(mutex_);
        const unsigned bits = stroke.needs_shift ? unsigned{kShift} : 0U;
        down = TRY(start(session, "Input.dispatchKeyEvent", key_event(stroke.text.empty() ? "rawKeyDown" : "keyDown", stroke, bits)));
        auto sent = start(session, "Input.dispatchKeyEvent", key_event("keyUp", stroke, bits));
        if (sent) {
            up = *sent;
        }
    }
    const Result<void> pressed = wait(down);
    if (up) {
        TRY(wait(up));
    }
    return pressed;
}

Result<void> Hand::insert(const std::string& session, const std::string& text_utf8) {
    return send(session, "Input.insertText", {{"text", text_utf8}});
}

Result<void> Hand::drag_step(const std::string& session, const char* type, const json& data) {
    const auto at = pointer().value_or(CssPoint{});
    return send(session, "Input.dispatchDragEvent", {{"type", type}, {"x", at.x}, {"y", at.y}, {"data", data}, {"modifiers", modifiers()}});
}

Result<void> Hand::send(const std::string& session, std::string_view method, const json& params) {
    Cdp::Ticket ticket;
    {
        const std::lock_guard lock(mutex_);
        ticket = TRY(start(session, method, params));
    }
    return wait(ticket);
}

std::optional<CssPoint> Hand::pointer() const {
    const std::lock_guard lock(mutex_);
    return at_;
}

bool Hand::is_down(MouseButton button) const {
    const std::lock_guard lock(mutex_);
    return buttons_.contains(button);
}

void Hand::forget_button(MouseButton button) {
    const std::lock_guard lock(mutex_);
    buttons_.erase(button);
}

Result<void> Hand::release_all(bool refuse_more) {
    std::vector<Cdp::Ticket> tickets;
    std::optional<Error> problem;
    {
        std::unique_lock lock(mutex_);
        refuses_ = refuses_ || refuse_more;
        const auto let_go = [&](const std::string& session, std::string_view method, const json& event) {
            auto sent = cdp_.start(session, method, event);
            if (sent) {
                tickets.push_back(*sent);
            }
        };
        while (!buttons_.empty()) {
            const auto [button, session] = *buttons_.begin();
            buttons_.erase(buttons_.begin());
            json event = mouse_event("mouseReleased");
            event["button"] = name_of(button);
            event["clickCount"] = 1;
            let_go(session, "Input.dispatchMouseEvent", event);
        }
        while (!keys_.empty()) {
            const PressedKey key = keys_.begin()->second;
            keys_.erase(keys_.begin());
            let_go(key.session, "Input.dispatchKeyEvent", key_event("keyUp", key.stroke, modifiers_now()));
        }
        if (!landed_.wait_for(lock, kReleasePatience, [this] { return in_flight_ == 0; })) {
            problem = Error{ErrorCode::DeadlineExceeded, "the page did not take the last input within 5 s: it may hang"};
        }
    }
    for (const Cdp::Ticket& ticket : tickets) { // a session that went away holds nothing any more
        if (auto reply = cdp_.wait(ticket, kReleasePatience); !reply && reply.error().code == ErrorCode::DeadlineExceeded) {
            problem = reply.error();
        }
    }
    if (problem) {
        return *problem;
    }
    return {};
}

} // namespace handeye::web
