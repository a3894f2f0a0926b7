// SPDX-License-Identifier: Apache-2.0
#include "agent/compile.h"

#include "agent/redactor.h"
#include "agent/report_model.h"
#include "base/file.h"
#include "base/image_codec.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace handeye {
namespace {

using nlohmann::json;
using report::field_of;
using report::number_of;
using report::text_of;

constexpr Size kUnknownTarget{64, 32}; // of a picture where no element is known
constexpr int kPictureSideMax = 400;
constexpr std::size_t kLandmarksMax = 4;
constexpr std::size_t kLandmarkBytesMin = 2;
constexpr double kLandmarkConfidence = 0.6;

// A JSON string is a YAML string; "${" begins a reference there.
std::string quoted(const std::string& text) {
    std::string escaped;
    for (std::size_t i = 0; i < text.size(); ++i) {
        escaped += text.compare(i, 2, "${") == 0 ? "$$" : std::string(1, text[i]);
    }
    return dump_json(json(escaped));
}

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

Rect rect_of(const json& box) {
    const auto side = [&](const char* key) { return static_cast<int>(std::clamp(number_of(box, key), -1e6, 1e6)); };
    return {side("x"), side("y"), side("width"), side("height")};
}

class Compiler {
public:
    Compiler(const Recording& recording, std::string name, Locator& reader) : recording_(recording), name_(std::move(name)), reader_(reader) {}

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
        if (outcome != "done") {
            return Error{ErrorCode::InvalidArgument, fmt::format("the task ended \"{}\": only what was done can be done again", outcome)};
        }
        for (std::size_t i = 0; i < task.steps.size(); ++i) {
            const bool is_before_typing = i + 1 < task.steps.size() && verb_of(task.steps[i + 1]) == "type";
            TRY(add(task.steps[i], is_before_typing).with_context(fmt::format("step {}", task.steps[i].index)));
        }
        if (out_.steps == 0) {
            return Error{ErrorCode::InvalidArgument, "the task has no step that did anything"};
        }
        out_.yaml = header(text_of(task.started, "goal")) + body_;
        return std::move(out_);
    }

private:
    std::string header(const std::string& goal) const {
        std::string out = fmt::format("version: 1\nname: {}\ndescription: {}\n", quoted(name_), quoted(goal));
        out += secrets_.empty() ? "" : "vars:\n";
        for (const auto& [name, from] : secrets_) {
            out += fmt::format("  {}: {{type: secret, from: \"{}\"}}\n", name, from);
        }
        return out + "steps:\n";
    }

    static std::string verb_of(const report::StepRecord& step) { return step.proposals.empty() ? "" : text_of(field_of(step.proposals.back(), "action"), "verb"); }

    /// What had no effect is left out; a click before typing may have done no more than give the field the keyboard.
    Result<void> add(const report::StepRecord& step, bool is_before_typing) {
        if (step.executed.is_null() || step.proposals.empty()) {
            return {};
        }
        const std::string certainty = text_of(step.verified, "certainty", text_of(step.executed, "certainty"));
        const json& proposed = step.proposals.back();
        const bool gave_focus = certainty == "suspected_noop" && is_before_typing && verb_of(step) == "click";
        if (certainty != "confirmed" && certainty != "unverifiable" && !gave_focus) {
            out_.left_out.push_back(fmt::format("step {} ({}): {}", step.index, text_of(proposed, "summary"), certainty));
            return {};
        }
        return add_action(step, field_of(proposed, "action"));
    }

