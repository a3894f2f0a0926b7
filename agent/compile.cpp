// SPDX-License-Identifier: Apache-2.0
#include "agent/compile.h"

#include "agent/program.h"
#include "agent/redactor.h"
#include "agent/report_model.h"
#include "agent/target_words.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye {
namespace {

using nlohmann::json;
using report::field_of;
using report::number_of;
using report::text_of;

constexpr std::size_t kValueBytesMin = 2; // a shorter one would be found anywhere

/// "password_1" of "{{secret:password_1}}", as demonstrations name what they do not record; empty: it is no such text.
std::string demonstrated_secret(const std::string& text) {
    constexpr std::string_view kBegin = "{{secret:", kEnd = "}}";
    if (!text.starts_with(kBegin) || !text.ends_with(kEnd) || text.size() <= kBegin.size() + kEnd.size()) {
        return {};
    }
    const std::string name = text.substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size());
    const bool is_variable = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    return is_variable && name[0] >= 'a' ? name : std::string();
}

class Compiler {
public:
    Compiler(const Recording& recording, CompileOptions options, Locator& reader)
        : recording_(recording), options_(std::move(options)), writer_(reader, [this](const std::string& text) { return words(text); }) {}

    Result<CompiledTask> compile() {
        const report::SessionRecord session = report::collect(recording_);
        if (!session.damage.empty()) {
            return Error{ErrorCode::InvalidArgument, "the recording is damaged: " + session.damage};
        }
        if (session.tasks.empty()) {
            return Error{ErrorCode::InvalidArgument, "the recording holds no task"};
        }
        const report::TaskRecord& task = session.tasks.back();
        const std::string outcome = text_of(task.finished, "outcome", "unfinished");
        if (!options_.steps && outcome != "done") {
            return Error{ErrorCode::InvalidArgument, fmt::format("the task ended \"{}\": only what was done can be done again", outcome)};
        }
        for (std::size_t i = 0; i < task.steps.size(); ++i) {
            const int index = task.steps[i].index;
            if (!options_.steps || (index >= options_.steps->first && index <= options_.steps->last)) {
                TRY(add(task.steps[i], i + 1 < task.steps.size() ? verb_of(task.steps[i + 1]) : "").with_context(fmt::format("step {}", index)));
            }
        }
        if (out_.steps == 0) {
            return Error{ErrorCode::InvalidArgument, "the task has no step that did anything"};
        }
        for (const auto& [name, value] : options_.values) {
            if (body_.find(fmt::format("${{vars.{}}}", name)) == std::string::npos) {
                return Error{ErrorCode::Unsupported, fmt::format("{} (\"{}\") stands in none of its steps, so it would be the same for every value", name, value)};
            }
        }
        out_.yaml = header(options_.description.empty() ? text_of(task.started, "goal") : options_.description) + body_;
        out_.pictures = writer_.pictures();
        return std::move(out_);
    }

private:
    std::string header(const std::string& goal) const {
        std::string out = fmt::format("version: 1\nname: {}\ndescription: {}\n", task_file_text(options_.name), task_file_text(goal));
        out += secrets_.empty() && options_.values.empty() ? "" : "vars:\n";
        for (const auto& [name, value] : options_.values) {
            out += fmt::format("  {}: {{type: string, default: {}}}\n", name, dump_json(json(value)));
        }
        for (const auto& [name, from] : secrets_) {
            out += fmt::format("  {}: {{type: secret, from: \"{}\"}}\n", name, from);
        }
        return out + "steps:\n";
    }

    static std::string verb_of(const report::StepRecord& step) { return step.proposals.empty() ? "" : text_of(field_of(step.proposals.back(), "action"), "verb"); }

    /// What had no effect is left out; a click before typing may have done no more than give the field the keyboard.
    Result<void> add(const report::StepRecord& step, const std::string& next_verb) {
        if (step.executed.is_null() || step.proposals.empty()) {
            return {};
        }
        const std::string certainty = text_of(step.verified, "certainty", text_of(step.executed, "certainty"));
        const json& proposed = step.proposals.back();
        if (text_of(field_of(proposed, "found"), "rung") == kAsideRung) {
            return {};
        }
        const bool gives_focus = verb_of(step) == "click" && (next_verb == "type" || next_verb == "key" || takes_text(text_of(element_of(step), "role")));
        const bool gave_focus = certainty == "suspected_noop" && next_verb == "type" && gives_focus;
        const std::string verb = verb_of(step);
        const bool opens = certainty == "suspected_noop" && (verb == "open_app" || verb == "open_url" || verb == "focus_window"); // what comes of it comes later
        if (certainty != "confirmed" && certainty != "unverifiable" && !gave_focus && !opens) {
            out_.left_out.push_back(fmt::format("step {} ({}): {}", step.index, text_of(proposed, "summary"), certainty));
            return {};
        }
        const bool is_masked = verb == "key" && !secrets_.empty(); // what it changes may lie where a secret was typed and is painted over
        around_ = certainty == "confirmed" && !gives_focus && !is_masked && shows_effect(step) ? "    effect: seen\n" : "";
        around_ += is_irreversible(step) ? "    irreversible: true\n" : "";
        return add_action(step, field_of(proposed, "action"));
    }

