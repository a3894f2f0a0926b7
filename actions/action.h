// SPDX-License-Identifier: Apache-2.0
// What an agent can do, as values. An Action comes from a model's answer, a task file or the API; nothing here acts.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "platforms/platform.h"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace handeye {

/// What a Spot's numbers are measured in.
enum class Units {
    Thousandths, ///< of the picture that the model saw, 0..1000 (GLM: "0-999")
    Pixels,      ///< of the target's own frame
};
/// A point, with the box it is the centre of where one was given.
struct Spot {
    Units units = Units::Thousandths;
    double x = 0;
    double y = 0;
    struct Box {
        double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
        bool operator==(const Box&) const = default;
    };
    std::optional<Box> box;
    bool operator==(const Spot&) const = default;
};
/// An element by the number drawn beside it (set of marks).
struct Mark {
    int number = 0;
    bool operator==(const Mark&) const = default;
};
using Target = std::variant<Spot, Mark>;

enum class Direction { Up, Down, Left, Right };
/// The direction of the longer part of the way; Up where it has no length, or a mark's place is not known here.
Direction direction_between(const Target& from, const Target& to);

struct Click {
    Target at;
    MouseButton button = MouseButton::Left;
    int count = 1;                   ///< 2: double, 3: triple
    Duration hold{};                 ///< > 0: long press
    std::vector<std::string> hold_keys; ///< held while clicking, as named by the model
    std::string element_info;        ///< the model's own name for it; never trusted
    std::string ask_first = {};      ///< the model's own words for what a person must agree to before; empty: it asks for nothing
    bool operator==(const Click&) const = default;
};
struct Hover {
    Target at;
    std::string element_info;
    bool operator==(const Hover&) const = default;
};
struct Drag {
    Target from;
    Target to;
    std::vector<std::string> hold_keys;
    std::string element_info;
    bool operator==(const Drag&) const = default;
};
/// Content direction: Down shows what is further down.
struct Scroll {
    std::optional<Target> at; ///< unset: the middle of the target
    Direction direction = Direction::Down;
    int notches = 5;
    double viewport_share = 0; ///< > 0: this share of the view instead of notches
    bool operator==(const Scroll&) const = default;
};
/// Finger direction: Up moves the finger up and shows what is further down.
struct Swipe {
    std::optional<Target> at;        ///< unset: the middle of the target
    Direction direction = Direction::Up;
    std::optional<Target> to = {};   ///< set: the finger goes from `at`, which is set too, to here, and `direction` is where that is
    bool operator==(const Swipe&) const = default;
};
struct TypeText {
    std::string text_utf8;
    std::optional<Target> into; ///< clicked first
    bool clear_first = false;
    bool press_enter = false;
    std::string element_info;
    bool operator==(const TypeText&) const = default;
};
/// Modifiers held, then each key of `keys` pressed and released in order ("ctrl+tab+tab": {ctrl}, {tab, tab}).
struct KeyChord {
    std::vector<std::string> modifiers;
    std::vector<std::string> keys;
    bool operator==(const KeyChord&) const = default;
};
struct Wait {
    Duration duration = std::chrono::seconds(5);
    bool operator==(const Wait&) const = default;
};
struct OpenApp {
    std::string name;
    std::vector<std::string> args = {};
    bool operator==(const OpenApp&) const = default;
};
enum class Place { Back, Home, SearchPage };
struct Navigate {
    Place to = Place::Back;
    bool operator==(const Navigate&) const = default;
};
/// Text for the person; ends the task only where the dialect says so.
struct Answer {
    std::string text_utf8;
    bool ends_task = false;
    bool operator==(const Answer&) const = default;
};
/// The model asks a person to act or to decide (login, captcha, sensitive step).
struct AskUser {
    std::string question_utf8;
    bool operator==(const AskUser&) const = default;
};
enum class Verdict { Success, Infeasible };
/// The model's own claim that the task is over.
struct Finish {
    Verdict verdict = Verdict::Success;
    std::string message_utf8;
    bool operator==(const Finish&) const = default;
};

using Action = std::variant<Click, Hover, Drag, Scroll, Swipe, TypeText, KeyChord, Wait, OpenApp, OpenUrl, FocusWindow, Navigate,
                            Answer, AskUser, Finish>;

/// The canonical verb of an action: a name of the verb table ("click", "double_click", "type", ...).
std::string_view verb_name(const Action& action);
/// The canonical JSON form, `{"verb":"click","x":160,"y":70,...}`, with "units" where they are thousandths.
std::string to_canonical_json(const Action& action);
/// The short form that histories tell: "left_click Save", "type Ada", "scroll down". A click is named by what the model called
/// it, else by its place; at most 200 bytes, on one line.
std::string history_summary(const Action& action);
/// True for a Swipe from a point to a point: whatever carries it out presses on the way, as a drag does.
bool is_finger_path(const Action& action);
/// True for Answer that ends the task, and Finish.
bool ends_task(const Action& action);

} // namespace handeye
