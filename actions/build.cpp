// SPDX-License-Identifier: Apache-2.0
// Calls to actions: one function per kind of action, which knows the names that its arguments go by.
#include "actions/build.h"

#include "actions/argument_words.h"
#include "actions/keys.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include <fmt/format.h>

namespace handeye {
namespace {

using Names = std::initializer_list<std::string_view>;

const Names kPlaceNames = {"start_box", "box_2d",   "bbox_2d", "bbox",    "box",    "point", "position",
                               "coordinate", "coordinates", "element", "start_point", "start", "location", "target"};
const Names kEndNames = {"end_box", "end_point", "end", "end_coordinate", "to", "destination"};
const Names kMarkNames = {"index", "label", "mark", "element_id"};
const Names kInfoNames = {"element_info", "start_element_info"};
const Names kTextNames = {"content", "text", "value", "input", "input_text"};
constexpr std::chrono::seconds kLongHold{8};   // left_click_hold
constexpr std::chrono::seconds kLongPress{1};
constexpr std::size_t kConsentBytesMax = 2000;

Fault incomplete(std::string message) {
    return {Fault::Kind::Incomplete, std::move(message)};
}
Fault invalid(std::string message) {
    return {Fault::Kind::Invalid, std::move(message)};
}

class Builder {
public:
    Builder(const Call& call, std::vector<std::string>& warnings) : call_(call), arguments_(call.arguments), warnings_(warnings) {}

