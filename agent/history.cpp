// SPDX-License-Identifier: Apache-2.0
#include "agent/history.h"

#include "actions/vocabulary.h"
#include "base/image_codec.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

// The name under which the desktop dialect knows the verb; the canonical one where it has none.
std::string call_name(const Action& action) {
    const std::string_view verb = verb_name(action);
    const VerbRow* row = find_verb(verb);
    return std::string(row != nullptr && row->desktop ? row->desktop->name : verb);
}

std::string direction_name(Direction direction) {
    switch (direction) {
    case Direction::Up: return "up";
    case Direction::Down: return "down";
    case Direction::Left: return "left";
    case Direction::Right: return "right";
    }
    return "";
}

struct Argument {
    std::string operator()(const Click& a) const { return a.element_info; }
    std::string operator()(const Hover& a) const { return a.element_info; }
    std::string operator()(const Drag& a) const { return a.element_info; }
    std::string operator()(const Scroll& a) const { return direction_name(a.direction); }
    std::string operator()(const Swipe& a) const { return direction_name(a.direction); }
    std::string operator()(const TypeText& a) const { return a.text_utf8; }
    std::string operator()(const KeyChord& a) const {
        std::string out;
        for (const auto* names : {&a.modifiers, &a.keys}) {
            for (const std::string& name : *names) {
                out += (out.empty() ? "" : "+") + name;
            }
        }
        return out;
    }
    std::string operator()(const Wait&) const { return ""; }
    std::string operator()(const OpenApp& a) const { return a.name; }
    std::string operator()(const OpenUrl& a) const { return a.url; }
    std::string operator()(const FocusWindow& a) const { return a.title; }
    std::string operator()(const Navigate&) const { return ""; }
    std::string operator()(const Answer& a) const { return a.text_utf8; }
    std::string operator()(const AskUser& a) const { return a.question_utf8; }
    std::string operator()(const Finish&) const { return ""; }
};

} // namespace

std::string clip_utf8(const std::string& text_utf8, std::size_t bytes_max) {
    if (text_utf8.size() <= bytes_max) {
        return text_utf8;
    }
    std::size_t end = bytes_max > 3 ? bytes_max - 3 : 0;
    while (end > 0 && (static_cast<unsigned char>(text_utf8[end]) & 0xC0U) == 0x80U) {
        --end;
    }
    return text_utf8.substr(0, end) + "...";
}

std::string summarize(const ParsedReply& reply) {
    const std::string argument = std::visit(Argument{}, reply.action);
    return call_name(reply.action) + (argument.empty() ? "" : " " + argument);
}

std::string describe_effect(const Step& step, const std::string& nudge) {
    std::string effect;
    if (!step.interrupted.empty()) {
        effect = fmt::format("Interrupted ({}) and {}: the screen may be another one now", step.interrupted,
                             step.result.certainty == Certainty::Refused && step.result.events_sent == 0 ? "not done" : "perhaps only partly done");
    } else if (!step.parsed) {
        effect = step.parse_error;
    } else if (step.gate.gate == Gate::Deny) {
        effect = fmt::format("Refused by policy: {}. Choose another action, or say that it cannot be done.", step.gate.reason);
    } else {
        switch (step.result.certainty) {
        case Certainty::Confirmed:
        case Certainty::Unverifiable: effect = "Success"; break;
        case Certainty::SuspectedNoop: effect = "The screen did not change"; break;
        case Certainty::Partial: effect = "Only partly done: " + step.result.reason; break;
        case Certainty::Refused: effect = "Not done: " + step.result.reason; break;
        }
    }
    return nudge.empty() ? effect : fmt::format("{}. Note: {}. Try something else.", effect, nudge);
}

void History::add(const Step& step, std::string observation) {
    HistoryStep entry;
    entry.observation = clip_utf8(observation, limits_.observation_bytes_max);
    entry.app = step.app;
    if (step.parsed) {
        entry.thinking = clip_utf8(step.parsed->thinking, limits_.text_bytes_max);
        entry.thought = clip_utf8(step.parsed->thought, limits_.text_bytes_max);
        entry.call = clip_utf8(step.parsed->call, limits_.short_bytes_max);
        entry.history_text = clip_utf8(step.parsed->history_text, limits_.text_bytes_max);
        entry.summary = clip_utf8(summarize(*step.parsed), limits_.short_bytes_max);
        if (!step.parsed->memory.empty()) {
            memory_ = clip_utf8(step.parsed->memory, limits_.memory_bytes_max);
        }
    } else {
        entry.call = "(none)";
        entry.history_text = entry.observation;
        entry.summary = "(no action)";
    }
    const bool went_wrong = observation != "Success";
    // The compact list says what was done. An action without a visible effect was done all the same.
    if (step.parsed && (step.gate.gate == Gate::Deny || step.result.certainty == Certainty::Refused)) {
        entry.summary += " (refused)";
    }
    if (went_wrong && step.parsed) {
        entry.history_text += "\nObservation: " + entry.observation;
    }
    entry.screenshot = step.seen.image;
    const Size size = step.seen.image.size();
    if (!step.seen.image.is_empty()) {
        const Size half{std::max(1, size.width_px / 2), std::max(1, size.height_px / 2)};
        entry.screenshot_half = scaled(step.seen.image, half).value_or(Image()); // empty: the prompt makes it, or says why not
    }
    steps_.push_back(std::move(entry));
    forget();
}

void History::forget() {
    if (steps_.size() > limits_.steps_max) {
        steps_.erase(steps_.begin());
    }
    if (steps_.size() > limits_.pictures_max) {
        HistoryStep& old = steps_[steps_.size() - limits_.pictures_max - 1];
        old.screenshot = {};
        old.screenshot_half = {};
    }
    if (steps_.size() > limits_.full_steps_max) {
        HistoryStep& old = steps_[steps_.size() - limits_.full_steps_max - 1];
        old.thinking = clip_utf8(old.thinking, limits_.short_bytes_max);
        old.thought = clip_utf8(old.thought, limits_.short_bytes_max);
        old.history_text = clip_utf8(old.history_text, limits_.short_bytes_max);
    }
}

} // namespace handeye