    Result<void> add_action(const report::StepRecord& step, const json& action) {
        const std::string verb = text_of(action, "verb");
        constexpr std::array<std::string_view, 5> kAtTarget{"click", "double_click", "right_click", "middle_click", "hover"};
        if (std::find(kAtTarget.begin(), kAtTarget.end(), verb) != kAtTarget.end()) {
            std::string at = TRY(target(step, 0));
            at.insert(at.size() - 1, held(action));
            return line(fmt::format("{}: {}", verb, at));
        }
        if (verb == "long_press") {
            std::string at = TRY(target(step, 0));
            at.insert(at.size() - 1, fmt::format(", hold: {:.0f}ms", number_of(action, "hold_ms", 1000)));
            return line("click: " + at);
        }
        if (verb == "drag") {
            const std::string from = TRY(target(step, 0));
            return line(fmt::format("drag: {{from: {}, to: {}{}}}", from, TRY(target(step, 1)), held(action)));
        }
        if (verb == "type") {
            return add_typing(step, action);
        }
        if (verb == "key") {
            const json& keys = field_of(action, "keys");
            return keys.is_string() ? line("key: " + quoted(keys.get<std::string>())) : no("a chord of keys without one name");
        }
        if (verb == "scroll" || verb == "swipe") {
            return add_scroll(step, action, verb);
        }
        if (verb == "open_app") {
            std::string args;
            for (const json& word : action.value("args", json::array())) {
                args += fmt::format("{}{}", args.empty() ? "" : ", ", quoted(word.is_string() ? word.get<std::string>() : ""));
            }
            return line(fmt::format("launch: {{app: {}, args: [{}]}}", quoted(text_of(action, "app")), args));
        }
        if (verb == "open_url") {
            return line("open_url: " + quoted(text_of(action, "url")));
        }
        if (verb == "focus_window") {
            return line("focus: " + quoted(text_of(action, "title")));
        }
        return verb == "wait" ? Result<void>() : no(fmt::format("\"{}\" has no place in a task file", verb)); // each target is waited for
    }

    /// ", hold_keys: [...]" where modifiers were held.
    static std::string held(const json& action) {
        const json& keys = field_of(action, "hold_keys");
        std::string out;
        for (const json& key : keys.is_array() ? keys : json::array()) {
            out += fmt::format("{}{}", out.empty() ? "" : ", ", quoted(key.is_string() ? key.get<std::string>() : ""));
        }
        return out.empty() ? out : fmt::format(", hold_keys: [{}]", out);
    }

    static Result<void> no(const std::string& why) { return Error{ErrorCode::Unsupported, why}; }

