// SPDX-License-Identifier: Apache-2.0
#include "agent/task_file.h"

#include "agent/taskfile/load.h"
#include "base/json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {

std::string to_text(const TaskFinding& finding) {
    const std::string place = fmt::format("{}:{}:{}: ", finding.file, finding.line, finding.column);
    return finding.severity == TaskFinding::Severity::Error ? place + finding.message : fmt::format("{}warning: {} [{}]", place, finding.message, finding.rule);
}

std::string to_text(const std::vector<TaskFinding>& findings) {
    std::string out;
    for (const TaskFinding& finding : findings) {
        out += (out.empty() ? "" : "\n") + to_text(finding);
    }
    return out;
}

bool TaskFileCheck::is_valid() const {
    return std::none_of(findings.begin(), findings.end(), [](const TaskFinding& finding) { return finding.severity == TaskFinding::Severity::Error; });
}

TaskFileCheck check_task_file(const std::filesystem::path& path, Lint lint) {
    taskfile::LoadedFiles loaded = taskfile::load(path);
    TaskFileCheck out{.findings = std::move(loaded.findings), .use = {}};
    if (out.is_valid()) {
        for (const auto& [file, finding] : loaded.broken_paths) {
            out.findings.push_back(finding);
        }
        out.use = taskfile::explain(loaded);
        if (lint == Lint::Yes) {
            taskfile::lint(loaded, out.findings);
        }
    }
    return out;
}

std::string to_json(const TaskFileUse& use) {
    using json = nlohmann::json;
    json goals = json::array();
    for (const TaskFileUse::Goal& goal : use.goals) {
        goals.push_back({{"text", goal.text}, {"steps_max", goal.steps_max}, {"has_proof", goal.has_proof}});
    }
    const json out{{"name", use.name}, {"platform", use.platform}, {"task_files", use.task_files}, {"verbs", use.verbs}, {"apps", use.apps}, {"urls", use.urls},
                   {"windows", use.windows}, {"keys", use.keys}, {"secrets", use.secrets}, {"files_read", use.files_read}, {"pictures", use.pictures},
                   {"goals", goals}, {"goal_verbs", use.goal_verbs}, {"model_questions", use.model_questions}, {"person_questions", use.person_questions},
                   {"denied", use.denied}, {"confirmed", use.confirmed}, {"irreversible", use.irreversible}, {"budget", use.budget},
                   {"actions_max", use.actions_max ? json(*use.actions_max) : json()}};
    return dump_json(out);
}

} // namespace handeye
