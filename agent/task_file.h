// SPDX-License-Identifier: Apache-2.0
// Task files before they run: what is wrong with one, what could be better, and all that it may do. The language, for people:
// docs/task-files.md; for editors and other programs: docs/task.schema.json.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

struct TaskFinding {
    enum class Severity { Error, Warning };
    Severity severity = Severity::Error;
    std::string file;
    int line = 1;   ///< both from 1; columns count characters
    int column = 1;
    std::string message;
    std::string rule; ///< of a warning: its name in docs/task-files.md
};
/// "FILE:LINE:COL: message", warnings with their rule at the end.
std::string to_text(const TaskFinding& finding);
/// One a line.
std::string to_text(const std::vector<TaskFinding>& findings);

/// The union of everything that a file, and the files it runs, may do.
struct TaskFileUse {
    struct Goal {
        std::string text;
        std::int64_t steps_max = 0;
        bool has_proof = false; ///< done_when
    };
    std::string name;
    std::string platform;                          ///< empty: where it is run
    std::vector<std::string> task_files;           ///< it and those it runs
    std::map<std::string, int> verbs;              ///< of its own steps, and how many steps have each
    std::vector<std::string> apps, urls, windows, keys;
    std::map<std::string, std::string> secrets;    ///< name and source
    std::vector<std::string> files_read, pictures; ///< paths
    std::vector<Goal> goals;                       ///< for these the model chooses the actions
    std::vector<std::string> goal_verbs;           ///< which it may choose from; empty: all that are not denied
    std::vector<std::string> model_questions, person_questions;
    std::vector<std::string> denied, confirmed;    ///< rules of its policy, in words
    std::vector<std::string> irreversible;         ///< labels of steps
    std::map<std::string, std::string> budget;     ///< of its policy: {"steps", "60"}
    std::optional<std::int64_t> actions_max;       ///< with every loop and retry at its end, within its budget; nullopt: beyond counting
};
std::string to_json(const TaskFileUse& use);

struct TaskFileCheck {
    std::vector<TaskFinding> findings; ///< in the order of the files' lines
    TaskFileUse use;                   ///< complete where there is no error
    [[nodiscard]] bool is_valid() const;
};
enum class Lint { No, Yes };
/// Reads the file and those it runs. What is wrong is in the findings, also that there is no such file.
TaskFileCheck check_task_file(const std::filesystem::path& path, Lint lint);

/// The same file in the one layout: keys in their order, comments in their places. ParseFailed "LINE:COL: message" for what is no
/// YAML; Unsupported when that layout would read as something else.
Result<std::string> format_task_file(std::string_view text);

/// The published schema (JSON Schema 2020-12), made from the grammar.
std::string task_file_schema();
/// The reference section of docs/task-files.md, made from the grammar.
std::string task_file_reference();

} // namespace handeye
