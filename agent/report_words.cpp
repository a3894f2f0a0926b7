// SPDX-License-Identifier: Apache-2.0
#include "agent/report_words.h"

#include "agent/report_html.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr std::size_t kTitleCharacters = 90;

// What a person did, by the verb of its action.
struct DoneWord {
    std::string_view verb;
    std::string_view words;
};
constexpr std::array<DoneWord, 13> kDone{{{"click", "Clicked"},
                                          {"double_click", "Double-clicked"},
                                          {"triple_click", "Triple-clicked"},
                                          {"right_click", "Right-clicked"},
                                          {"middle_click", "Middle-clicked"},
                                          {"long_press", "Held the button on"},
                                          {"hover", "Moved to"},
                                          {"drag", "Dragged"},
                                          {"swipe", "Swiped"},
                                          {"scroll", "Scrolled"},
                                          {"type", "Typed"},
                                          {"key", "Pressed"},
                                          {"wait", "Waited"}}};

std::string done_words(const std::string& verb) {
    const auto* const found = std::find_if(kDone.begin(), kDone.end(), [&](const DoneWord& one) { return one.verb == verb; });
    return found == kDone.end() ? human(verb) : std::string(found->words);
}

std::string joined_keys(const json& keys) {
    std::string out = keys.is_string() ? keys.get<std::string>() : "";
    for (const json& key : keys.is_array() ? keys : json::array()) {
        out += key.is_string() ? (out.empty() ? "" : "+") + key.get<std::string>() : "";
    }
    return out;
}

// Of a demonstration, whose proposals were never spoken by a model: from the action itself and what it fell on.
std::string shown_title(const StepRecord& step) {
    const json& proposal = proposal_of(step);
    const json& action = field_of(proposal, "action");
    std::string object = text_of(action, "text");
    if (object.starts_with("{{secret:") && object.ends_with("}}")) {
        object = "the secret " + object.substr(9, object.size() - 11);
    } else if (!object.empty()) {
        object = "“" + object + "”";
    }
    if (object.empty()) {
        object = joined_keys(field_of(action, "keys"));
    }
    if (object.empty()) {
        object = text_of(action, "direction");
    }
    const json& points = field_of(step.executed, "points");
    const std::string element = element_words(step);
    const bool has_place = points.is_array() && !points.empty();
    if (object.empty() && has_place) {
        object = element.empty() ? (points.size() > 1 ? "from " : "at ") + place_words(points.front()) : element;
        object += points.size() > 1 ? " to " + place_words(points.back()) : "";
    }
    return done_words(text_of(proposal, "verb")) + (object.empty() ? "" : " " + object);
}

} // namespace

std::string place_words(const json& point) {
    const json& at = field_of(point, "target");
    return at.is_object() ? fmt::format("{:.0f}, {:.0f}", number_of(at, "x"), number_of(at, "y")) : "";
}

Chooser chooser_of(const SessionRecord& session) { return text_of(field_of(session.opened, "model"), "name") == "person" ? Chooser::Person : Chooser::Model; }

std::string counted(double count, std::string_view noun) { return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s"); }

std::string human(std::string word) {
    std::replace(word.begin(), word.end(), '_', ' ');
    return word == "suspected noop" ? "no visible effect" : word;
}

const json& proposal_of(const StepRecord& step) {
    static const json kNone;
    return step.proposals.empty() ? kNone : step.proposals.back();
}

const json& timings_of(const StepRecord& step) { return field_of(step.finished, "timings_ms"); }

std::string result_of(const StepRecord& step) { return text_of(step.finished, "result", "unfinished"); }

std::string result_words(const StepRecord& step, Chooser chooser) {
    const std::string result = shown_result(step);
    if (result == "failed") {
        return human(text_of(step.failure, "kind", result));
    }
    if (step.is_after_late) {
        return "done";
    }
    if (chooser == Chooser::Person && (result == "confirmed" || result == "unverifiable")) {
        return result == "confirmed" ? "the screen changed" : "no change seen";
    }
    return human(result);
}

std::string element_words(const StepRecord& step) {
    const json& points = field_of(step.executed, "points");
    const json& element = points.is_array() && !points.empty() ? field_of(points.front(), "element") : points;
    if (!element.is_object()) {
        return "";
    }
    const std::string label = text_of(element, "label");
    const std::string role = human(text_of(element, "role"));
    return label.empty() ? role : "“" + label + "”" + (role.empty() ? "" : " (" + role + ")");
}

bool is_by_file(const StepRecord& step) { return step.file_step.is_object() && text_of(step.file_step, "verb") != "goal"; }

std::string number_words(const StepRecord& step) { return step.number.empty() ? std::to_string(step.index) : step.number; }

std::string shown_result(const StepRecord& step) {
    if (step.failure.is_object()) {
        return "failed";
    }
    return step.is_after_late ? "confirmed" : result_of(step);
}

std::string step_title(const StepRecord& step, Chooser chooser) {
    const json& proposal = proposal_of(step);
    if (is_by_file(step)) {
        const std::string text = text_of(field_of(proposal, "action"), "text"), label = text_of(step.file_step, "label");
        const std::string typed = text_of(proposal, "verb") == "type" && !text.empty() ? " “" + text + "”" : "";
        return shorten(human(text_of(step.file_step, "verb")) + typed + (label.empty() ? "" : " " + label), kTitleCharacters);
    }
    if (!proposal.is_object()) {
        return step.answers.empty() ? "no question asked" : "no answer";
    }
    if (chooser == Chooser::Person) {
        return shorten(shown_title(step), kTitleCharacters);
    }
    const std::string summary = text_of(proposal, "summary", text_of(proposal, "verb"));
    if (summary.empty()) {
        return field_of(proposal, "found").is_object() ? "the target was not found" : "no action in the answer";
    }
    const bool is_bare = summary.find(' ') == std::string::npos && field_of(proposal, "found").is_object();
    const std::string element = is_bare ? element_words(step) : "";
    return shorten(element.empty() ? summary : summary + " " + element, kTitleCharacters);
}

std::string readable_time(const std::string& utc) { return utc.size() < 19 ? utc : utc.substr(0, 10) + " " + utc.substr(11, 8) + " UTC"; }

} // namespace handeye::report