    Result<void> line(const std::string& text) {
        body_ += fmt::format("  - {}\n", text);
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
            return quoted(text);
        }
        secrets_[name] = "store:" + name;
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
            call += action.value(flag, false) ? fmt::format(", {}: true", flag) : "";
        }
        return line(call + "}");
    }

    Result<void> add_scroll(const report::StepRecord& step, const json& action, const std::string& verb) {
        std::string direction = text_of(action, "direction");
        if (verb == "swipe") { // the finger's direction is the content's turned round
            direction = direction == "up" ? "down" : direction == "down" ? "up" : direction == "left" ? "right" : "left";
        }
        const std::string at = action.contains("x") ? ", at: " + TRY(target(step, 0)) : "";
        return line(fmt::format("scroll: {{direction: {}, amount: {:.0f}{}}}", direction, std::max(1.0, number_of(action, "amount", 5)), at));
    }

    /// A flow mapping that names the target by all that is known of it.
    Result<std::string> target(const report::StepRecord& step, std::size_t place) {
        const json& points = field_of(step.executed, "points");
        if (!points.is_array() || points.size() <= place) {
            return Error{ErrorCode::Unsupported, "where the action went was not recorded"};
        }
        const json& point = field_of(points[place], "target");
        const Point at{static_cast<int>(number_of(point, "x")), static_cast<int>(number_of(point, "y"))};
        const json& element = field_of(points[place], "element");
        std::string out;
        const auto add_word = [&](const char* key, const std::string& value) { out += value.empty() ? "" : fmt::format("{}{}: {}", out.empty() ? "" : ", ", key, quoted(value)); };
        add_word("id", text_of(element, "id"));
        add_word("role", text_of(element, "role"));
        add_word("label", text_of(element, "label"));
        if (!text_of(element, "label").empty()) {
            out += ", exact: true"; // one that is called otherwise now is another one
        }
        if (number_of(element, "of") > 1 && !out.empty()) {
            out += fmt::format(", index: {:.0f}", number_of(element, "index", 1));
        }
        if (text_of(element, "id").empty() && text_of(element, "label").empty()) {
            const std::string seen = TRY(by_its_looks(step, element, at));
            out += (out.empty() ? "" : ", ") + seen;
        }
        return "{" + out + "}";
    }

    /// Where nothing was told of the target: the words on it, else its picture and what is around it.
    Result<std::string> by_its_looks(const report::StepRecord& step, const json& element, Point at) {
        const Image frame = TRY(picture_before(step));
        const std::vector<ReadText> lines = TRY(reader_.read_lines({frame, {}}, std::nullopt));
        for (const ReadText& line : lines) {
            if (line.box.contains(at) && is_unique(line, lines)) {
                return fmt::format("text: {}, exact: true", quoted(line.text_utf8));
            }
        }
        const std::string name = TRY(picture(frame, step.index, element, at));
        const std::string around = landmarks(lines, at);
        return fmt::format("template: {}{}{}", quoted(name), around.empty() ? "" : ", landmarks: ", around);
    }

    static bool is_unique(const ReadText& line, const std::vector<ReadText>& lines) {
        return line.text_utf8.size() >= kLandmarkBytesMin && line.confidence >= kLandmarkConfidence &&
               std::count_if(lines.begin(), lines.end(), [&](const ReadText& other) { return other.text_utf8 == line.text_utf8; }) == 1;
    }

    /// The nearest texts that are there once.
    static std::string landmarks(const std::vector<ReadText>& lines, Point at) {
        std::vector<const ReadText*> near;
        for (const ReadText& line : lines) {
            if (is_unique(line, lines)) {
                near.push_back(&line);
            }
        }
        const auto distance = [at](const ReadText* line) { return std::hypot(at.x - line->box.center().x, at.y - line->box.center().y); };
        std::sort(near.begin(), near.end(), [&](const ReadText* a, const ReadText* b) { return distance(a) < distance(b); });
        near.resize(std::min(near.size(), kLandmarksMax));
        std::string out;
        for (const ReadText* const line : near) {
            out += fmt::format("{}{{text: {}, right: {}, down: {}}}", out.empty() ? "" : ", ", quoted(line->text_utf8), at.x - line->box.center().x, at.y - line->box.center().y);
        }
        return near.size() < 2 ? "" : "[" + out + "]";
    }

    Result<Image> picture_before(const report::StepRecord& step) const {
        const std::string sha256 = text_of(field_of(step.before, "frame"), "sha256");
        if (sha256.empty()) {
            return Error{ErrorCode::Unsupported, "its picture was not recorded, and nothing else names the target"};
        }
        const std::vector<std::uint8_t> png = TRY(recording_.blob(sha256));
        return decode_image(png);
    }

    Result<std::string> picture(const Image& frame, int step, const json& element, Point at) {
        const Rect box = rect_of(field_of(element, "box"));
        const bool fits = !box.size().is_empty() && box.width_px <= kPictureSideMax && box.height_px <= kPictureSideMax;
        const Image part = frame.cropped(fits ? box : Rect{at.x - kUnknownTarget.width_px / 2, at.y - kUnknownTarget.height_px / 2, kUnknownTarget.width_px, kUnknownTarget.height_px});
        if (part.is_empty()) {
            return Error{ErrorCode::OutOfBounds, fmt::format("({}, {}) lies outside its picture", at.x, at.y)};
        }
        const std::string name = fmt::format("step-{:03}.png", step);
        out_.pictures[name] = TRY(encode_png(part, 6));
        return name;
    }

    const Recording& recording_;
    const std::string name_;
    Locator& reader_;
    CompiledTask out_;
    std::string body_;
    std::map<std::string, std::string> secrets_; // where each comes from
};

} // namespace

Result<CompiledTask> compile_task(const Recording& recording, const std::string& name, Locator& reader) { return Compiler(recording, name, reader).compile(); }

Result<std::filesystem::path> write_compiled(const CompiledTask& task, const std::filesystem::path& folder) {
    std::error_code problem;
    if (!std::filesystem::exists(folder, problem)) {
        TRY(make_private_dir(folder.has_filename() ? folder : folder.parent_path())); // "again/" is "again"
    } else if (!std::filesystem::is_directory(folder, problem) || !std::filesystem::is_empty(folder, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is there, and is no empty folder", folder.string())};
    }
    for (const auto& [name, png] : task.pictures) {
        TRY(write_file_atomic(folder / name, std::string_view(reinterpret_cast<const char*>(png.data()), png.size()), 0600));
    }
    const std::filesystem::path file = folder / "task.yaml";
    TRY(write_file_atomic(file, task.yaml, 0600));
    return file;
}

} // namespace handeye
