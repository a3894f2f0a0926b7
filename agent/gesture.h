// SPDX-License-Identifier: Apache-2.0
// From a person's presses and releases to what an agent would have done: clicks, drags, scrolling, text, keys. Pure. Inside this
// folder only.
#pragma once

#include "actions/action.h"
#include "platforms/person_input.h"

#include <chrono>
#include <optional>
#include <vector>

namespace handeye {

struct Gesture {
    Action action;      ///< places in pixels of the display
    Point at;           ///< of the pointer when it began
    TimePoint began{};  ///< of its first press
    TimePoint ended{};  ///< of its last event
};
bool is_typing(const Gesture& gesture);

class GestureReader {
public:
    static constexpr Duration kClickGap = std::chrono::milliseconds(400); ///< between the clicks of a double click
    static constexpr Duration kRepeatGap = std::chrono::milliseconds(500);///< between notches, or presses of one key, of one action
    static constexpr Duration kLongPress = std::chrono::milliseconds(700);
    static constexpr int kStillPx = 8; ///< a hand that clicks may move so far

    /// What came to its end with this event, oldest first.
    std::vector<Gesture> feed(const PersonInput& input);
    /// What came to its end because nothing followed. Text has no such end: a person may think in the middle of a word.
    std::vector<Gesture> expire(TimePoint now);
    /// Everything that is open; a button that is still held has done nothing.
    std::vector<Gesture> finish();
    /// Gestures that were ever opened: grows by one when a new one begins, be it in the same millisecond as the one before.
    [[nodiscard]] int opened() const { return opened_; }
    [[nodiscard]] bool is_open() const { return open_.has_value(); }

private:
    enum class Kind { Held, Clicked, Scrolling, Typing, Keys };
    struct Open {
        Kind kind;
        Gesture gesture; ///< as it would be if it ended now
        MouseButton button = MouseButton::Left;
    };
    void close(std::vector<Gesture>& out);
    void press(const PersonInput& input, const PersonButton& button, std::vector<Gesture>& out);
    void release(const PersonInput& input, const PersonButton& button, std::vector<Gesture>& out);
    void scroll(const PersonInput& input, const Wheel& wheel, std::vector<Gesture>& out);
    void press(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out);
    void type(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out);
    void chord(const PersonInput& input, const PersonKey& key, std::vector<Gesture>& out);
    [[nodiscard]] bool is_open(Kind kind) const { return open_ && open_->kind == kind; }

    void open(Open gesture);

    std::optional<Open> open_;
    int opened_ = 0;
};

} // namespace handeye