    static const json& element_of(const report::StepRecord& step) {
        const json& points = field_of(step.executed, "points");
        return points.is_array() && !points.empty() ? field_of(points[0], "element") : field_of(points, "");
    }

    /// Whose change of the screen is the action's own; what is typed into a field is read back instead, and hovering may light up or not.
    static bool shows_effect(const report::StepRecord& step) {
        constexpr std::array<std::string_view, 9> kVerbs{"click", "double_click", "right_click", "middle_click", "long_press", "drag", "key", "scroll", "swipe"};
        return std::find(kVerbs.begin(), kVerbs.end(), verb_of(step)) != kVerbs.end();
    }

    /// By what its button says, because the task file said so, or because a rule wanted a person's word for it.
    static bool is_irreversible(const report::StepRecord& step) {
        const bool was_asked = text_of(step.gated, "gate") == "ask";
        const bool was_said = !step.proposals.empty() && field_of(field_of(step.proposals.back(), "found"), "irreversible") == true;
        constexpr std::array<std::string_view, 6> kPressing{"click", "double_click", "triple_click", "middle_click", "long_press", "drag"};
        const json& action = step.proposals.empty() ? field_of(step.executed, "") : field_of(step.proposals.back(), "action");
        const bool is_finger_path = verb_of(step) == "swipe" && (action.contains("to_x") || action.contains("to_mark"));
        const bool presses = is_finger_path || std::find(kPressing.begin(), kPressing.end(), verb_of(step)) != kPressing.end();
        return was_asked || was_said || (presses && says_irreversible(text_of(element_of(step), "label")));
    }

