// SPDX-License-Identifier: Apache-2.0
// Verbs that touch the screen. Each is one step of the session: it looks, finds the target in what it sees, and acts there.
#include "agent/taskrun/verbs.h"

#include "actions/keys.h"
#include "agent/frame_encoder.h"
#include "agent/secrets.h"
#include "agent/taskfile/names.h"
#include "agent/taskrun/conditions.h"
#include "agent/taskrun/heal.h"
#include "agent/taskrun/targets.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::taskrun {
namespace {

using taskfile::text_of;

constexpr int kScrollsMax = 20;
constexpr int kNotches = 5;
constexpr int kNotchesAtOnce = 100;
constexpr int kTriesMax = 6;        // of a target that changes under the eyes
constexpr Duration kWindowWithin = std::chrono::seconds(5);
constexpr Duration kReadBackWithin = std::chrono::seconds(5);   // a program on a slow machine takes what was typed letter by letter
constexpr double kSureScore = 0.85;                            // all of the words, or a picture at its own size
constexpr Duration kEffectWithin = std::chrono::seconds(15); // a browser on a busy machine paints later than it acts

Target spot(Point at) { return Spot{Units::Pixels, double(at.x), double(at.y), std::nullopt}; }

/// Another look may do: what was seen had changed when the hand was there, or somebody else had the target for a while.
bool is_worth_another_look(const StepEnd& end) {
    return !end.interrupted.empty() || (end.not_proposed && end.not_proposed->code == ErrorCode::NotFound) ||
           (!end.not_proposed && end.gate.gate == Gate::Allow && end.result.certainty == Certainty::Refused && end.result.events_sent == 0);
}

Outcome outcome_of(const StepEnd& end, Context& context) {
    if (end.over) {
        return Failure{FailureKind::Over, end.over->message, end.over->outcome};
    }
    if (end.not_proposed) {
        const bool is_missing = end.not_proposed->code == ErrorCode::NotFound;
        return is_missing ? fail(FailureKind::TargetNotFound, end.not_proposed->message) : fail(*end.not_proposed);
    }
    if (end.gate.gate != Gate::Allow) {
        return fail(FailureKind::Refused, end.gate.reason);
    }
    const bool is_cut_short = end.result.certainty == Certainty::Refused || end.result.certainty == Certainty::Partial;
    if (Outcome over = is_cut_short ? context.check_over() : std::nullopt) {
        return over; // by who stopped the task
    }
    switch (end.result.certainty) {
    case Certainty::Refused: return fail(FailureKind::Failed, end.result.reason);
    case Certainty::Partial: return fail(FailureKind::Failed, "only partly done: " + end.result.reason);
    case Certainty::SuspectedNoop: context.record->note = end.result.reason; break;
    case Certainty::Confirmed:
    case Certainty::Unverifiable: break;
    }
    return std::nullopt;
}

/// What a program does on a click may come later than a still screen: this waits for it.
Outcome wait_for_effect(const Image& before, Context& context) {
    const Attempt<bool> seen = context.until(kEffectWithin, [&]() -> Attempt<bool> {
        const Result<Look> look = context.hands.look();
        return look && !is_no_more_than_caret(changed_area(before, look->shot.image).size());
    });
    if (const auto* const failure = std::get_if<Failure>(&seen)) {
        return *failure;
    }
    context.record->note.clear();
    return std::get<bool>(seen) ? std::nullopt : Outcome(fail(FailureKind::NoEffect, "the screen stayed as it was, and the file wants to see an effect"));
}

Outcome act(Context& context, const Propose& what) {
    StepEnd end;
    Image before;
    const Propose propose = [&](const Look& look) {
        before = look.shot.image;
        return what(look);
    };
    for (int tries = 0; tries < kTriesMax; ++tries) {
        Result<StepEnd> done = context.hands.act(propose);
        if (!done) {
            return context.give_up(done.error());
        }
        end = *std::move(done);
        if (end.over || !is_worth_another_look(end)) {
            break;
        }
    }
    Outcome failure = outcome_of(end, context);
    const bool was_seen = end.result.certainty == Certainty::Confirmed;
    return failure || was_seen || !context.wants_effect ? failure : wait_for_effect(before, context);
}

/// A Failure as `propose` hands it on: what is missing may come, anything else may not.
Error as_error(const Failure& failure) { return {failure.kind == FailureKind::TargetNotFound ? ErrorCode::NotFound : ErrorCode::InvalidArgument, failure.message}; }

bool is_guess(Rung rung) { return rung == Rung::Model || rung == Rung::Landmark; }

/// What cannot be undone is done to what is there beyond doubt.
Result<void> check_sure(const Node& target, const Found& found) {
    const Rung rung = found.best.rung;
    const Rung meant = meant_rung(target);
    if (is_guess(rung)) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the step is irreversible and its target was only guessed (by {}): name it by id, label, text or picture", rung_name(rung))};
    }
    if (rung > meant) {
        return Error{ErrorCode::PermissionDenied, fmt::format("the step is irreversible and its target is not where the file means it: found by {}, not by {}\n{}", rung_name(rung), rung_name(meant),
                                                              fmt::join(found.tried, "\n"))};
    }
    if (found.best.score < kSureScore) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("the step is irreversible and its target, \"{}\", is not sure enough: {} {:.2f} of {:.2f}", found.best.what_utf8, rung_name(rung), found.best.score, kSureScore)};
    }
    return {};
}

