// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/conditions.h"

#include "agent/taskfile/expression.h"
#include "agent/taskfile/names.h"
#include "agent/taskrun/model_words.h"
#include "agent/taskrun/targets.h"
#include "agent/text_pattern.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskrun {
namespace {

using taskfile::text_of;

constexpr std::size_t kFileBytesMax = 1 << 20; // in which a pattern is looked for

Attempt<std::string> expanded(const Node& map, std::string_view key, Context& context) {
    Result<std::string> out = context.values().text(text_of(map, key));
    return out ? Attempt<std::string>(*std::move(out)) : fail(out.error());
}

Attempt<bool> is_there(const TargetQuery& query, Context& context, const Look& look) {
    const Result<Found> found = context.locator.find(query, {look.shot.image, look.elements});
    if (found || found.error().code == ErrorCode::InvalidArgument) {
        return true; // once or several times
    }
    return found.error().code == ErrorCode::NotFound ? Attempt<bool>(false) : fail(found.error());
}

// text, element, template: something on the screen.
Attempt<bool> on_screen(const Node& condition, Context& context) {
    const Result<Look> look = context.hands.look();
    if (!look) {
        return fail(FailureKind::Failed, "the screen could not be read: " + look.error().message);
    }
    const Node* const element = condition.find("element");
    if (element != nullptr) {
        Attempt<TargetQuery> query = query_of(*element, context, *look);
        const auto* const failure = std::get_if<Failure>(&query);
        if (failure != nullptr) {
            return failure->kind == FailureKind::TargetNotFound ? Attempt<bool>(false) : Attempt<bool>(*failure);
        }
        return is_there(std::get<TargetQuery>(query), context, *look);
    }
    Attempt<TargetQuery> query = query_of(condition, context, *look); // "text", "template", "exact", "region", "min_score" are as in a target
    if (auto* const failure = std::get_if<Failure>(&query)) {
        return failure->kind == FailureKind::TargetNotFound ? Attempt<bool>(false) : Attempt<bool>(*failure);
    }
    auto& asked = std::get<TargetQuery>(query);
    asked.description_utf8.clear();
    return is_there(asked, context, *look);
}

Attempt<bool> has_window(const std::string& title, Context& context) {
    const Result<std::vector<WindowInfo>> windows = context.hands.platform().windows();
    if (!windows) {
        return fail(windows.error());
    }
    const auto lower = [](std::string text) {
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return text;
    };
    return std::any_of(windows->begin(), windows->end(), [&](const WindowInfo& window) { return lower(window.title_utf8).find(lower(title)) != std::string::npos; });
}

// The clock of files ticks in its own steps: what is as old as the start is new.
constexpr auto kFileClockTick = std::chrono::milliseconds(20);

Attempt<bool> file_is_so(const Node& condition, const std::string& named, Context& context) {
    const Result<std::optional<WallTime>> written = context.disk.written(named);
    if (!written) {
        return fail(written.error());
    }
    const std::string since = text_of(condition, "newer_than");
    if (!*written || (!since.empty() && **written + kFileClockTick < (since == "task" ? context.task_started : context.step_started))) {
        return false;
    }
    const Node* const pattern = condition.find("contains");
    if (pattern == nullptr) {
        return true;
    }
    const Result<std::string> content = context.disk.read(named, kFileBytesMax);
    const Result<TextPattern> compiled = context.values().pattern(pattern->scalar);
    if (!content || !compiled) {
        return fail(content ? compiled.error() : content.error());
    }
    return compiled->find_in(*content) == TextPattern::Found::Yes;
}

Attempt<bool> is_expression_true(const std::string& expression, Context& context) {
    const Result<nlohmann::json> value = context.values().value(expression);
    return value ? Attempt<bool>(taskfile::is_true(*value)) : fail(value.error());
}

Attempt<bool> clipboard_is_so(const std::string& pattern, Context& context) {
    const Result<std::string> text = context.hands.platform().clipboard();
    const Result<TextPattern> compiled = context.values().pattern(pattern);
    if (!text || !compiled) {
        return fail(text ? compiled.error() : text.error());
    }
    return compiled->find_in(*text) == TextPattern::Found::Yes;
}

Attempt<bool> several(const Node& list, bool wants_all, Context& context) {
    for (const Node& item : list.items) {
        Attempt<bool> now = holds(item, context);
        if (std::holds_alternative<Failure>(now) || std::get<bool>(now) != wants_all) {
            return now;
        }
    }
    return wants_all;
}

Attempt<bool> model_says(const Node& condition, const std::string& claim, Context& context) {
    const auto votes = static_cast<int>(integer_of(condition, "votes", 1));
    const auto least = static_cast<int>(integer_of(condition, "min", votes / 2 + 1));
    int yes = 0;
    for (int vote = 0; vote < votes && yes < least && yes + votes - vote >= least; ++vote) {
        Attempt<bool> says = ask_whether(claim, vote, condition.find("region"), context);
        if (std::holds_alternative<Failure>(says)) {
            return says;
        }
        yes += std::get<bool>(says) ? 1 : 0;
    }
    return yes >= least;
}

constexpr std::size_t kShownBytesMax = 200; // of one value

std::string cut(std::string text) {
    if (text.size() > kShownBytesMax) {
        std::size_t end = kShownBytesMax;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
            --end;
        }
        text = text.substr(0, end) + "...";
    }
    return text;
}

