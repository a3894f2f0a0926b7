// SPDX-License-Identifier: Apache-2.0
// The table itself. It is long because a task file can say much; each line is one key.
#include "agent/taskfile/grammar.h"

#include <algorithm>
#include <array>
#include <map>

namespace handeye::taskfile {
namespace {

using Fields = std::vector<Field>;
using Words = std::vector<std::string_view>;

constexpr double kDay = 86'400;

ValueType text() { return {.kind = Kind::Text}; }
ValueType texts() { return {.kind = Kind::Text, .is_list = true}; }
ValueType plain() { return {.kind = Kind::Plain}; }
ValueType plains() { return {.kind = Kind::Plain, .is_list = true}; }
ValueType name() { return {.kind = Kind::Name}; }
ValueType truth() { return {.kind = Kind::Truth}; }
ValueType integer(double from, double to) { return {.kind = Kind::Integer, .from = from, .to = to}; }
ValueType number(double from, double to) { return {.kind = Kind::Number, .from = from, .to = to}; }
ValueType count(double to) { return {.kind = Kind::Count, .from = 1, .to = to}; }
ValueType duration(double to = kDay) { return {.kind = Kind::Duration, .from = 0, .to = to}; }
ValueType choice(Words choices) { return {.kind = Kind::Choice, .choices = std::move(choices)}; }
ValueType choices(Words choices) { return {.kind = Kind::Choice, .is_list = true, .choices = std::move(choices)}; }
ValueType pattern() { return {.kind = Kind::Pattern}; }
ValueType search() { return {.kind = Kind::Search}; }
ValueType patterns() { return {.kind = Kind::Pattern, .is_list = true}; }
ValueType expression() { return {.kind = Kind::Expression}; }
ValueType chords() { return {.kind = Kind::Chord, .is_list = true}; }
ValueType numbers(int how_many) { return {.kind = Kind::Numbers, .from = static_cast<double>(how_many), .to = static_cast<double>(how_many)}; }
ValueType object(ShapeId shape) { return {.kind = Kind::Object, .shape = shape}; }
ValueType objects(ShapeId shape) { return {.kind = Kind::Object, .is_list = true, .shape = shape}; }
ValueType named(ShapeId shape) { return {.kind = Kind::Names, .shape = shape}; }
ValueType value() { return {.kind = Kind::Value}; }

const Words kSides{"left", "right", "above", "below"};
const Words kReasons{"target_not_found", "no_effect", "assert_failed", "timeout", "refused", "any"};

Fields operator+(Fields a, const Fields& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// What a condition can be about, and what narrows it. An assert says the same with a message.
Fields condition_fields() {
    return {
        {"text", text(), "this text is on the screen"},
        {"element", object(ShapeId::Target), "this target can be found"},
        {"template", text(), "this picture is on the screen: a file beside the task file"},
        {"window", text(), "a window with this in its title is there"},
        {"file", text(), "this file is there"},
        {"clipboard", search(), "the clipboard holds what this pattern finds"},
        {"expr", expression(), "this expression is true"},
        {"model", text(), "the model, shown the screen, says that this is so"},
        {"all", objects(ShapeId::Condition), "each of these holds"},
        {"any", objects(ShapeId::Condition), "one of these holds"},
        {"not", object(ShapeId::Condition), "this does not hold"},
        {"region", object(ShapeId::Region), "only here", false, "text|template|model"},
        {"exact", truth(), "letter case and the whole of the text count", false, "text"},
        {"min_score", number(0.5, 1), "how alike the picture must be", false, "template"},
        {"mask", ValueType{.kind = Kind::Numbers, .is_list = true, .from = 4, .to = 4}, "areas of the picture that do not count: [x, y, width, height]", false, "template"},
        {"contains", search(), "and this pattern is found in it", false, "file"},
        {"newer_than", choice({"step", "task"}), "and it was written since then", false, "file"},
        {"votes", integer(1, 9), "ask so many times", false, "model"},
        {"min", integer(1, 9), "so many of them must say yes", false, "votes"},
    };
}
const Words kConditions{"text", "element", "template", "window", "file", "clipboard", "expr", "model", "all", "any", "not"};

Fields target_fields() {
    return {
        {"id", text(), "the accessibility id, or the id in the page"},
        {"role", plain(), "its role: button, entry, check box"},
        {"label", text(), "its accessible name, or the label beside it"},
        {"text", text(), "text that is read on it"},
        {"template", text(), "what it looks like: a picture beside the task file"},
        {"model", text(), "in words, for the model to find"},
        {"landmarks", objects(ShapeId::Landmark), "two or more things around it, as they lay when it was recorded"},
        {"at", numbers(2), "[x, y] in pixels of the target: the last resort"},
        {"was", numbers(4), "[x, y, width, height] where it was when it was recorded: a result tells how far it has moved"},
        {"exact", truth(), "letter case and the whole of the text count"},
        {"near", object(ShapeId::Near), "the one nearest to another target"},
        {"region", object(ShapeId::Region), "only here"},
        {"index", integer(1, 1000), "the n-th of several, from the top, then from the left"},
        {"min_score", number(0.5, 1), "how alike the picture must be", false, "template"},
        {"within", duration(), "wait so long for it"},
    };
}
const Words kPrimaries{"id", "role", "label", "text", "template", "landmarks", "model", "at"};

Shape click_shape() {
    return {"click", "Click a target", target_fields() + Fields{
        {"hold", duration(60), "press so long"},
        {"hold_keys", plains(), "modifiers held meanwhile: ctrl, shift, alt"},
    }, "text", {}, kPrimaries};
}

Shape step_shape() {
    return {"step", "One step: exactly one verb, and what holds around it", {
        {"launch", object(ShapeId::Launch), "start a program"},
        {"open_url", object(ShapeId::OpenUrl), "go to an address"},
        {"focus", object(ShapeId::Focus), "bring a window to the front"},
        {"click", object(ShapeId::Click), "click a target"},
        {"double_click", object(ShapeId::Click), "click it twice"},
        {"triple_click", object(ShapeId::Click), "click it three times: a line of text"},
        {"right_click", object(ShapeId::Click), "open its context menu"},
        {"middle_click", object(ShapeId::Click), "click it with the middle button"},
        {"hover", object(ShapeId::Hover), "move the pointer there"},
        {"drag", object(ShapeId::Drag), "press at one target, release at another"},
        {"type", object(ShapeId::Type), "type text"},
        {"key", object(ShapeId::Key), "press keys"},
        {"scroll", object(ShapeId::Scroll), "turn the wheel"},
        {"wait_until", object(ShapeId::WaitUntil), "wait for a condition"},
        {"sleep", object(ShapeId::Sleep), "wait for a time; a condition is better"},
        {"extract", object(ShapeId::Extract), "read a value from the screen into outputs"},
        {"assert", object(ShapeId::Assert), "fail the task unless this holds"},
        {"capture", object(ShapeId::Capture), "keep a picture"},
        {"run", object(ShapeId::Run), "carry out another task file"},
        {"goal", object(ShapeId::Goal), "let the model work towards this"},
        {"ask", object(ShapeId::Ask), "ask the person"},
        {"set", object(ShapeId::Set), "compute an output"},
        {"for_each", object(ShapeId::ForEach), "do `steps` for each item of a list"},
        {"repeat", object(ShapeId::Repeat), "do `steps` again and again"},
        {"group", plain(), "do `steps` under one name"},
        {"steps", objects(ShapeId::Step), "what is repeated or grouped", false, "for_each|repeat|group"},
        {"id", name(), "by which expressions name it: steps.ID.ok"},
        {"label", plain(), "what reports call it"},
        {"when", object(ShapeId::Condition), "only if this holds"},
        {"until", object(ShapeId::WaitUntil), "and then wait for this"},
        {"optional", truth(), "go on when it fails"},
        {"effect", choice({"seen", "any"}), "seen: it fails when the screen stays as it was; any when not given"},
        {"irreversible", truth(), "never tried twice, never on a guess"},
        {"idempotent", truth(), "doing it twice does no harm"},
        {"retry", object(ShapeId::Retry), "try again when it fails"},
        {"done_when", object(ShapeId::Condition), "what proves that the goal is reached", false, "goal"},
        {"budget", object(ShapeId::Budget), "how much the goal may take", false, "goal"},
        {"compile", choice({"on_success", "never"}), "keep a successful path; later runs try it before the model", false, "goal"},
    }, "", {"launch", "open_url", "focus", "click", "double_click", "triple_click", "right_click", "middle_click", "hover", "drag", "type", "key", "scroll", "wait_until",
            "sleep", "extract", "assert", "capture", "run", "goal", "ask", "set", "for_each", "repeat", "group"}};
}

std::map<ShapeId, Shape> make_shapes() {
    std::map<ShapeId, Shape> out;
    out[ShapeId::File] = {"task_file", "A task: where, with what, under which rules, in which steps", {
        {"version", integer(1, 1), "of this format", true},
        {"name", plain(), "what reports call it", true},
        {"description", plain(), "for people"},
        {"platform", object(ShapeId::Platform), "where it runs"},
        {"model", plain(), "folder of the model for goals; the daemon's or the bundled one otherwise"},
        {"vars", named(ShapeId::Variable), "what is given from outside: --var NAME=VALUE"},
        {"policy", object(ShapeId::Policy), "what it may do, whatever a model says"},
        {"on_interstitial", objects(ShapeId::Interstitial), "pop-ups that may come, looked for before each step"},
        {"steps", objects(ShapeId::Step), "what is done, in order", true},
        {"retry", object(ShapeId::Retry), "for each step that has none of its own"},
        {"finally", objects(ShapeId::Step), "done at the end, however it ended"},
    }};
    out[ShapeId::Platform] = {"platform", "The screen", {
        {"kind", choice({"x11", "web", "android", "vnc"}), "which platform", true},
        {"display", plain(), "the X display: \":7\""},
        {"window", plain(), "one window by a part of its title"},
        {"attach", plain(), "HOST:PORT of a browser, phone or VNC server"},
        {"launch", plains(), "a program to start first, with its arguments"},
        {"locale", plain(), "of programs that are launched: de_DE"},
        {"min_size", numbers(2), "[width, height] in pixels that the target must have"},
    }, "kind"};
    out[ShapeId::Variable] = {"variable", "A value from outside", {
        {"type", choice({"string", "number", "boolean", "list", "secret"}), "what it is", true},
        {"description", plain(), "for people"},
        {"required", truth(), "there is no task without it"},
        {"default", value(), "when it is not given"},
        {"pattern", pattern(), "a string must be found by it"},
        {"choices", plains(), "a string must be one of these"},
        {"min", number(-1e15, 1e15), "of a number"},
        {"max", number(-1e15, 1e15), "of a number"},
        {"from", plain(), "of a secret: env:NAME, file:PATH or store:NAME"},
    }, "type"};
    out[ShapeId::Policy] = {"policy", "Bounds outside the model", {
        {"apps", plains(), "only these programs"},
        {"window_classes", plains(), "only windows of these classes"},
        {"domains", plains(), "only these hosts"},
        {"verbs", plains(), "only these verbs"},
        {"deny", objects(ShapeId::Rule), "never"},
        {"confirm", objects(ShapeId::Rule), "only when a person says yes"},
        {"budget", object(ShapeId::Budget), "of the whole task"},
        {"on_no_approver", choice({"hold", "deny"}), "when nobody can say yes; allow is no choice"},
    }};
    out[ShapeId::Rule] = {"rule", "Actions, by what they are and what they touch", {
        {"name", plain(), "what refusals call it"},
        {"verb", plains(), "click, type, key, ..."},
        {"apps", plains(), "programs"},
        {"window_classes", plains(), "classes of windows"},
        {"titles", plains(), "titles of windows"},
        {"domains", plains(), "hosts: example.org, *.example.org"},
        {"region", numbers(4), "[x, y, width, height] in pixels"},
        {"outside", truth(), "all but the region", false, "region"},
        {"text_matches", patterns(), "found in what is typed, opened or clicked"},
        {"keys", plains(), "chords: ctrl+alt+*"},
        {"time", plain(), "of day: 08:00-18:00"},
        {"max_count", integer(1, 1e6), "matches so often, then no more"},
    }};
    out[ShapeId::Budget] = {"budget", "How much it may take", {
        {"steps", count(10'000), "actions"},
        {"wall", duration(7 * kDay), "time"},
        {"tokens", count(1e9), "read and written by the model"},
        {"actions_per_minute", integer(1, 10'000), "actions in any minute"},
        {"same_action", integer(1, 1000), "the same action in a row"},
    }};
    out[ShapeId::Interstitial] = {"interstitial", "A pop-up and what closes it", {
        {"when", object(ShapeId::Condition), "how it is seen", true},
        {"do", objects(ShapeId::Step), "what closes it", true},
        {"max", integer(1, 100), "so often; 1 when not given"},
    }};
    out[ShapeId::Retry] = {"retry", "Trying again", {
        {"on", choices(kReasons), "after which failures"},
        {"max", integer(1, 20), "so often", true},
        {"backoff", duration(3600), "wait so long before, twice as long each time"},
        {"from", choice({"step"}), "where it starts again"},
    }, "max"};
    out[ShapeId::Step] = step_shape();
    out[ShapeId::Target] = {"target", "A thing on the screen", target_fields(), "text", {}, kPrimaries};
    out[ShapeId::Near] = {"near", "A neighbour", {
        {"text", text(), "text that is read there"},
        {"label", text(), "its accessible name"},
        {"template", text(), "what it looks like"},
        {"side", choice(kSides), "on which side of it the target lies"},
    }, "text", {"text", "label", "template"}};
    out[ShapeId::Landmark] = {"landmark", "Text around a target, and how far from it the target lies", {
        {"text", text(), "text that is read there", true},
        {"right", integer(-16'384, 16'384), "from its centre to the target's, in pixels", true},
        {"down", integer(-16'384, 16'384), "from its centre to the target's, in pixels", true},
    }};
    out[ShapeId::Region] = {"region", "A part of the screen", {
        {"area", numbers(4), "[x, y, width, height] in pixels"},
        {"near", object(ShapeId::Near), "beside something"},
        {"width", integer(1, 16'384), "in pixels", false, "near"},
        {"height", integer(1, 16'384), "in pixels", false, "near"},
    }, "area", {"area", "near"}};
    out[ShapeId::Condition] = {"condition", "What can be so or not", condition_fields(), "expr", kConditions};
    out[ShapeId::Launch] = {"launch", "Start a program", {
        {"app", text(), "its name or path", true},
        {"args", texts(), "its arguments"},
    }, "app"};
    out[ShapeId::OpenUrl] = {"open_url", "Go to an address", {{"url", text(), "https://...", true}}, "url"};
    out[ShapeId::Focus] = {"focus", "Bring a window to the front", {{"window", text(), "a part of its title", true}}, "window"};
    out[ShapeId::Click] = click_shape();
    out[ShapeId::Hover] = {"hover", "Move the pointer there", target_fields(), "text", {}, kPrimaries};
    out[ShapeId::Drag] = {"drag", "Press at one target, release at another", {
        {"from", object(ShapeId::Target), "where the button goes down", true},
        {"to", object(ShapeId::Target), "where it comes up", true},
        {"hold_keys", plains(), "modifiers held meanwhile"},
    }};
    out[ShapeId::Type] = {"type", "Type text", {
        {"text", text(), "what is typed; the only place for secrets", true},
        {"into", object(ShapeId::Target), "clicked first"},
        {"clear", truth(), "empty the field before"},
        {"enter", truth(), "press Return after"},
        {"verify", choice({"exact", "masked", "none"}), "read it back: exact when not given, masked for password fields"},
    }, "text"};
    out[ShapeId::Key] = {"key", "Press keys, one chord after the other", {{"keys", chords(), "ctrl+shift+t, escape", true}}, "keys"};
    out[ShapeId::Scroll] = {"scroll", "Turn the wheel", {
        {"direction", choice({"up", "down", "left", "right"}), "what comes into sight", true},
        {"amount", integer(1, 1000), "notches; 5 when not given"},
        {"at", object(ShapeId::Target), "with the pointer there"},
        {"until", object(ShapeId::Condition), "again until this holds"},
        {"max", integer(1, 1000), "so often; 20 when not given", false, "until"},
    }, "direction"};
    out[ShapeId::WaitUntil] = {"wait_until", "Wait for a condition", condition_fields() + Fields{
        {"within", duration(), "at most so long; 10s when not given"},
    }, "text", kConditions};
    out[ShapeId::Sleep] = {"sleep", "Wait for a time", {{"for", duration(), "how long", true}}, "for"};
    out[ShapeId::Extract] = {"extract", "Read a value into outputs", {
        {"as", name(), "its name: outputs.NAME", true},
        {"target", object(ShapeId::Target), "of this element"},
        {"region", object(ShapeId::Region), "from here"},
        {"clipboard", truth(), "from the clipboard"},
        {"file", text(), "from this file"},
        {"model", text(), "from the model's answer to this"},
        {"by", choice({"accessibility", "ocr"}), "how text is read", false, "target|region"},
        {"pattern", search(), "what this finds; its first group where it has one"},
        {"type", choice({"string", "number", "boolean", "list"}), "string when not given"},
    }, "", {"target", "region", "clipboard", "file", "model"}};
    out[ShapeId::Assert] = {"assert", "Fail the task unless this holds", condition_fields() + Fields{
        {"message", text(), "what the failure says"},
        {"within", duration(), "look again for so long; 5s when not given"},
    }, "expr", kConditions};
    out[ShapeId::Capture] = {"capture", "Keep a picture", {
        {"name", name(), "of the picture in the report", true},
        {"region", object(ShapeId::Region), "only this part"},
    }, "name"};
    out[ShapeId::Run] = {"run", "Carry out another task file", {
        {"file", text(), "its path from this file", true},
        {"vars", value(), "its variables"},
    }, "file"};
    out[ShapeId::Goal] = {"goal", "Let the model work", {{"text", text(), "what shall be reached", true}}, "text"};
    out[ShapeId::Ask] = {"ask", "Ask the person", {
        {"question", text(), "what is asked", true},
        {"as", name(), "the answer's name: outputs.NAME"},
        {"choices", texts(), "the answers to choose from"},
    }, "question"};
    out[ShapeId::Set] = {"set", "Compute an output", {
        {"as", name(), "its name: outputs.NAME", true},
        {"expr", expression(), "its value", true},
    }};
    out[ShapeId::ForEach] = {"for_each", "For each item of a list", {
        {"in", value(), "a list, or a reference to one", true},
        {"as", name(), "the item's name; `item` when not given"},
        {"max", integer(1, 100'000), "more items are an error; 1000 when not given"},
    }, "in"};
    out[ShapeId::Repeat] = {"repeat", "Again and again", {
        {"max", integer(1, 100'000), "at most so often", true},
        {"while", object(ShapeId::Condition), "as long as this holds"},
        {"until", object(ShapeId::Condition), "until this holds"},
    }, "max"};
    return out;
}

const std::map<ShapeId, Shape>& shapes() {
    static const std::map<ShapeId, Shape> all = make_shapes();
    return all;
}

} // namespace

const Field* Shape::find(std::string_view field) const {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& row) { return row.name == field; });
    return found == fields.end() ? nullptr : &*found;
}

const Shape& shape_of(ShapeId id) { return shapes().at(id); }

std::span<const ShapeId> all_shapes() {
    static const std::vector<ShapeId> ids = [] {
        std::vector<ShapeId> out;
        for (const auto& [id, shape] : shapes()) {
            out.push_back(id);
        }
        return out;
    }();
    return ids;
}

std::span<const std::string_view> step_verbs() { return shape_of(ShapeId::Step).exactly_one_of; }

} // namespace handeye::taskfile