Result<Found> found_for(const Node& step, const Node& target, Context& context, const Look& look) {
    Attempt<Found> found = find_in(target, context, look);
    if (const auto* const failure = std::get_if<Failure>(&found)) {
        return as_error(*failure);
    }
    auto& sure = std::get<Found>(found);
    if (taskfile::is_set(step, "irreversible")) {
        TRY(check_sure(target, sure));
    }
    note_found(context, target, sure);
    return std::move(sure);
}

/// The same where the model sees the target that was not found.
template <class Make>
Outcome act_healed(const Node& step, const Node& target, const Failure& missing, Context& context, const Make& make) {
    Attempt<Found> found = context.healer->find(step, target, missing, context);
    if (auto* const failure = std::get_if<Failure>(&found)) {
        return *std::move(failure);
    }
    const auto& there = std::get<Found>(found);
    Outcome failure = act(context, [&](const Look& look) -> Result<Proposal> {
        if (!context.healer->is_there(look)) {
            return Error{ErrorCode::NotFound, "what the model pointed at is not there any more"};
        }
        note_found(context, target, there);
        Action action = TRY(make(there.point, look));
        return Proposal{std::move(action), fmt::format("{} {}", context.record->verb, context.record->label), found_json(there, context.record->drift)};
    });
    return failure ? failure : context.healer->keep(context);
}

/// Waits for the target and does `make(point, look)` there.
template <class Make>
Outcome act_at(const Node& step, const Node& target, Context& context, const Make& make) {
    if (Outcome missing = wait_for(target, context)) {
        const bool may_heal = context.healer != nullptr && missing->kind == FailureKind::TargetNotFound;
        return may_heal ? act_healed(step, target, *missing, context, make) : missing;
    }
    return act(context, [&](const Look& look) -> Result<Proposal> {
        const Found found = TRY(found_for(step, target, context, look));
        Action action = TRY(make(found.point, look));
        return Proposal{std::move(action), fmt::format("{} {}", context.record->verb, context.record->label), found_json(found, context.record->drift, taskfile::is_set(step, "irreversible"))};
    });
}

Outcome act_plain(Context& context, Action action) {
    return act(context, [&](const Look&) -> Result<Proposal> { return Proposal{action, fmt::format("{} {}", context.record->verb, context.record->label), ""}; });
}

std::vector<std::string> words(const Node* list) {
    std::vector<std::string> out;
    for (const Node& item : list != nullptr ? list->items : std::vector<Node>()) {
        out.push_back(item.scalar);
    }
    return out;
}

Outcome click(const Node& step, const Node& call, Context& context, MouseButton button, int count) {
    return act_at(step, call, context, [&](Point at, const Look& /*look*/) -> Result<Action> {
        return Action(Click{spot(at), button, count, duration_of(call, "hold", Duration::zero()), words(call.find("hold_keys")), ""});
    });
}

std::size_t window_count(Context& context) {
    const Result<std::vector<WindowInfo>> windows = context.hands.platform().windows();
    return windows ? windows->size() : 0;
}

const Element* element_at(const std::vector<Element>& elements, Point at) {
    const Element* best = nullptr;
    for (const Element& element : elements) {
        if (element.box.contains(at) && (best == nullptr || element.box.size().area() <= best->box.size().area())) {
            best = &element;
        }
    }
    return best;
}

