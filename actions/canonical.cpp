// SPDX-License-Identifier: Apache-2.0
// The canonical JSON form of an action: what scripts, the API and recordings write. Strict, and its own inverse.
#include "actions/scan.h"

#include "actions/action.h"
#include "actions/keys.h"
#include "base/json.h"
#include "base/suggest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

constexpr double kPixelsMax = 100'000;
constexpr std::array<std::pair<std::string_view, Direction>, 4> kDirections{
    {{"up", Direction::Up}, {"down", Direction::Down}, {"left", Direction::Left}, {"right", Direction::Right}}};

Error bad(std::string message) {
    return {ErrorCode::InvalidArgument, std::move(message)};
}

/// Fields of one action object; remembers which were read, so that a misspelt one is an error.
class Fields {
public:
    Fields(const json& object, std::string verb) : object_(object), verb_(std::move(verb)) { used_.insert("verb"); }

    [[nodiscard]] bool has(const char* name) const { return object_.contains(name); }

    Result<double> number(const char* name) {
        const json& value = use(name);
        if (!value.is_number() || !std::isfinite(value.get<double>())) {
            return bad(fmt::format("{}: '{}' must be a number", verb_, name));
        }
        return value.get<double>();
    }
    Result<double> number_or(const char* name, double fallback) { return has(name) ? number(name) : fallback; }

    Result<std::string> text(const char* name) {
        const json& value = use(name);
        if (!value.is_string()) {
            return bad(fmt::format("{}: '{}' must be a text", verb_, name));
        }
        return value.get<std::string>();
    }
    Result<std::string> text_or(const char* name) { return has(name) ? text(name) : std::string(); }

    Result<bool> flag(const char* name) {
        if (!has(name)) {
            return false;
        }
        const json& value = use(name);
        if (!value.is_boolean()) {
            return bad(fmt::format("{}: '{}' must be true or false", verb_, name));
        }
        return value.get<bool>();
    }

    /// A list of texts, or "ctrl+shift".
    Result<std::vector<std::string>> names(const char* name) {
        std::vector<std::string> out;
        const json& value = use(name);
        for (const json& item : value.is_array() ? value : json::array()) {
            if (!item.is_string()) {
                return bad(fmt::format("{}: '{}' must be a list of texts", verb_, name));
            }
            out.push_back(item.get<std::string>());
        }
        return out;
    }
    [[nodiscard]] bool is_list(const char* name) const { return has(name) && object_.at(name).is_array(); }

    /// Every field must have been read.
    [[nodiscard]] Result<void> finish() const {
        for (const auto& [key, value] : object_.items()) {
            if (!used_.contains(key)) {
                return bad(fmt::format("{}: there is no field '{}'", verb_, key.substr(0, 40)));
            }
        }
        return {};
    }
    [[nodiscard]] const std::string& verb() const { return verb_; }

private:
    const json& use(const char* name) {
        used_.insert(name);
        static const json kNothing;
        const auto found = object_.find(name);
        return found == object_.end() ? kNothing : *found;
    }

    const json& object_;
    std::string verb_;
    std::set<std::string> used_;
};

/// Names of one place's fields.
struct PlaceNames {
    const char* x;
    const char* y;
    const char* mark;
    const char* box;
};
constexpr PlaceNames kAt{"x", "y", "mark", "box"};
constexpr PlaceNames kTo{"to_x", "to_y", "to_mark", "to_box"};

Result<Spot::Box> read_box(Fields& fields, const json& object, const char* name) {
    static_cast<void>(fields.names(name)); // marks the field as read
    const json& value = object.at(name);
    if (!value.is_array() || value.size() != 4 || !std::ranges::all_of(value, [](const json& n) { return n.is_number(); })) {
        return bad(fmt::format("{}: '{}' must be [x0,y0,x1,y1]", fields.verb(), name));
    }
    return Spot::Box{value[0].get<double>(), value[1].get<double>(), value[2].get<double>(), value[3].get<double>()};
}

Result<Target> read_place(Fields& fields, const json& object, PlaceNames names) {
    if (fields.has(names.mark)) {
        const double number = TRY(fields.number(names.mark));
        if (number < 1 || number > 100'000 || number != std::floor(number)) {
            return bad(fmt::format("{}: '{}' must be the number of a label", fields.verb(), names.mark));
        }
        return Target(Mark{static_cast<int>(number)});
    }
    Spot spot{Units::Pixels, TRY(fields.number(names.x)), TRY(fields.number(names.y)), std::nullopt};
    const std::string units = TRY(fields.text_or("units"));
    if (units == "thousandths") {
        spot.units = Units::Thousandths;
    } else if (!units.empty() && units != "pixels") {
        return bad(fmt::format("{}: 'units' is pixels or thousandths, not '{}'", fields.verb(), units.substr(0, 40)));
    }
    const double limit = spot.units == Units::Pixels ? kPixelsMax : 1000;
    if (!(spot.x >= 0 && spot.x <= limit && spot.y >= 0 && spot.y <= limit)) {
        return bad(fmt::format("{}: ({:g}, {:g}) lies outside 0..{:g}", fields.verb(), spot.x, spot.y, limit));
    }
    if (fields.has(names.box)) {
        spot.box = TRY(read_box(fields, object, names.box));
    }
    return Target(spot);
}

