// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/task_file.h"

#include "agent/task_file.h"
#include "base/file.h"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 1 << 20;

json to_json(const TaskFinding& finding) {
    json out{{"file", finding.file}, {"line", finding.line}, {"column", finding.column}, {"message", finding.message},
             {"severity", finding.severity == TaskFinding::Severity::Error ? "error" : "warning"}};
    if (!finding.rule.empty()) {
        out["rule"] = finding.rule;
    }
    return out;
}

void print_findings(const std::vector<TaskFinding>& findings) {
    for (const TaskFinding& finding : findings) {
        print(to_text(finding));
    }
}

// 0: nothing to say, 1: warnings, 2: errors.
Result<int> check(const std::vector<std::string>& files, Lint lint, const Context& context) {
    json all = json::array();
    bool is_valid = true;
    for (const std::string& file : files) {
        const TaskFileCheck checked = check_task_file(file, lint);
        is_valid = is_valid && checked.is_valid();
        std::transform(checked.findings.begin(), checked.findings.end(), std::back_inserter(all), to_json);
        if (context.json) {
            continue;
        }
        print_findings(checked.findings);
        if (checked.findings.empty()) {
            print(fmt::format("{}: good", file));
        }
    }
    if (context.json) {
        print_json({{"valid", is_valid}, {"findings", all}});
    }
    return !is_valid ? 2 : all.empty() ? 0 : 1;
}

class Page {
public:
    void row(const char* name, const std::vector<std::string>& values) {
        if (!values.empty()) {
            row(name, fmt::format("{}", fmt::join(values, ", ")));
        }
    }
    void row(const char* name, const std::string& value) { text_ += fmt::format("  {:<18} {}\n", name, value); }
    void list(const char* name, const std::vector<std::string>& values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            row(i == 0 ? name : "", values[i]);
        }
    }
    [[nodiscard]] std::string text() const { return text_.substr(0, text_.size() - 1); }

private:
    std::string text_;
};

std::string in_words(const TaskFileUse& use) {
    Page page;
    std::vector<std::string> verbs;
    for (const auto& [verb, count] : use.verbs) {
        verbs.push_back(count == 1 ? verb : fmt::format("{} ({})", verb, count));
    }
    std::vector<std::string> secrets;
    for (const auto& [name, source] : use.secrets) {
        secrets.push_back(fmt::format("{} from {}", name, source));
    }
    std::vector<std::string> goals;
    for (const TaskFileUse::Goal& goal : use.goals) {
        goals.push_back(fmt::format("\"{}\", {} steps at most, {}", goal.text, goal.steps_max, goal.has_proof ? "proved by done_when" : "nothing proves it"));
    }
    page.row("files", use.task_files);
    page.row("platform", use.platform.empty() ? "where it is run" : use.platform);
    page.row("its own steps", verbs);
    page.list("goals", goals);
    if (!use.goals.empty()) {
        page.row("for them, verbs", use.goal_verbs.empty() ? "all that are not denied" : fmt::format("{}", fmt::join(use.goal_verbs, ", ")));
    }
    page.row("starts", use.apps);
    page.row("opens", use.urls);
    page.row("windows", use.windows);
    page.row("presses", use.keys);
    page.row("types secrets", secrets);
    page.row("reads files", use.files_read);
    page.row("compares pictures", use.pictures);
    page.list("asks the model", use.model_questions);
    page.list("asks a person", use.person_questions);
    page.list("denied", use.denied);
    page.list("after a yes", use.confirmed);
    page.row("irreversible", use.irreversible);
    std::vector<std::string> budget;
    for (const auto& [name, value] : use.budget) {
        budget.push_back(fmt::format("{} {}", name, value));
    }
    page.row("budget", budget);
    page.row("actions", use.actions_max ? fmt::format("{} at most, with every loop and retry at its end", *use.actions_max) : "beyond counting");
    return fmt::format("{}\n{}", use.name, page.text());
}

Result<int> explain(const std::vector<std::string>& files, const Context& context) {
    int code = 0;
    for (const std::string& file : files) {
        const TaskFileCheck checked = check_task_file(file, Lint::No);
        if (!checked.is_valid()) {
            code = 2;
            if (context.json) {
                json findings = json::array();
                std::transform(checked.findings.begin(), checked.findings.end(), std::back_inserter(findings), to_json);
                print_json({{"valid", false}, {"findings", findings}});
            } else {
                print_findings(checked.findings);
            }
        } else if (context.json) {
            print_json(json::parse(handeye::to_json(checked.use)));
        } else {
            print(in_words(checked.use));
        }
    }
    return code;
}

Result<int> format(const std::vector<std::string>& files, bool check_only, const Context& context) {
    json changed = json::array();
    for (const std::string& file : files) {
        const std::string before = TRY(read_file(file, kFileBytesMax));
        const auto after = format_task_file(before);
        if (!after) {
            return Error{after.error().code, after.error().code == ErrorCode::ParseFailed ? fmt::format("{}:{}", file, after.error().message) : fmt::format("{}: {}", file, after.error().message)};
        }
        if (*after == before) {
            continue;
        }
        changed.push_back(file);
        if (!check_only) {
            TRY(write_file_atomic(file, *after));
        }
        if (!context.json) {
            print(fmt::format("{}: {}", file, check_only ? "would change" : "changed"));
        }
    }
    if (context.json) {
        print_json({{"changed", changed}});
    }
    return check_only && !changed.empty() ? 1 : 0;
}

} // namespace

bool TaskFileCommands::is_asked() const {
    const std::array<CLI::App*, 5> all{validate, lint, explain, fmt, schema};
    return std::any_of(all.begin(), all.end(), [](const CLI::App* command) { return command->parsed(); });
}

Result<int> TaskFileCommands::run(const Context& context) const {
    if (schema->parsed()) {
        const std::string text = task_file_schema();
        print(text.substr(0, text.size() - 1));
        return 0;
    }
    if (explain->parsed()) {
        return cli::explain(files, context);
    }
    if (fmt->parsed()) {
        return format(files, check_only, context);
    }
    return check(files, lint->parsed() ? Lint::Yes : Lint::No, context);
}

std::shared_ptr<TaskFileCommands> add_task_file_commands(CLI::App& task) {
    const auto out = std::make_shared<TaskFileCommands>();
    out->validate = task.add_subcommand("validate", "Say what is wrong with a task file: FILE:LINE:COL: message");
    out->lint = task.add_subcommand("lint", "Say what will break or surprise, too");
    out->explain = task.add_subcommand("explain", "Say everything that a task file, and those it runs, may do");
    out->fmt = task.add_subcommand("fmt", "Lay a task file out anew, in place; comments stay");
    out->schema = task.add_subcommand("schema", "The JSON Schema of task files, for editors");
    for (CLI::App* const command : {out->validate, out->lint, out->explain, out->fmt, out->schema}) {
        command->group("Task files");
    }
    for (CLI::App* const command : {out->validate, out->lint, out->explain, out->fmt}) {
        command->add_option("FILE", out->files, "Task file, YAML or JSON")->required();
    }
    out->fmt->add_flag("--check", out->check_only, "Change nothing; exit with 1 when something would change");
    return out;
}

} // namespace handeye::cli