    Result<void> add_action(const report::StepRecord& step, const json& action) {
        const std::string verb = text_of(action, "verb");
        constexpr std::array<std::string_view, 6> kAtTarget{"click", "double_click", "triple_click", "right_click", "middle_click", "hover"};
        if (std::find(kAtTarget.begin(), kAtTarget.end(), verb) != kAtTarget.end()) {
            std::string at = TRY(target(step, 0));
            at.insert(at.size() - 1, held(action));
            return line(fmt::format("{}: {}", verb, at));
        }
        if (verb == "long_press") {
            std::string at = TRY(target(step, 0));
            at.insert(at.size() - 1, fmt::format(", hold: {:.0f}ms", std::clamp(number_of(action, "hold_ms", 1000), 1.0, 60'000.0)));
            return line("click: " + at);
        }
        if (verb == "drag" || (verb == "swipe" && (action.contains("to_x") || action.contains("to_mark")))) {
            const std::string from = TRY(target(step, 0));
            return line(fmt::format("drag: {{from: {}, to: {}{}}}", from, TRY(target(step, 1)), held(action)));
        }
        if (verb == "type") {
            return add_typing(step, action);
        }
        if (verb == "key") {
            const json& keys = field_of(action, "keys");
            return keys.is_string() ? line("key: " + task_file_text(keys.get<std::string>())) : no("a chord of keys without one name");
        }
        if (verb == "scroll" || verb == "swipe") {
            return add_scroll(step, action, verb);
        }
        if (verb == "open_app") {
            std::string args;
            const json& given = field_of(action, "args");
            for (const json& word : given.is_array() ? given : json::array()) {
                args += fmt::format("{}{}", args.empty() ? "" : ", ", words(word.is_string() ? word.get<std::string>() : ""));
            }
            return line(fmt::format("launch: {{app: {}, args: [{}]}}", words(text_of(action, "app")), args));
        }
        if (verb == "open_url") {
            return line("open_url: " + words(text_of(action, "url")));
        }
        if (verb == "focus_window") {
            return line("focus: " + words(text_of(action, "title")));
        }
        return verb == "wait" ? Result<void>() : no(fmt::format("\"{}\" has no place in a task file", verb)); // each target is waited for
    }

    /// ", hold_keys: [...]" where modifiers were held.
    [[nodiscard]] std::string held(const json& action) const {
        const json& keys = field_of(action, "hold_keys");
        std::string out;
        for (const json& key : keys.is_array() ? keys : json::array()) {
            out += fmt::format("{}{}", out.empty() ? "" : ", ", task_file_text(key.is_string() ? key.get<std::string>() : ""));
        }
        return out.empty() ? out : fmt::format(", hold_keys: [{}]", out);
    }

    /// As a text of the file, in which the value of a variable is the variable: of several values that begin at a place the longest.
    [[nodiscard]] std::string words(const std::string& text) const {
        std::string out, plain;
        const auto flush = [&] {
            const std::string escaped = task_file_text(plain);
            out += escaped.substr(1, escaped.size() - 2);
            plain.clear();
        };
        for (std::size_t at = 0; at < text.size();) {
            const auto* best = static_cast<const std::pair<const std::string, std::string>*>(nullptr);
            for (const auto& row : options_.values) {
                const bool is_here = row.second.size() >= kValueBytesMin && text.compare(at, row.second.size(), row.second) == 0;
                best = is_here && (best == nullptr || row.second.size() > best->second.size()) ? &row : best;
            }
            if (best == nullptr || (at > 0 && text[at - 1] == '$')) { // "$${" would be no reference
                plain += text[at++];
                continue;
            }
            flush();
            out += fmt::format("${{vars.{}}}", best->first);
            at += best->second.size();
        }
        flush();
        return "\"" + out + "\"";
    }

    static Result<void> no(const std::string& why) { return Error{ErrorCode::Unsupported, why}; }

    Result<void> line(const std::string& text) {
        body_ += fmt::format("  - {}\n{}", text, around_);
        ++out_.steps;
        return {};
    }

    /// As a text of the file, with a variable for what was not recorded.
    std::string with_secrets(const std::string& text) {
        if (text == kTypedIntoPassword) {
            secrets_["password"] = "env:HANDEYE_PASSWORD";
            return "\"${vars.password}\"";
        }
        const std::string name = demonstrated_secret(text);
        if (name.empty()) {
            return words(text);
        }
        const auto known = options_.secrets.find(name);
        secrets_[name] = known == options_.secrets.end() ? "store:" + name : known->second;
        return fmt::format("\"${{vars.{}}}\"", name);
    }

    Result<void> add_typing(const report::StepRecord& step, const json& action) {
        const std::string text = text_of(action, "text");
        std::string call = fmt::format("type: {{text: {}", with_secrets(text));
        if (action.contains("x")) {
            call += ", into: " + TRY(target(step, 0));
        }
        if (const std::string name = demonstrated_secret(text); !name.empty()) {
            call += fmt::format(", verify: {}", name.starts_with("password") ? "masked" : "none");
        } else if (text == kTypedIntoPassword) {
            call += ", verify: masked";
        }
        for (const char* const flag : {"clear", "enter"}) {
            call += field_of(action, flag) == json(true) ? fmt::format(", {}: true", flag) : "";
        }
        return line(call + "}");
    }

    Result<void> add_scroll(const report::StepRecord& step, const json& action, const std::string& verb) {
        std::string direction = text_of(action, "direction");
        if (direction != "up" && direction != "down" && direction != "left" && direction != "right") {
            return no("a direction that is none of up, down, left and right");
        }
        if (verb == "swipe") { // the finger's direction is the content's turned round
            direction = direction == "up" ? "down" : direction == "down" ? "up" : direction == "left" ? "right" : "left";
        }
        const std::string at = action.contains("x") ? ", at: " + TRY(target(step, 0)) : "";
        return line(fmt::format("scroll: {{direction: {}, amount: {:.0f}{}}}", direction, std::clamp(number_of(action, "amount", 5), 1.0, 1000.0), at));
    }

    /// A flow mapping that names the target by all that is known of it.
    Result<std::string> target(const report::StepRecord& step, std::size_t place) {
        const json& points = field_of(step.executed, "points");
        if (!points.is_array() || points.size() <= place) {
            return Error{ErrorCode::Unsupported, "where the action went was not recorded"};
        }
        SeenTarget seen = seen_target(field_of(points[place], "target"), field_of(points[place], "element"));
        seen.picture = [&] { return picture_before(step); };
        return writer_.write(seen, fmt::format("step-{:03}.png", step.index));
    }

    Result<Image> picture_before(const report::StepRecord& step) const {
        const std::string sha256 = text_of(field_of(step.before, "frame"), "sha256");
        if (sha256.empty()) {
            return Error{ErrorCode::Unsupported, "its picture was not recorded, and nothing else names the target"};
        }
        const std::vector<std::uint8_t> png = TRY(recording_.blob(sha256));
        return decode_image(png);
    }

    const Recording& recording_;
    const CompileOptions options_;
    TargetWriter writer_;
    CompiledTask out_;
    std::string body_;
    std::string around_;                         // the keys beside the verb of the step at hand
    std::map<std::string, std::string> secrets_; // where each comes from
};

} // namespace

Result<CompiledTask> compile_task(const Recording& recording, CompileOptions options, Locator& reader) { return Compiler(recording, std::move(options), reader).compile(); }

Result<void> write_task(const CompiledTask& task, const std::filesystem::path& file) {
    for (const auto& [name, png] : task.pictures) {
        TRY(write_file_atomic(file.parent_path() / name, std::string_view(reinterpret_cast<const char*>(png.data()), png.size()), 0600));
    }
    return write_file_atomic(file, task.yaml, 0600);
}

Result<std::filesystem::path> write_compiled(const CompiledTask& task, const std::filesystem::path& folder) {
    std::error_code problem;
    if (!std::filesystem::exists(folder, problem)) {
        TRY(make_private_dir(folder.has_filename() ? folder : folder.parent_path())); // "again/" is "again"
    } else if (!std::filesystem::is_directory(folder, problem) || !std::filesystem::is_empty(folder, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is there, and is no empty folder", folder.string())};
    }
    const std::filesystem::path file = folder / "task.yaml";
    TRY(write_task(task, file));
    return file;
}

} // namespace handeye
