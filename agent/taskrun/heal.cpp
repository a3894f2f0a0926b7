// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/heal.h"

#include "agent/frame_encoder.h"
#include "agent/secrets.h"
#include "agent/target_facts.h"
#include "agent/taskfile/names.h"
#include "agent/taskrun/targets.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using nlohmann::json;
using taskfile::text_of;

Failure not_healed(const Failure& missing, const std::string& why) { return {missing.kind, fmt::format("{}\nhealing: {}", missing.message, why), missing.outcome}; }

/// As a person would be asked: "Click Save."
std::string goal_of(std::string_view verb, const TargetQuery& query) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kWords{
        {{"double_click", "Double-click"}, {"right_click", "Right-click"}, {"middle_click", "Click with the middle button"}, {"hover", "Point at"}, {"type", "Click"}, {"scroll", "Point at"}}};
    const auto* const word = std::find_if(kWords.begin(), kWords.end(), [&](const auto& row) { return row.first == verb; });
    const std::string& name = !query.label_utf8.empty() ? query.label_utf8 : !query.text_utf8.empty() ? query.text_utf8 : query.description_utf8;
    return fmt::format("{} {}.", word == kWords.end() ? "Click" : word->second, name.empty() ? describe(query) : name);
}

std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words(1);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x80 || std::isalnum(byte) != 0) {
            words.back() += static_cast<char>(std::tolower(byte));
        } else if (!words.back().empty()) {
            words.emplace_back();
        }
    }
    std::erase(words, "");
    return words;
}

bool share_a_word(const std::string& a, const std::string& b) {
    const std::vector<std::string> of_a = words_of(a), of_b = words_of(b);
    return std::any_of(of_a.begin(), of_a.end(), [&](const std::string& word) { return std::find(of_b.begin(), of_b.end(), word) != of_b.end(); });
}

/// The keys beside those that name the target, as the file has them.
std::string other_keys(const Node& target) {
    std::string out;
    for (const char* const key : {"hold", "within"}) {
        if (const Node* const value = target.find(key)) {
            out += fmt::format(", {}: {}", key, value->scalar);
        }
    }
    if (const Node* const keys = target.find("hold_keys")) {
        std::string list;
        for (const Node& item : keys->items) {
            list += (list.empty() ? "" : ", ") + task_file_text(item.scalar);
        }
        out += fmt::format(", hold_keys: [{}]", list);
    }
    return out;
}

} // namespace

Attempt<Found> Healer::find(const Node& step, const Node& target, const Failure& missing, Context& context) {
    pending_.reset();
    if (taskfile::is_set(step, "irreversible")) {
        return not_healed(missing, "the step is irreversible, so nothing is guessed");
    }
    if (left_ <= 0) {
        return not_healed(missing, "as many steps as may be were healed in this run already");
    }
    Result<Look> look = context.hands.look();
    if (!look) {
        return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
    }
    const Attempt<TargetQuery> query = query_of(target, context, *look);
    if (const auto* const failure = std::get_if<Failure>(&query)) {
        return *failure;
    }
    --left_;
    const Result<Suggestion> suggestion = context.hands.suggest(goal_of(context.record->verb, std::get<TargetQuery>(query)));
    if (Outcome over = context.check_over()) {
        return *std::move(over);
    }
    if (!suggestion) {
        return not_healed(missing, "the model gave no action: " + suggestion.error().message);
    }
    if (!suggestion->at) {
        return not_healed(missing, fmt::format("the model points nowhere: {}", suggestion->call));
    }
    if (const std::string doubt = doubt_about(step, target, *suggestion, context); !doubt.empty()) {
        return not_healed(missing, doubt);
    }
    return check(target, *suggestion, missing, context);
}