/// The text as it reads now; as it stands in the file where a reference has no value.
std::string now(const Node& scalar, const Values& values) { return cut(values.text(scalar.scalar).value_or(scalar.scalar)); }

/// ` (outputs.total = 0)`: what the names of an expression stand for.
std::string names_now(const std::string& expression, const Values& values) {
    const auto parsed = taskfile::parse_expression(expression);
    std::vector<std::string> parts;
    for (const taskfile::Expression* const name : parsed ? taskfile::names_in(*parsed) : std::vector<const taskfile::Expression*>()) {
        const std::string path = fmt::format("{}", fmt::join(name->path, "."));
        const Result<nlohmann::json> value = values.value(path);
        const std::string part = fmt::format("{} = {}", path, value ? cut(dump_json(*value)) : "nothing");
        if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
            parts.push_back(part);
        }
    }
    return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

} // namespace

std::string describe(const Node& condition, const Values& values) {
    for (const taskfile::Entry& entry : condition.entries) {
        constexpr std::array<std::string_view, 6> kWords{"text", "template", "window", "file", "clipboard", "model"};
        if (std::find(kWords.begin(), kWords.end(), entry.key) != kWords.end()) {
            const Node* const contains = condition.find("contains");
            return fmt::format("{} \"{}\"{}", entry.key, now(entry.value, values), contains != nullptr ? fmt::format(" that contains \"{}\"", now(*contains, values)) : "");
        }
        if (entry.key == "expr") {
            return fmt::format("expr \"{}\"{}", entry.value.scalar, names_now(entry.value.scalar, values));
        }
        if (entry.key == "not") {
            return "not " + describe(entry.value, values);
        }
        if (entry.key == "all" || entry.key == "any") {
            std::string out;
            for (const Node& item : entry.value.items) {
                out += fmt::format("{}{}", out.empty() ? "" : entry.key == "all" ? " and " : " or ", describe(item, values));
            }
            return out;
        }
        if (entry.key == "element") {
            std::string out;
            for (const taskfile::Entry& part : entry.value.entries) {
                out += part.value.kind == Node::Kind::Scalar ? fmt::format("{}{} \"{}\"", out.empty() ? "" : " ", part.key, now(part.value, values)) : "";
            }
            return out;
        }
    }
    return "the condition";
}

Attempt<bool> holds(const Node& condition, Context& context) {
    if (condition.find("text") != nullptr || condition.find("element") != nullptr || condition.find("template") != nullptr) {
        return on_screen(condition, context);
    }
    if (const Node* const expression = condition.find("expr")) {
        return is_expression_true(expression->scalar, context);
    }
    if (const Node* const pattern = condition.find("clipboard")) {
        return clipboard_is_so(pattern->scalar, context);
    }
    for (const char* const key : {"all", "any"}) {
        if (const Node* const list = condition.find(key)) {
            return several(*list, std::string_view(key) == "all", context);
        }
    }
    if (const Node* const inner = condition.find("not")) {
        Attempt<bool> now = holds(*inner, context);
        return std::holds_alternative<Failure>(now) ? now : Attempt<bool>(!std::get<bool>(now));
    }
    for (const char* const key : {"window", "file", "model"}) {
        if (condition.find(key) == nullptr) {
            continue;
        }
        Attempt<std::string> text = expanded(condition, key, context);
        if (auto* const failure = std::get_if<Failure>(&text)) {
            return *failure;
        }
        const auto& words = std::get<std::string>(text);
        const std::string_view which = key;
        return which == "window" ? has_window(words, context) : which == "file" ? file_is_so(condition, words, context) : model_says(condition, words, context);
    }
    return fail(FailureKind::Failed, "a condition that this version does not know");
}

Outcome wait_until(const Node& condition, Context& context, Duration within, FailureKind kind) {
    const Attempt<bool> now = context.until(within, [&] { return holds(condition, context); });
    if (const auto* const failure = std::get_if<Failure>(&now)) {
        return *failure;
    }
    if (std::get<bool>(now)) {
        return std::nullopt;
    }
    return fail(kind, fmt::format("{} was not so within {:.3g} s", describe(condition, context.values()), std::chrono::duration<double>(within).count()));
}

} // namespace handeye::taskrun