/// A password goes into a field that hides it, and nowhere else. `at`: where the field is; unset: the one that has the keyboard.
Result<void> check_hidden(const Look& look, std::optional<Point> at) {
    const auto focused = std::find_if(look.elements.begin(), look.elements.end(), [](const Element& element) { return element.is_focused; });
    const Element* const field = at ? element_at(look.elements, *at) : focused == look.elements.end() ? nullptr : &*focused;
    if (field == nullptr) {
        return Error{ErrorCode::NotFound, "no program tells which field this is, so a password is not typed there; \"verify: none\" does without"};
    }
    if (!field->is_secret) {
        return Error{ErrorCode::NotFound, fmt::format("{} \"{}\" is no password field", field->role, field->label_utf8)};
    }
    return {};
}

/// Reads back what was typed, where the platform can tell what a field holds.
Outcome read_back(const std::string& typed, Point at, Context& context) {
    std::string held;
    bool is_known = false;
    const Attempt<bool> arrived = context.until(kReadBackWithin, [&]() -> Attempt<bool> {
        const Result<Look> look = context.hands.look();
        const Element* const field = look ? element_at(look->elements, at) : nullptr;
        is_known = field != nullptr && !field->is_secret && field->role != "terminal" && !field->value_utf8.empty();
        held = is_known ? field->value_utf8 : "";
        return !is_known || held.find(typed) != std::string::npos;
    });
    if (const auto* const failure = std::get_if<Failure>(&arrived)) {
        return *failure;
    }
    if (!std::get<bool>(arrived)) {
        return fail(FailureKind::NoEffect, fmt::format("\"{}\" was typed and the field holds \"{}\"", typed.substr(0, 80), held.substr(0, 80)));
    }
    if (!is_known && context.record->note.empty()) {
        context.record->note = "what the field holds cannot be read here";
    }
    return std::nullopt;
}

} // namespace

Outcome do_launch(const Node& step, const Node& call, Context& context) {
    OpenApp launch;
    Result<std::string> app = context.values().text(text_of(call, "app"));
    if (!app) {
        return fail(app.error());
    }
    launch.name = *std::move(app);
    for (const std::string& raw : words(call.find("args"))) {
        Result<std::string> argument = context.values().text(raw);
        if (!argument) {
            return fail(argument.error());
        }
        launch.args.push_back(*std::move(argument));
    }
    const std::size_t before = window_count(context);
    if (Outcome failure = act_plain(context, std::move(launch))) {
        return failure;
    }
    const bool waits_for_more = step.find("until") != nullptr;
    const Attempt<bool> shown = context.until(waits_for_more ? Duration::zero() : kWindowWithin, [&]() -> Attempt<bool> {
        const std::string ended = context.hands.platform().launch_failure();
        return ended.empty() ? Attempt<bool>(window_count(context) > before) : fail(FailureKind::Failed, "the program " + ended);
    });
    if (const auto* const failure = std::get_if<Failure>(&shown)) {
        return *failure;
    }
    context.record->note = !std::get<bool>(shown) && !waits_for_more ? "no window came" : ""; // the screen changes when the window comes
    return std::nullopt;
}

Outcome do_open_url(const Node&, const Node& call, Context& context) {
    Result<std::string> url = context.values().text(text_of(call, "url"));
    return url ? act_plain(context, OpenUrl{*std::move(url)}) : fail(url.error());
}

Outcome do_focus(const Node&, const Node& call, Context& context) {
    Result<std::string> title = context.values().text(text_of(call, "window"));
    return title ? act_plain(context, FocusWindow{*std::move(title)}) : fail(title.error());
}

Outcome do_click(const Node& step, const Node& call, Context& context) { return click(step, call, context, MouseButton::Left, 1); }
Outcome do_double_click(const Node& step, const Node& call, Context& context) { return click(step, call, context, MouseButton::Left, 2); }
Outcome do_triple_click(const Node& step, const Node& call, Context& context) { return click(step, call, context, MouseButton::Left, 3); }
Outcome do_right_click(const Node& step, const Node& call, Context& context) { return click(step, call, context, MouseButton::Right, 1); }
Outcome do_middle_click(const Node& step, const Node& call, Context& context) { return click(step, call, context, MouseButton::Middle, 1); }

Outcome do_hover(const Node& step, const Node& call, Context& context) {
    return act_at(step, call, context, [](Point at, const Look& /*look*/) -> Result<Action> { return Action(Hover{spot(at), ""}); });
}

