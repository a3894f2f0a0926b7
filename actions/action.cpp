// SPDX-License-Identifier: Apache-2.0
// What an action is called: its verb, and the short form that histories tell.
#include "actions/action.h"

#include "actions/vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kSummaryBytesMax = 200;

template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>; // Clang 16 does not deduce it for aggregates

std::string_view click_verb(const Click& click) {
    if (click.hold > Duration::zero()) {
        return "long_press";
    }
    switch (click.button) {
    case MouseButton::Left: break;
    case MouseButton::Middle: return "middle_click";
    case MouseButton::Right: return "right_click";
    }
    return click.count == 2 ? "double_click" : click.count >= 3 ? "triple_click" : "click";
}

std::string_view place_verb(Place place) {
    switch (place) {
    case Place::Back: return "back";
    case Place::Home: return "home";
    case Place::SearchPage: return "search_page";
    }
    return "";
}

std::string_view direction_name(Direction direction) {
    switch (direction) {
    case Direction::Up: return "up";
    case Direction::Down: return "down";
    case Direction::Left: return "left";
    case Direction::Right: return "right";
    }
    return "";
}

std::string target_text(const Target& target) {
    return std::visit(Overloaded{[](const Spot& spot) { return fmt::format("[{:g},{:g}]", spot.x, spot.y); },
                                 [](const Mark& mark) { return fmt::format("[{}]", mark.number); }},
                      target);
}

std::string named(const std::string& element_info, const Target& target) {
    return element_info.empty() ? target_text(target) : element_info;
}

std::string joined(const KeyChord& chord) {
    std::vector<std::string> names = chord.modifiers;
    names.insert(names.end(), chord.keys.begin(), chord.keys.end());
    return fmt::format("{}", fmt::join(names, "+"));
}

/// The word that desktop prompts use for a verb, where they have one: histories speak as the model does.
std::string_view spoken(std::string_view verb) {
    const VerbRow* row = find_verb(verb);
    return row != nullptr && row->desktop ? row->desktop->name : verb;
}

/// One line of at most kSummaryBytesMax bytes, cut between characters.
std::string one_line(std::string text) {
    std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    if (text.size() > kSummaryBytesMax) {
        std::size_t end = kSummaryBytesMax;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
            --end;
        }
        text.resize(end);
    }
    return text;
}

} // namespace

std::string_view verb_name(const Action& action) {
    return std::visit(
        Overloaded{[](const Click& a) { return click_verb(a); }, [](const Hover&) { return std::string_view("hover"); },
                   [](const Drag&) { return std::string_view("drag"); },
                   [](const Scroll&) { return std::string_view("scroll"); },
                   [](const Swipe&) { return std::string_view("swipe"); },
                   [](const TypeText&) { return std::string_view("type"); },
                   [](const KeyChord&) { return std::string_view("key"); },
                   [](const Wait&) { return std::string_view("wait"); },
                   [](const OpenApp&) { return std::string_view("open_app"); },
                   [](const OpenUrl&) { return std::string_view("open_url"); },
                   [](const FocusWindow&) { return std::string_view("focus_window"); },
                   [](const Navigate& a) { return place_verb(a.to); },
                   [](const Answer&) { return std::string_view("answer"); },
                   [](const AskUser&) { return std::string_view("ask_user"); },
                   [](const Finish& a) { return std::string_view(a.verdict == Verdict::Success ? "finish" : "fail"); }},
        action);
}

std::string history_summary(const Action& action) {
    const std::string_view word = spoken(verb_name(action));
    const auto with = [&](std::string_view rest) { return rest.empty() ? std::string(word) : fmt::format("{} {}", word, rest); };
    return one_line(std::visit(
        Overloaded{[&](const Click& a) { return with(named(a.element_info, a.at)); },
                   [&](const Hover& a) { return with(named(a.element_info, a.at)); },
                   [&](const Drag& a) { return with(fmt::format("{} to {}", named(a.element_info, a.from), target_text(a.to))); },
                   [&](const Scroll& a) { return with(direction_name(a.direction)); },
                   [&](const Swipe& a) { return with(a.to && a.at ? fmt::format("{} to {}", target_text(*a.at), target_text(*a.to)) : std::string(direction_name(a.direction))); },
                   [&](const TypeText& a) { return with(a.text_utf8); }, [&](const KeyChord& a) { return with(joined(a)); },
                   [&](const Wait&) { return with(""); }, [&](const OpenApp& a) { return with(a.name); },
                   [&](const OpenUrl& a) { return with(a.url); }, [&](const FocusWindow& a) { return with(a.title); },
                   [&](const Navigate&) { return with(""); }, [&](const Answer& a) { return with(a.text_utf8); },
                   [&](const AskUser& a) { return with(a.question_utf8); }, [&](const Finish& a) { return with(a.message_utf8); }},
        action));
}

Direction direction_between(const Target& from, const Target& to) {
    const auto* const a = std::get_if<Spot>(&from);
    const auto* const b = std::get_if<Spot>(&to);
    if (a == nullptr || b == nullptr) {
        return Direction::Up;
    }
    const double right = b->x - a->x;
    const double down = b->y - a->y;
    if (std::abs(right) > std::abs(down)) {
        return right > 0 ? Direction::Right : Direction::Left;
    }
    return down > 0 ? Direction::Down : Direction::Up;
}

bool is_finger_path(const Action& action) {
    const auto* const swipe = std::get_if<Swipe>(&action);
    return swipe != nullptr && swipe->to.has_value();
}

bool ends_task(const Action& action) {
    if (const auto* answer = std::get_if<Answer>(&action)) {
        return answer->ends_task;
    }
    return std::holds_alternative<Finish>(action);
}

} // namespace handeye
