// SPDX-License-Identifier: Apache-2.0
#include "agent/gesture.h"

#include "actions/resolve.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace handeye {
namespace {

constexpr std::size_t kRepeatsMax = 50; // of one key in one action

Target spot(Point at) { return Spot{Units::Pixels, static_cast<double>(at.x), static_cast<double>(at.y), std::nullopt}; }

bool is_near(Point a, Point b) { return std::hypot(a.x - b.x, a.y - b.y) <= GestureReader::kStillPx; }

bool has_other_than_shift(const std::vector<std::string>& held) {
    return std::any_of(held.begin(), held.end(), [](const std::string& name) { return name != "shift"; });
}

void drop_last_character(std::string& text) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0U) == 0x80U) {
        text.pop_back();
    }
    if (!text.empty()) {
        text.pop_back();
    }
}

std::optional<Direction> direction_of(const Wheel& wheel) {
    if (wheel.down_notches != 0) {
        return wheel.down_notches > 0 ? Direction::Down : Direction::Up;
    }
    return wheel.right_notches == 0 ? std::nullopt : std::optional(wheel.right_notches > 0 ? Direction::Right : Direction::Left);
}

} // namespace

bool is_typing(const Gesture& gesture) { return std::holds_alternative<TypeText>(gesture.action); }

void GestureReader::open(Open gesture) {
    open_ = std::move(gesture);
    ++opened_;
}

void GestureReader::close(std::vector<Gesture>& out) {
    if (!open_) {
        return;
    }
    const auto* const typed = std::get_if<TypeText>(&open_->gesture.action);
    const bool is_nothing = open_->kind == Kind::Held || (typed != nullptr && typed->text_utf8.empty());
    if (!is_nothing) {
        out.push_back(std::move(open_->gesture));
    }
    open_.reset();
}

std::vector<Gesture> GestureReader::feed(const PersonInput& input) {
    std::vector<Gesture> out;
    if (const auto* const button = std::get_if<PersonButton>(&input.what)) {
        button->edge == Edge::Press ? press(input, *button, out) : release(input, *button, out);
    } else if (const auto* const wheel = std::get_if<Wheel>(&input.what)) {
        scroll(input, *wheel, out);
    } else if (const auto* const key = std::get_if<PersonKey>(&input.what); key != nullptr && key->edge == Edge::Press && !key->is_modifier) {
        press(input, *key, out);
    }
    return out;
}

std::vector<Gesture> GestureReader::expire(TimePoint now) {
    std::vector<Gesture> out;
    const bool is_over = open_ && ((open_->kind == Kind::Clicked && now - open_->gesture.ended > kClickGap) ||
                                   ((open_->kind == Kind::Scrolling || open_->kind == Kind::Keys) && now - open_->gesture.ended > kRepeatGap));
    if (is_over) {
        close(out);
    }
    return out;
}

std::vector<Gesture> GestureReader::finish() {
    std::vector<Gesture> out;
    close(out);
    return out;
}

void GestureReader::press(const PersonInput& input, const PersonButton& button, std::vector<Gesture>& out) {
    Click click{spot(input.at), button.button, 1, {}, input.held, {}};
    if (is_open(Kind::Clicked)) {
        const auto& last = std::get<Click>(open_->gesture.action);
        const bool is_next = button.button == MouseButton::Left && last.count < 3 && last.hold_keys == input.held && is_near(open_->gesture.at, input.at) &&
                             input.time - open_->gesture.ended <= kClickGap;
        if (is_next) {
            click.at = last.at;
            click.count = last.count + 1;
            open_->kind = Kind::Held;
            open_->gesture.action = std::move(click);
            return;
        }
    }
    close(out);
    open(Open{Kind::Held, {std::move(click), input.at, input.time, input.time}, button.button});
}

void GestureReader::release(const PersonInput& input, const PersonButton& button, std::vector<Gesture>& out) {
    if (!is_open(Kind::Held) || open_->button != button.button) {
        return; // pressed before the recording began
    }
    Gesture& gesture = open_->gesture;
    gesture.ended = input.time;
    auto& click = std::get<Click>(gesture.action);
    const bool is_left = button.button == MouseButton::Left;
    const bool is_long = is_left && click.count == 1 && input.time - gesture.began >= kLongPress;
    open_->kind = Kind::Clicked;
    if (is_left && !is_near(gesture.at, input.at)) {
        gesture.action = Drag{spot(gesture.at), spot(input.at), click.hold_keys, {}};
        close(out);
    } else if (is_long) {
        click.hold = std::min<Duration>(input.time - gesture.began, kHoldMax);
        close(out);
    } else if (!is_left) {
        close(out);
    }
}

void GestureReader::scroll(const PersonInput& input, const Wheel& wheel, std::vector<Gesture>& out) {
    const std::optional<Direction> direction = direction_of(wheel);
    if (!direction) {
        return;
    }
    const int notches = std::abs(wheel.down_notches) + std::abs(wheel.right_notches);
    if (is_open(Kind::Scrolling)) {
        auto& going_on = std::get<Scroll>(open_->gesture.action);
        const bool is_same = going_on.direction == *direction && is_near(open_->gesture.at, input.at) && input.time - open_->gesture.ended <= kRepeatGap &&
                             going_on.notches + notches <= kNotchesMax;
        if (is_same) {
            going_on.notches += notches;
            open_->gesture.ended = input.time;
            return;
        }
    }
    close(out);
    open(Open{Kind::Scrolling, {Scroll{spot(input.at), *direction, notches, 0}, input.at, input.time, input.time}});
}

void GestureReader::press(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out) {
    const bool is_shortcut = has_other_than_shift(input.held);
    if (!is_shortcut && (!key.text_utf8.empty() || key.is_composing)) {
        type(input, key, out);
        return;
    }
    if (is_open(Kind::Typing) && !is_shortcut && key.name == "BackSpace") {
        auto& typed = std::get<TypeText>(open_->gesture.action);
        if (!typed.text_utf8.empty()) {
            drop_last_character(typed.text_utf8);
            open_->gesture.ended = input.time;
            return;
        }
    }
    chord(input, key, out);
}

void GestureReader::type(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out) {
    const bool has_room = is_open(Kind::Typing) && std::get<TypeText>(open_->gesture.action).text_utf8.size() + key.text_utf8.size() <= kTextBytesMax;
    if (!has_room) {
        close(out);
        open(Open{Kind::Typing, {TypeText{}, input.at, input.time, input.time}});
    }
    std::get<TypeText>(open_->gesture.action).text_utf8 += key.text_utf8;
    open_->gesture.ended = input.time;
}

void GestureReader::chord(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out) {
    if (key.name.empty()) {
        return; // a key that types nothing and has no name: half of a character that was taken back
    }
    if (is_open(Kind::Keys)) {
        auto& last = std::get<KeyChord>(open_->gesture.action);
        const bool is_repeated = last.keys.back() == key.name && last.modifiers == input.held && last.keys.size() < kRepeatsMax &&
                                 input.time - open_->gesture.ended <= kRepeatGap;
        if (is_repeated) {
            last.keys.push_back(key.name);
            open_->gesture.ended = input.time;
            return;
        }
    }
    close(out);
    open(Open{Kind::Keys, {KeyChord{input.held, {key.name}}, input.at, input.time, input.time}});
}

} // namespace handeye
