// SPDX-License-Identifier: Apache-2.0
// Corrections as preference pairs. Only what was refused before it was done counts: then the person acted on the very screen that
// the model had been shown. What a person does with mouse and keyboard of the machine itself is in no recording.
#include "actions/parse.h"
#include "actions/vocabulary.h"
#include "agent/export.h"
#include "agent/training_set.h"
#include "agent/training_text.h"
#include "base/json.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace training; // NOLINT(google-build-using-namespace): this file writes one of its sets
using report::field_of;
using report::number_of;
using report::text_of;

constexpr std::size_t kPageEvents = 256;
constexpr std::string_view kHiddenText = "(secret)"; // what input.type_secret leaves of its text

/// What a person did in place of a step's action.
struct Correction {
    int task = 0;
    int step = 0;
    std::string decision; ///< "deny" or "take_over"
    std::string by;
    std::string action;   ///< canonical JSON
    json points;          ///< its places, as they were resolved
};

/// Goes through the events in order and finds each refused step with the first thing that was done in its place.
class CorrectionFinder {
public:
    void add(const StoredEvent& event) {
        const Result<json> parsed = parse_json(event.data_json, {.bytes_max = 16U << 20U, .depth_max = 64});
        if (!parsed || !parsed->is_object()) {
            return;
        }
        const json& data = *parsed;
        const bool is_input = field_of(data, "input").is_boolean();
        if (event.type == "approval.requested") {
            asked_ = {text_of(data, "approval"), static_cast<int>(number_of(data, "task")), static_cast<int>(number_of(data, "step"))};
        } else if (event.type == "approval.decided") {
            decide(data);
        } else if (event.type == "observation.captured" || event.type == "human.input") {
            refused_.reset(); // another look, or a hand whose doing is unknown: what follows is about another screen
        } else if (is_input && event.type == "action.proposed" && refused_) {
            refused_->by = text_of(data, "by");
            refused_->action = dump_json(field_of(data, "action"));
        } else if (is_input && event.type == "action.executed" && refused_ && !refused_->action.empty()) {
            refused_->points = field_of(data, "points");
            if (text_of(data, "certainty") != "refused") {
                found_.push_back(*std::exchange(refused_, std::nullopt));
            }
        }
    }
    [[nodiscard]] const std::vector<Correction>& found() const { return found_; }

private:
    struct Asked {
        std::string approval;
        int task = 0;
        int step = 0;
    };

    void decide(const json& data) {
        const std::string decision = text_of(data, "decision");
        if (text_of(data, "approval") == asked_.approval && (decision == "deny" || decision == "take_over")) {
            refused_ = Correction{asked_.task, asked_.step, decision, "", "", json()};
        }
    }

    Asked asked_;
    std::optional<Correction> refused_;
    std::vector<Correction> found_;
};

Result<std::vector<Correction>> corrections_of(const Recording& recording) {
    CorrectionFinder finder;
    for (std::uint64_t next = 1;;) {
        const std::vector<StoredEvent> page = TRY(recording.events(next, kPageEvents));
        if (page.empty()) {
            return finder.found();
        }
        for (const StoredEvent& event : page) {
            finder.add(event);
        }
        next = page.back().seq + 1;
    }
}

std::string literal(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\\' ? "\\\\" : c == '\'' ? "\\'" : c == '\n' ? "\\n" : std::string(1, c);
    }
    return out + "'";
}

// A place in the model's thousandths; empty where there is none.
std::string place(const json& points, std::size_t at) {
    if (!points.is_array() || at >= points.size()) {
        return "";
    }
    const json& target = field_of(points[at], "target");
    const json& frame = field_of(target, "frame");
    const auto thousandths = [&](const char* axis, const char* extent) { return std::clamp(number_of(target, axis) * 1000 / std::max(1.0, number_of(frame, extent)), 0.0, 999.0); };
    return fmt::format("'[{:.0f},{:.0f}]'", thousandths("x", "width"), thousandths("y", "height"));
}

std::string joined(const KeyChord& chord) {
    std::vector<std::string> names = chord.modifiers;
    names.insert(names.end(), chord.keys.begin(), chord.keys.end());
    return fmt::format("{}", fmt::join(names, "+"));
}

/// The arguments of an action's desktop call; unset where that dialect cannot say it.
struct CallArguments {
    const json& points;
    using Text = std::optional<std::string>;