    Built build(Intent intent) {
        switch (intent) {
        case Intent::Click: return click(MouseButton::Left, 1, {});
        case Intent::RightClick: return click(MouseButton::Right, 1, {});
        case Intent::MiddleClick: return click(MouseButton::Middle, 1, {});
        case Intent::DoubleClick: return click(MouseButton::Left, 2, {});
        case Intent::TripleClick: return click(MouseButton::Left, 3, {});
        case Intent::ClickAndHold: return click(MouseButton::Left, 1, kLongHold);
        case Intent::LongPress: return click(MouseButton::Left, 1, kLongPress);
        case Intent::Hover: return hover();
        case Intent::Drag: return drag();
        case Intent::Scroll: return scroll(std::nullopt);
        case Intent::ScrollUp: return scroll(Direction::Up);
        case Intent::ScrollDown: return scroll(Direction::Down);
        case Intent::ScrollLeft: return scroll(Direction::Left);
        case Intent::ScrollRight: return scroll(Direction::Right);
        case Intent::Swipe: return swipe();
        case Intent::Type: return type();
        case Intent::InputText: return input_text();
        case Intent::KeyPress: return key_press();
        case Intent::Enter: return Action(KeyChord{{}, {"enter"}});
        case Intent::Wait: return wait();
        case Intent::OpenApp: return open_app();
        case Intent::Back: return Action(Navigate{Place::Back});
        case Intent::Home: return Action(Navigate{Place::Home});
        case Intent::SearchPage: return Action(Navigate{Place::SearchPage});
        case Intent::Answer: return answer();
        case Intent::AskUser: return Action(AskUser{text({"message", "question", "text", "instruction", "content"})});
        case Intent::Finish: return finish();
        case Intent::Fail: return Action(Finish{Verdict::Infeasible, text({"message", "reason", "text", "content"})});
        case Intent::Status: return status();
        case Intent::Do: return dispatch_do();
        case Intent::Note:
            return invalid("Note keeps nothing here: what you say before an action is kept, so say there what you need later, and go on with the next action");
        case Intent::CallApi:
            return invalid("Call_API reaches nothing here: read the screen yourself and give what you found with finish(message=\"...\")");
        case Intent::Unsupported:
            return invalid(fmt::format("'{}' is not available here; use one of the listed actions", call_.name.substr(0, 40)));
        }
        return invalid("unknown action");
    }

private:
    /// The argument that goes by one of these names; `position` is its place among unnamed ones, -1: it needs a name.
    [[nodiscard]] const Literal* find(Names names, int position = -1) const {
        int unnamed = 0;
        for (std::size_t i = 0; i < arguments_.keys.size(); ++i) {
            const std::string key = lowered(arguments_.keys[i]);
            const Literal& value = arguments_.items[i];
            if (key.empty() ? unnamed++ == position : std::ranges::find(names, key) != names.end()) {
                if (value.kind != Literal::Kind::Null) {
                    return &value;
                }
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::string text(Names names, int position = 0) const {
        const Literal* value = find(names, position);
        return value != nullptr ? value->text : "";
    }
    /// Whether a switch is on: true, "true", "True", 1.
    [[nodiscard]] bool is_on(Names names) const {
        const Literal* value = find(names);
        return value != nullptr && (value->kind == Literal::Kind::Bool ? value->boolean
                                    : value->kind == Literal::Kind::Number ? value->number != 0
                                                                           : truth_of(lowered(value->text)).value_or(false));
    }
    [[nodiscard]] std::string missing(std::string_view what) const {
        return fmt::format("{} lacks {}", call_.name.substr(0, 40), what);
    }

    /// The places of one argument; empty: not given. Errors go to fault_.
    std::vector<Spot> places(Names names, int position) {
        const Literal* value = find(names, position);
        if (value == nullptr) {
            return {};
        }
        Places read = read_places(*value, warnings_);
        if (auto* fault = std::get_if<Fault>(&read)) {
            fault_ = std::move(*fault);
            return {};
        }
        return std::get<std::vector<Spot>>(std::move(read));
    }

    /// Where to act, in any of the forms; nullopt: not given, or fault_ says why not.
    std::optional<Target> place() {
        if (const Literal* mark = find(kMarkNames)) {
            if (const auto number = number_in(*mark); number && *number >= 0 && *number < 100'000 && find(kPlaceNames) == nullptr) {
                return Mark{static_cast<int>(*number)};
            }
        }
        const Literal* first = find(kPlaceNames, 0);
        const bool is_in_parts = first != nullptr && first->kind == Literal::Kind::Number; // click(500, 300)
        std::vector<Spot> spots = is_in_parts ? std::vector<Spot>{} : places(kPlaceNames, 0);
        if (spots.empty() && !fault_) {
            spots = place_of_parts();
        }
        if (spots.empty()) {
            return std::nullopt;
        }
        if (spots.size() > 1) {
            warnings_.emplace_back("several boxes: took the first");
        }
        return spots.front();
    }
    /// click(x=500, y=300) and click(500, 300).
    std::vector<Spot> place_of_parts() {
        Literal both;
        both.kind = Literal::Kind::List;
        for (const auto& [name, position] : {std::pair<std::string_view, int>{"x", 0}, {"y", 1}}) {
            if (const Literal* part = find({name}, position); part != nullptr && number_in(*part)) {
                both.items.push_back(*part);
            }
        }
        if (both.items.size() != 2) {
            return {};
        }
        Places read = read_places(both, warnings_);
        if (auto* fault = std::get_if<Fault>(&read)) {
            fault_ = std::move(*fault);
            return {};
        }
        return std::get<std::vector<Spot>>(std::move(read));
    }

    std::vector<std::string> hold_keys() {
        const Literal* value = find({"hold_keys"});
        if (value == nullptr) {
            return {};
        }
        if (value->kind == Literal::Kind::List && value->items.empty()) {
            return {};
        }
        std::string joined = value->text;
        for (const Literal& item : value->items) {
            joined += joined.empty() ? item.text : "+" + item.text;
        }
        Result<std::vector<std::string>> keys = parse_hold_keys(joined);
        if (!keys) {
            fault_ = invalid(keys.error().message);
            return {};
        }
        return *keys;
    }

    Built click(MouseButton button, int count, Duration hold) {
        auto at = place();
        auto held = hold_keys();
        if (fault_) {
            return *fault_;
        }
        if (!at) {
            return incomplete(missing("the place to act, such as start_box='[x,y]'"));
        }
        return Action(Click{*at, button, count, hold, std::move(held), text(kInfoNames, -1), consent()});
    }

    /// AutoGLM: a tap with a message wants a person's consent first, whatever the message says.
    [[nodiscard]] std::string consent() const {
        const Literal* const message = find({"message"});
        if (message == nullptr || (message->kind == Literal::Kind::Bool && !message->boolean)) {
            return {};
        }
        const std::string words(message->text.substr(0, kConsentBytesMax));
        return words.empty() ? "a sensitive step" : words;
    }

    Built hover() {
        auto at = place();
        if (fault_) {
            return *fault_;
        }
        if (!at) {
            return incomplete(missing("the place to point at, such as start_box='[x,y]'"));
        }
        return Action(Hover{*at, text(kInfoNames, -1)});
    }

    Built drag() {
        std::vector<Spot> from = places(kPlaceNames, 0);
        std::vector<Spot> to = places(kEndNames, 1);
        auto held = hold_keys();
        if (fault_) {
            return *fault_;
        }
        if (to.empty() && from.size() >= 2) { // both boxes in one argument
            to.push_back(from[1]);
        }
        if (from.empty() || to.empty()) {
            return incomplete(missing("start_box='[x1,y1]' and end_box='[x2,y2]'"));
        }
        return Action(Drag{from.front(), to.front(), std::move(held), text(kInfoNames, -1)});
    }

    Built scroll(std::optional<Direction> fixed) {
        Scroll scroll;
        scroll.at = place();
        if (fault_) {
            return *fault_;
        }
        if (fixed) {
            scroll.direction = *fixed;
        } else if (const Literal* direction = find({"direction"}, scroll.at ? 1 : 0)) {
            const auto found = find_direction(direction->text);
            if (!found) {
                return invalid(fmt::format("there is no direction '{}': use up, down, left or right", direction->text.substr(0, 40)));
            }
            scroll.direction = *found;
        }
        if (const Literal* step = find({"step", "steps", "step_count", "amount", "notches", "clicks"})) {
            const auto number = number_in(*step);
            if (!number || !(*number >= 1 && *number <= 10'000)) {
                return invalid("a scroll's step is a number of wheel notches, 1 or more");
            }
            scroll.notches = static_cast<int>(*number);
        }
        if (const Literal* distance = find({"distance"})) {
            const auto number = number_in(*distance);
            if (!number || !(*number > 0 && *number <= 100)) {
                return invalid("a scroll's distance is a share of the view, between 0 and 1");
            }
            scroll.viewport_share = *number <= 1 ? *number : *number / 100;
        }
        return Action(std::move(scroll));
    }

    Built swipe() {
        if (find(kEndNames) != nullptr) { // AutoGLM: from a point to a point
            return finger_path();
        }
        Swipe swipe;
        swipe.at = place();
        if (fault_) {
            return *fault_;
        }
        const Literal* direction = find({"direction"}, swipe.at ? 1 : 0);
        if (direction == nullptr) {
            return incomplete(missing("its direction: up, down, left or right"));
        }
        const auto found = find_direction(direction->text);
        if (!found) {
            return invalid(fmt::format("there is no direction '{}': use up, down, left or right", direction->text.substr(0, 40)));
        }
        swipe.direction = *found;
        return Action(std::move(swipe));
    }

    Built finger_path() {
        const std::vector<Spot> from = places(kPlaceNames, 0);
        const std::vector<Spot> to = places(kEndNames, 1);
        if (fault_) {
            return *fault_;
        }
        if (from.empty() || to.empty()) {
            return incomplete(missing("start=[x1,y1] and end=[x2,y2]"));
        }
        return Action(Swipe{from.front(), direction_between(from.front(), to.front()), to.front()});
    }

    /// The text to enter; nullopt: none was given.
    [[nodiscard]] std::optional<std::string> content() const {
        const Literal* value = find(kTextNames, 0);
        if (value == nullptr || value->kind == Literal::Kind::List || value->kind == Literal::Kind::Dict) {
            return std::nullopt;
        }
        return value->text;
    }

    Built type() {
        auto typed = content();
        if (!typed) {
            return incomplete(missing("the text to type"));
        }
        TypeText type;
        type.text_utf8 = std::move(*typed);
        if (find(kPlaceNames) != nullptr || find(kMarkNames) != nullptr) {
            type.into = place();
        }
        if (fault_) {
            return *fault_;
        }
        type.clear_first = is_auto_glm_ || is_on({"clear", "clear_first", "clear_text", "override"});
        type.press_enter = is_on({"press_enter", "enter", "submit"});
        type.element_info = text(kInfoNames, -1);
        if (type.text_utf8.empty() && !type.into && !type.clear_first && !type.press_enter) {
            return invalid("there is nothing to type");
        }
        return Action(std::move(type));
    }

    Built input_text() {
        auto typed = content();
        if (!typed) {
            return incomplete(missing("the text to enter"));
        }
        TypeText type;
        type.text_utf8 = std::move(*typed);
        type.into = place();
        if (fault_) {
            return *fault_;
        }
        type.clear_first = is_on({"override", "clear_text"});
        type.press_enter = true;
        return Action(std::move(type));
    }

    Built key_press() {
        const Literal* value = find({"keys", "key", "text", "combo"}, 0);
        if (value == nullptr || (value->items.empty() && value->text.empty())) {
            return incomplete(missing("the key to press"));
        }
        std::vector<std::string> names;
        for (const Literal& item : value->items) {
            names.push_back(item.text);
        }
        Result<KeyChord> chord = names.empty() ? parse_chord(value->text) : make_chord(std::move(names));
        if (!chord) {
            return invalid(chord.error().message);
        }
        return Action(std::move(*chord));
    }

    Built wait() {
        Wait wait;
        if (call_.notation == Notation::Json) {
            wait.duration = std::chrono::seconds(1); // the phone's wait is short
        }
        if (const Literal* value = find({"duration", "seconds", "time"}, 0)) {
            const auto seconds = number_in(*value);
            if (!seconds || !(*seconds >= 0 && *seconds <= 3600)) {
                return invalid("a wait takes 0 to 3600 seconds");
            }
            wait.duration = std::chrono::milliseconds(std::llround(*seconds * 1000));
        }
        return Action(wait);
    }

    Built open_app() {
        std::string name = text({"app_name", "app", "name", "text"});
        if (name.empty()) {
            return incomplete(missing("the app's name"));
        }
        return Action(OpenApp{std::move(name)});
    }

    Built answer() {
        const Literal* value = find({"text", "content", "answer", "message"}, 0);
        if (value == nullptr || value->text.empty()) {
            return incomplete(missing("its text"));
        }
        return Action(Answer{value->text, call_.notation == Notation::Call});
    }

    Built finish() {
        Finish finish{Verdict::Success, text({"message", "content", "text", "answer", "summary"})};
        if (const Literal* value = find({"status", "goal_status", "success"})) {
            const auto good = truth_of(lowered(value->text));
            if (!good) {
                return invalid("the status is either complete or infeasible");
            }
            finish.verdict = *good ? Verdict::Success : Verdict::Infeasible;
        }
        return Action(std::move(finish));
    }

    Built status() {
        const Literal* value = find({"goal_status", "status"}, 0);
        if (value == nullptr) {
            return incomplete(missing("goal_status: complete or infeasible"));
        }
        const auto good = truth_of(lowered(value->text));
        if (!good) {
            return invalid(fmt::format("goal_status is either complete or infeasible, not '{}'", value->text.substr(0, 40)));
        }
        return Action(Finish{*good ? Verdict::Success : Verdict::Infeasible, ""});
    }

    Built dispatch_do() {
        const Literal* name = find({"action"});
        if (name == nullptr) {
            return incomplete("do() lacks its action");
        }
        const auto intent = find_intent(name->text);
        if (!intent || *intent == Intent::Do) {
            return invalid(fmt::format("there is no action '{}'", name->text.substr(0, 40)));
        }
        is_auto_glm_ = true;
        return build(*intent);
    }

    const Call& call_;
    const Literal& arguments_;
    std::vector<std::string>& warnings_;
    std::optional<Fault> fault_;
    bool is_auto_glm_ = false;
};

} // namespace

Built build_action(const Call& call, std::vector<std::string>& warnings) {
    const auto intent = find_intent(call.name);
    if (!intent) {
        return invalid(fmt::format("there is no action '{}'", call.name.substr(0, 40)));
    }
    return Builder(call, warnings).build(*intent);
}

} // namespace handeye