Outcome do_drag(const Node& step, const Node& call, Context& context) {
    const Node& from = *call.find("from");
    const Node& to = *call.find("to");
    for (const Node* const end : {&from, &to}) {
        if (Outcome missing = wait_for(*end, context)) {
            return missing;
        }
    }
    return act(context, [&](const Look& look) -> Result<Proposal> {
        const Found end = TRY(found_for(step, to, context, look));
        const Found start = TRY(found_for(step, from, context, look)); // the one that the record names
        Drag drag{spot(start.point), spot(end.point), words(call.find("hold_keys")), ""};
        return Proposal{std::move(drag), fmt::format("drag {}", context.record->label), found_json(start, context.record->drift, taskfile::is_set(step, "irreversible"))};
    });
}

Outcome do_type(const Node& step, const Node& call, Context& context) {
    const std::string raw = text_of(call, "text");
    Result<std::string> text = context.values().typed_text(raw);
    if (!text) {
        return fail(text.error());
    }
    TypeText type{*text, std::nullopt, taskfile::is_set(call, "clear"), taskfile::is_set(call, "enter"), ""};
    const Node* const into = call.find("into");
    const std::string verify = text_of(call, "verify");
    const auto check = [&](const Look& look, std::optional<Point> at) { return verify == "masked" ? check_hidden(look, at) : Result<void>(); };
    if (into == nullptr) {
        return act(context, [&](const Look& look) -> Result<Proposal> {
            TRY(check(look, std::nullopt));
            return Proposal{type, fmt::format("{} {}", context.record->verb, context.record->label), ""};
        });
    }
    Node field = *into; // words alone are a label's, too: what is typed goes into the field beside it
    const bool has_only_words = std::none_of(field.entries.begin(), field.entries.end(), [](const taskfile::Entry& entry) {
        constexpr std::array<std::string_view, 6> kOther{"role", "id", "template", "model", "at", "landmarks"};
        return std::find(kOther.begin(), kOther.end(), entry.key) != kOther.end();
    });
    if (has_only_words) {
        field.entries.push_back({"role", field.place, Node{.kind = Node::Kind::Scalar, .place = field.place, .scalar = "entry"}});
    }
    Point at;
    Outcome failure = act_at(step, field, context, [&](Point point, const Look& look) -> Result<Action> {
        TRY(check(look, point));
        at = point;
        TypeText there = type;
        there.into = spot(point);
        return Action(std::move(there));
    });
    const bool can_read = !has_secret_reference(*text) && text->find('\n') == std::string::npos && !type.press_enter && !text->empty();
    return failure || verify == "masked" || verify == "none" || !can_read ? failure : read_back(*text, at, context);
}

Outcome do_key(const Node&, const Node& call, Context& context) {
    for (const std::string& name : words(call.find("keys"))) {
        const Result<KeyChord> chord = parse_chord(name);
        if (!chord) {
            return fail(chord.error());
        }
        if (Outcome failure = act_plain(context, *chord)) {
            return failure;
        }
    }
    return std::nullopt;
}

Outcome do_scroll(const Node& step, const Node& call, Context& context) {
    constexpr std::array<std::pair<std::string_view, Direction>, 4> kDirections{
        {{"up", Direction::Up}, {"down", Direction::Down}, {"left", Direction::Left}, {"right", Direction::Right}}};
    const std::string word = text_of(call, "direction");
    const auto direction = std::find_if(kDirections.begin(), kDirections.end(), [&](const auto& row) { return row.first == word; })->second;
    const Node* const at = call.find("at");
    const auto turn = [&](int notches) -> Outcome {
        return at == nullptr ? act_plain(context, Scroll{std::nullopt, direction, notches, 0})
                             : act_at(step, *at, context, [&](Point point, const Look& /*look*/) -> Result<Action> { return Action(Scroll{spot(point), direction, notches, 0}); });
    };
    const auto amount = static_cast<int>(integer_of(call, "amount", kNotches));
    const Node* const until = call.find("until");
    const auto times = until == nullptr ? 1 : static_cast<int>(integer_of(call, "max", kScrollsMax));
    for (int i = 0; i < times; ++i) {
        if (until != nullptr) {
            Attempt<bool> now = holds(*until, context);
            if (std::holds_alternative<Failure>(now) || std::get<bool>(now)) {
                return std::holds_alternative<Failure>(now) ? Outcome(std::get<Failure>(now)) : std::nullopt;
            }
        }
        for (int left = amount; left > 0; left -= kNotchesAtOnce) {
            if (Outcome failure = turn(std::min(left, kNotchesAtOnce))) {
                return failure;
            }
        }
    }
    return until == nullptr ? std::nullopt : wait_until(*until, context, std::chrono::seconds(1), FailureKind::Timeout);
}

} // namespace handeye::taskrun