    [[nodiscard]] Text at() const {
        const std::string where = place(points, 0);
        return where.empty() ? Text() : "start_box=" + where;
    }
    Text operator()(const Click& a) const { return a.hold_keys.empty() ? at() : std::nullopt; }
    Text operator()(const Hover&) const { return at(); }
    Text operator()(const Drag& a) const {
        const std::string end = place(points, 1);
        return !at() || end.empty() || !a.hold_keys.empty() ? Text() : *at() + ", end_box=" + end;
    }
    Text operator()(const Scroll& a) const {
        const bool is_vertical = a.direction == Direction::Up || a.direction == Direction::Down;
        return !is_vertical || !at() ? Text() : fmt::format("{}, direction='{}', step={}", *at(), a.direction == Direction::Up ? "up" : "down", a.notches);
    }
    Text operator()(const TypeText& a) const {
        const bool is_more = a.into || a.clear_first || a.press_enter; // than the dialect's word for it
        return is_more || a.text_utf8 == kHiddenText ? Text() : "content=" + literal(a.text_utf8);
    }
    Text operator()(const KeyChord& a) const { return "keys=" + literal(joined(a)); }
    Text operator()(const Wait&) const { return ""; }
    Text operator()(const Finish&) const { return ""; }
    template <class Other>
    Text operator()(const Other&) const { return std::nullopt; }
};

// What the model should have answered. It is read back: what it says must be what the person did.
Result<std::string> better_answer(const Correction& correction, AnswerForm form) {
    const Action action = TRY(parse_action(correction.action));
    const VerbRow* const row = find_verb(verb_name(action));
    const std::optional<std::string> arguments = std::visit(CallArguments{correction.points}, action);
    if (row == nullptr || !row->desktop || !arguments) {
        return Error{ErrorCode::Unsupported, fmt::format("the person's {} has no form in the model's language", verb_name(action))};
    }
    std::string out = TRY(answer_text(fmt::format("<|begin_of_box|>{}({})<|end_of_box|>", row->desktop->name, *arguments), form));
    const ParsedReply back = TRY(parse_reply(out, Dialect::GlmDesktop));
    const auto* const typed = std::get_if<TypeText>(&action);
    const auto* const typed_back = std::get_if<TypeText>(&back.action);
    if (verb_name(back.action) != verb_name(action) || (typed != nullptr && (typed_back == nullptr || typed_back->text_utf8 != typed->text_utf8))) {
        return Error{ErrorCode::Unsupported, "what the person did cannot be written as an answer"};
    }
    return out;
}

Result<json> pair_of(const Recording& recording, const SessionRecord& session, const Correction& correction, Set& set) {
    const auto task = std::find_if(session.tasks.begin(), session.tasks.end(), [&](const TaskRecord& one) { return one.index == correction.task; });
    if (task == session.tasks.end()) {
        return Error{ErrorCode::NotFound, "its task is not in the recording"};
    }
    const auto step = std::find_if(task->steps.begin(), task->steps.end(), [&](const StepRecord& one) { return one.index == correction.step; });
    if (step == task->steps.end()) {
        return Error{ErrorCode::NotFound, "it is not in the recording"};
    }
    Question question = TRY(question_of(recording, *task, static_cast<std::size_t>(step - task->steps.begin())));
    if (question.dialect != dialect_name(Dialect::GlmDesktop)) {
        return Error{ErrorCode::Unsupported, fmt::format("its model answers in {}, and pairs are written for {}", question.dialect, dialect_name(Dialect::GlmDesktop))};
    }
    const std::string rejected = TRY(answer_of(recording, *step, set.told.form));
    const std::string chosen = TRY(better_answer(correction, set.told.form));
    json record{{"session", session.session_id}, {"task", correction.task}, {"step", correction.step}, {"decision", correction.decision}, {"by", correction.by}};
    record["messages"] = json::array({{{"role", "user"}, {"content", question.text}}});
    record["chosen"] = {{"role", "assistant"}, {"content", chosen}};
    record["rejected"] = {{"role", "assistant"}, {"content", rejected}};
    record["images"] = set.take(question.pictures);
    return record;
}

} // namespace

Result<TrainingExport> export_preference(const Recording& recording, const std::filesystem::path& folder, const TrainingOptions& options) {
    const std::vector<Correction> corrections = TRY(corrections_of(recording));
    const SessionRecord session = report::collect(recording);
    Set set;
    set.name = "handeye_preference";
    set.columns = {{"messages", "messages"}, {"chosen", "chosen"}, {"rejected", "rejected"}, {"images", "images"}};
    set.is_ranking = true;
    set.told.form = options.form.value_or(form_of(session));
    for (const Correction& correction : corrections) {
        if (Result<json> record = pair_of(recording, session, correction, set)) {
            set.records.push_back(*std::move(record));
        } else {
            set.told.left_out.push_back({correction.task, correction.step, record.error().message});
        }
    }
    if (set.records.empty()) {
        return Error{ErrorCode::InvalidArgument,
                     set.told.left_out.empty() ? "the recording holds no correction: no action that a person refused and then did otherwise"
                                               : fmt::format("none of the {} corrections can be used: {}", set.told.left_out.size(), set.told.left_out.front().reason)};
    }
    return write_set(recording, std::move(set), folder);
}

} // namespace handeye