Result<std::optional<Target>> read_optional_place(Fields& fields, const json& object) {
    if (!fields.has(kAt.x) && !fields.has(kAt.y) && !fields.has(kAt.mark)) {
        return std::optional<Target>();
    }
    return std::optional<Target>(TRY(read_place(fields, object, kAt)));
}

Result<std::vector<std::string>> read_hold_keys(Fields& fields) {
    if (!fields.has("hold_keys")) {
        return std::vector<std::string>{};
    }
    if (fields.is_list("hold_keys")) {
        return fields.names("hold_keys");
    }
    const std::string joined = TRY(fields.text("hold_keys"));
    return parse_hold_keys(joined);
}

Result<Direction> read_direction(Fields& fields, Direction fallback) {
    if (!fields.has("direction")) {
        return fallback;
    }
    const std::string name = TRY(fields.text("direction"));
    const auto* const found = std::ranges::find(kDirections, name, [](const auto& d) { return d.first; });
    if (found == kDirections.end()) {
        return bad(fmt::format("{}: 'direction' is up, down, left or right, not '{}'", fields.verb(), name.substr(0, 40)));
    }
    return found->second;
}

Result<Action> read_click(Fields& fields, const json& object) {
    Click click;
    click.at = TRY(read_place(fields, object, kAt));
    const std::string& verb = fields.verb();
    click.button = verb == "right_click" ? MouseButton::Right : verb == "middle_click" ? MouseButton::Middle : MouseButton::Left;
    click.count = verb == "double_click" ? 2 : verb == "triple_click" ? 3 : 1;
    if (verb == "long_press") {
        const double ms = TRY(fields.number_or("hold_ms", 1000));
        if (!(ms > 0 && ms <= 60'000)) {
            return bad("long_press: 'hold_ms' must be above 0 and at most 60000");
        }
        click.hold = std::chrono::nanoseconds(std::llround(ms * 1e6));
    }
    click.hold_keys = TRY(read_hold_keys(fields));
    click.element_info = TRY(fields.text_or("element_info"));
    click.ask_first = TRY(fields.text_or("ask_first"));
    return Action(std::move(click));
}

Result<Action> read_hover(Fields& fields, const json& object) {
    Hover hover;
    hover.at = TRY(read_place(fields, object, kAt));
    hover.element_info = TRY(fields.text_or("element_info"));
    return Action(std::move(hover));
}

Result<Action> read_drag(Fields& fields, const json& object) {
    Drag drag;
    drag.from = TRY(read_place(fields, object, kAt));
    drag.to = TRY(read_place(fields, object, kTo));
    drag.hold_keys = TRY(read_hold_keys(fields));
    drag.element_info = TRY(fields.text_or("element_info"));
    return Action(std::move(drag));
}

Result<Action> read_scroll(Fields& fields, const json& object) {
    Scroll scroll;
    scroll.at = TRY(read_optional_place(fields, object));
    scroll.direction = TRY(read_direction(fields, Direction::Down));
    const double amount = TRY(fields.number_or("amount", 5));
    scroll.viewport_share = TRY(fields.number_or("viewport_share", 0));
    if (!(amount >= 1 && amount <= 10'000) || amount != std::floor(amount)) {
        return bad(fmt::format("scroll: 'amount' counts wheel notches from 1, not {:g}", amount));
    }
    if (!(scroll.viewport_share >= 0 && scroll.viewport_share <= 100)) {
        return bad("scroll: 'viewport_share' must lie between 0 and 100");
    }
    scroll.notches = static_cast<int>(amount);
    return Action(std::move(scroll));
}

Result<Action> read_swipe(Fields& fields, const json& object) {
    Swipe swipe;
    swipe.at = TRY(read_optional_place(fields, object));
    if (!fields.has(kTo.x) && !fields.has(kTo.y) && !fields.has(kTo.mark)) {
        swipe.direction = TRY(read_direction(fields, Direction::Up));
        return Action(std::move(swipe));
    }
    if (!swipe.at) {
        return bad("swipe: a way to 'to_x' and 'to_y' begins at 'x' and 'y'");
    }
    if (fields.has("direction")) {
        return bad("swipe: it takes 'direction' or a second point, not both");
    }
    swipe.to = TRY(read_place(fields, object, kTo));
    swipe.direction = direction_between(*swipe.at, *swipe.to);
    return Action(std::move(swipe));
}

Result<Action> read_type(Fields& fields, const json& object) {
    TypeText type;
    type.text_utf8 = TRY(fields.text("text"));
    type.into = TRY(read_optional_place(fields, object));
    type.clear_first = TRY(fields.flag("clear"));
    type.press_enter = TRY(fields.flag("enter"));
    type.element_info = TRY(fields.text_or("element_info"));
    return Action(std::move(type));
}

Result<Action> read_key(Fields& fields, const json&) {
    if (!fields.is_list("keys")) {
        const std::string text = TRY(fields.text("keys"));
        return Action(TRY(parse_chord(text)));
    }
    std::vector<std::string> names = TRY(fields.names("keys"));
    if (names.size() == 1) { // as a task file lists its chords
        return Action(TRY(parse_chord(names.front())));
    }
    const auto chord_within = std::find_if(names.begin(), names.end(), [](const std::string& name) { return name.size() > 1 && name.find('+') != std::string::npos; });
    if (chord_within != names.end()) {
        return bad(fmt::format("key: one action is one chord, and '{}' is one by itself: give each its own action", chord_within->substr(0, 40)));
    }
    return Action(TRY(make_chord(std::move(names))));
}

Result<Action> read_wait(Fields& fields, const json&) {
    const double seconds = TRY(fields.number_or("seconds", 5));
    if (!(seconds >= 0 && seconds <= 3600)) {
        return bad(fmt::format("wait: 'seconds' must lie between 0 and 3600, not {:g}", seconds));
    }
    return Action(Wait{std::chrono::nanoseconds(std::llround(seconds * 1e9))});
}

Result<Action> read_open_app(Fields& fields, const json&) {
    OpenApp open{TRY(fields.text("app"))};
    if (fields.has("args") && !fields.is_list("args")) {
        return bad("open_app: 'args' must be a list of texts");
    }
    open.args = TRY(fields.names("args"));
    return Action(std::move(open));
}
Result<Action> read_open_url(Fields& fields, const json&) {
    return Action(OpenUrl{TRY(fields.text("url"))});
}
Result<Action> read_focus_window(Fields& fields, const json&) {
    return Action(FocusWindow{TRY(fields.text("title"))});
}
Result<Action> read_navigate(Fields& fields, const json&) {
    return Action(Navigate{fields.verb() == "back" ? Place::Back : fields.verb() == "home" ? Place::Home : Place::SearchPage});
}
Result<Action> read_answer(Fields& fields, const json&) {
    Answer answer;
    answer.text_utf8 = TRY(fields.text("text"));
    answer.ends_task = TRY(fields.flag("ends_task"));
    return Action(std::move(answer));
}
Result<Action> read_ask_user(Fields& fields, const json&) {
    return Action(AskUser{TRY(fields.text_or("question"))});
}
Result<Action> read_finish(Fields& fields, const json&) {
    return Action(Finish{fields.verb() == "finish" ? Verdict::Success : Verdict::Infeasible, TRY(fields.text_or("message"))});
}

struct Reader {
    std::string_view verb;
    Result<Action> (*read)(Fields&, const json&);
};
constexpr std::array kReaders{
    Reader{"click", read_click}, Reader{"right_click", read_click}, Reader{"middle_click", read_click},
    Reader{"double_click", read_click}, Reader{"triple_click", read_click}, Reader{"long_press", read_click},
    Reader{"hover", read_hover}, Reader{"drag", read_drag}, Reader{"scroll", read_scroll}, Reader{"swipe", read_swipe},
    Reader{"type", read_type}, Reader{"key", read_key}, Reader{"back", read_navigate}, Reader{"home", read_navigate},
    Reader{"search_page", read_navigate}, Reader{"open_app", read_open_app}, Reader{"open_url", read_open_url},
    Reader{"focus_window", read_focus_window}, Reader{"wait", read_wait},
    Reader{"answer", read_answer}, Reader{"ask_user", read_ask_user}, Reader{"finish", read_finish}, Reader{"fail", read_finish},
};

void write_place(json& out, const Target& target, PlaceNames names) {
    if (const Mark* mark = std::get_if<Mark>(&target)) {
        out[names.mark] = mark->number;
        return;
    }
    const Spot& spot = std::get<Spot>(target);
    const auto number = [](double value) { return value == std::floor(value) ? json(std::llround(value)) : json(value); };
    out[names.x] = number(spot.x);
    out[names.y] = number(spot.y);
    if (spot.units == Units::Thousandths) {
        out["units"] = "thousandths";
    }
    if (spot.box) {
        out[names.box] = {number(spot.box->x0), number(spot.box->y0), number(spot.box->x1), number(spot.box->y1)};
    }
}

void write_text(json& out, const char* name, const std::string& text) {
    if (!text.empty()) {
        out[name] = text;
    }
}
void write_list(json& out, const char* name, const std::vector<std::string>& names) {
    if (!names.empty()) {
        out[name] = names;
    }
}
std::string_view direction_word(Direction direction) {
    return std::ranges::find(kDirections, direction, [](const auto& d) { return d.second; })->first;
}

void write(json& out, const Click& a) {
    write_place(out, a.at, kAt);
    if (a.hold > Duration::zero()) {
        out["hold_ms"] = std::chrono::duration<double, std::milli>(a.hold).count();
    }
    write_list(out, "hold_keys", a.hold_keys);
    write_text(out, "element_info", a.element_info);
    write_text(out, "ask_first", a.ask_first);
}
void write(json& out, const Hover& a) {
    write_place(out, a.at, kAt);
    write_text(out, "element_info", a.element_info);
}
void write(json& out, const Drag& a) {
    write_place(out, a.from, kAt);
    write_place(out, a.to, kTo);
    write_list(out, "hold_keys", a.hold_keys);
    write_text(out, "element_info", a.element_info);
}
void write(json& out, const Scroll& a) {
    if (a.at) {
        write_place(out, *a.at, kAt);
    }
    out["direction"] = direction_word(a.direction);
    out["amount"] = a.notches;
    if (a.viewport_share > 0) {
        out["viewport_share"] = a.viewport_share;
    }
}
void write(json& out, const Swipe& a) {
    if (a.at) {
        write_place(out, *a.at, kAt);
    }
    if (a.to) {
        write_place(out, *a.to, kTo);
    } else {
        out["direction"] = direction_word(a.direction);
    }
}
void write(json& out, const TypeText& a) {
    out["text"] = a.text_utf8;
    if (a.into) {
        write_place(out, *a.into, kAt);
    }
    if (a.clear_first) {
        out["clear"] = true;
    }
    if (a.press_enter) {
        out["enter"] = true;
    }
    write_text(out, "element_info", a.element_info);
}
void write(json& out, const KeyChord& a) {
    std::vector<std::string> names = a.modifiers;
    names.insert(names.end(), a.keys.begin(), a.keys.end());
    const bool can_join = std::ranges::none_of(names, [](const std::string& n) { return n == "+" || n == " "; });
    out["keys"] = can_join ? json(fmt::format("{}", fmt::join(names, "+"))) : json(names);
}
void write(json& out, const Wait& a) {
    out["seconds"] = std::chrono::duration<double>(a.duration).count();
}
void write(json& out, const OpenApp& a) {
    out["app"] = a.name;
    write_list(out, "args", a.args);
}
void write(json& out, const OpenUrl& a) {
    out["url"] = a.url;
}
void write(json& out, const FocusWindow& a) {
    out["title"] = a.title;
}
void write(json&, const Navigate&) {}
void write(json& out, const Answer& a) {
    out["text"] = a.text_utf8;
    if (a.ends_task) {
        out["ends_task"] = true;
    }
}
void write(json& out, const AskUser& a) {
    write_text(out, "question", a.question_utf8);
}
void write(json& out, const Finish& a) {
    write_text(out, "message", a.message_utf8);
}

} // namespace

std::string to_canonical_json(const Action& action) {
    json out{{"verb", verb_name(action)}};
    std::visit([&](const auto& a) { write(out, a); }, action);
    return dump_json(out);
}

Result<Action> parse_canonical(std::string_view text) {
    const json object = TRY(parse_json(text));
    if (!object.is_object() || !object.contains("verb") || !object.at("verb").is_string()) {
        return bad("an action is an object with a verb, such as {\"verb\":\"click\",\"x\":160,\"y\":70}");
    }
    const auto verb = object.at("verb").get<std::string>();
    const auto* const reader = std::ranges::find(kReaders, verb, &Reader::verb);
    if (reader == kReaders.end()) {
        std::vector<std::string_view> verbs;
        std::ranges::transform(kReaders, std::back_inserter(verbs), &Reader::verb);
        return bad(fmt::format("there is no verb '{}'; {}", verb.substr(0, 40), suggestion(verb, "verbs", verbs)));
    }
    Fields fields(object, verb);
    Result<Action> action = reader->read(fields, object);
    if (!action) {
        return action;
    }
    TRY(fields.finish());
    return action;
}

} // namespace handeye