/// Why what the model points at is not what the file means; empty: nothing speaks against it.
std::string Healer::doubt_about(const Node& step, const Node& target, const Suggestion& suggestion, Context& context) {
    const Element* const element = innermost_at(suggestion.look.elements, *suggestion.at);
    const std::string named = text_of(target, "label") + " " + text_of(target, "text");
    const bool is_told = !text_of(target, "role").empty() || !text_of(target, "label").empty() || !text_of(target, "id").empty();
    if (says_irreversible(named) || says_irreversible(suggestion.called) || (element != nullptr && says_irreversible(element->label_utf8))) {
        return fmt::format("the model points at \"{}\", and what that does may not be undone", element == nullptr ? suggestion.called : element->label_utf8);
    }
    if (element == nullptr && is_told) {
        return fmt::format("the model points at a place of which no program tells ({})", suggestion.call);
    }
    if (element != nullptr && !element->label_utf8.empty() && !share_a_word(element->label_utf8, suggestion.called.empty() ? named : suggestion.called)) {
        return fmt::format("the model points at {} \"{}\" and calls it \"{}\"", element->role, element->label_utf8, suggestion.called);
    }
    const Node* const type = step.find("type");
    if (type == nullptr) {
        return "";
    }
    const Result<std::string> text = context.values().typed_text(text_of(*type, "text"));
    const bool is_secret = !text || has_secret_reference(*text) || text_of(*type, "verify") == "masked";
    if (element == nullptr || !takes_text(element->role) || (is_secret && !element->is_secret)) {
        return fmt::format("the model points at {}, and that is no field for this text", element == nullptr ? "nothing that is known" : fmt::format("{} \"{}\"", element->role, element->label_utf8));
    }
    return "";
}

Attempt<Found> Healer::check(const Node& target, const Suggestion& suggestion, const Failure& missing, Context& context) {
    const Look& look = suggestion.look;
    const Element* const element = innermost_at(look.elements, *suggestion.at);
    const std::string role = text_of(target, "role");
    if (element != nullptr && !element->is_enabled) {
        return not_healed(missing, fmt::format("the model points at {} \"{}\", which is switched off", element->role, element->label_utf8));
    }
    if (!role.empty()) { // the platform told of it then, so it tells of it now
        TargetQuery same_kind;
        same_kind.role = role;
        same_kind.region = element == nullptr ? Rect{suggestion.at->x, suggestion.at->y, 1, 1} : element->box;
        const Result<Found> fits = context.locator.find(same_kind, {look.shot.image, look.elements});
        if (!fits || !fits->best.box.contains(*suggestion.at)) {
            return not_healed(missing, fmt::format("the model points at {}, and that is no {}", element == nullptr ? "a place of which nothing is known" : fmt::format("{} \"{}\"", element->role, element->label_utf8), role));
        }
    }
    Result<Healed> change = describe_change(target, suggestion, missing, context);
    if (!change) {
        return not_healed(missing, change.error().message);
    }
    pending_ = *std::move(change);
    at_ = *suggestion.at;
    element_json_ = dump_json(describe_element_at(look.elements, at_));
    const Rect box = element == nullptr ? Rect{at_.x, at_.y, 1, 1} : element->box;
    const std::string what = element == nullptr ? "" : element->label_utf8;
    return Found{{Rung::Model, box, 0.5, what, true}, at_, 0, {missing.message, "model: " + suggestion.call}};
}

Result<Healed> Healer::describe_change(const Node& target, const Suggestion& suggestion, const Failure& missing, Context& context) {
    const Look& look = suggestion.look;
    std::vector<Rect> secrets;
    for (const Element& element : look.elements) {
        if (element.is_secret) {
            secrets.push_back(element.box);
        }
    }
    SeenTarget seen = seen_target({{"x", suggestion.at->x}, {"y", suggestion.at->y}}, describe_element_at(look.elements, *suggestion.at));
    seen.picture = [&]() -> Result<Image> { return masked(look.shot.image, secrets); };
    std::string words = TRY(writer_.write(seen, fmt::format("healed-{:03}-{}.png", context.record->line, healed_.size() + 1)));
    words.insert(words.size() - 1, other_keys(target));
    const taskfile::Loaded& file = context.frame().file;
    const auto& files = context.files.files;
    const auto here = std::find_if(files.begin(), files.end(), [&](const auto& row) { return &row.second == &file; });
    return Healed{here == files.end() ? file.folder / std::filesystem::path(file.shown).filename() : here->first, target.place, title_of(*context.record), missing.message.substr(0, missing.message.find('\n')), suggestion.call, words};
}

bool Healer::is_there(const Look& look) const { return dump_json(describe_element_at(look.elements, at_)) == element_json_; }

Outcome Healer::keep(Context& context) {
    const json data{{"file", context.record->file}, {"line", context.record->line}, {"missing", pending_->missing}, {"call", pending_->call}, {"target", pending_->words}};
    healed_.push_back(*std::exchange(pending_, std::nullopt));
    context.record->note = "healed by the model: " + healed_.back().call;
    const Result<void> told = context.hands.tell("taskfile.healed", dump_json(data));
    return told ? std::nullopt : Outcome(context.give_up(told.error()));
}

} // namespace handeye::taskrun
