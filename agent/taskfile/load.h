// SPDX-License-Identifier: Apache-2.0
// A task file with the task files it runs, each in normal form.
#pragma once

#include "agent/task_bundle.h"
#include "agent/task_file.h"
#include "agent/taskfile/grammar.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/tree.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace handeye::taskfile {

constexpr std::size_t kRunDepthMax = 8;
constexpr std::size_t kFilesMax = 64;

struct Loaded {
    std::string shown; ///< the path as messages show it
    std::filesystem::path folder;
    Node tree;         ///< normal form
    NamesRead read;
};
/// The first is the file itself. By canonical path; of a bundle, by name.
struct LoadedFiles {
    std::vector<std::filesystem::path> order;
    std::map<std::filesystem::path, Loaded> files;
    std::vector<TaskFinding> findings;
    std::shared_ptr<const TaskBundle> bundle = {}; ///< that they came in; empty: from the disk
    /// Kept paths of goals that are no task files any more, by canonical path, with what is wrong first: they are not in `files`.
    std::map<std::filesystem::path, TaskFinding> broken_paths = {};

    /// What `name` in `from` stands for in `files`.
    [[nodiscard]] std::filesystem::path resolve(const Loaded& from, const std::string& name) const;
    /// The picture that `name` in `from` stands for: NotFound when none such was handed over, and what reading it says.
    [[nodiscard]] Result<Image> picture(const Loaded& from, const std::string& name) const;
};
/// `shown`: what messages call it; empty: its path.
LoadedFiles load(const std::filesystem::path& path, const std::string& shown = {});
LoadedFiles load(std::shared_ptr<const TaskBundle> bundle);

/// Whether a task may look into files of the machine on which it runs.
enum class MachineFiles { Refused, Allowed };
std::vector<TaskFinding> machine_ties(const LoadedFiles& loaded, MachineFiles machine_files);

/// Whether a text holds ${references}; a broken one counts as such.
bool has_reference(const std::string& text);

/// The file that a `run` step names, for a path without references; empty otherwise.
std::filesystem::path run_path(const Loaded& from, const Node& run);

/// Where the path of a goal with `compile: on_success` is kept, beside the file `from`: FILE.paths/WORDS-HASH/task.yaml, by the words of the
/// goal as the file has them. Empty for a step that keeps none.
std::string goal_path(const Node& step, const Loaded& from);

void lint(const LoadedFiles& loaded, std::vector<TaskFinding>& findings);
TaskFileUse explain(const LoadedFiles& loaded);

/// Calls `visit` for each step of a list and of the lists within it, in order.
template <class Visit>
void for_each_step(const Node& steps, const Visit& visit) {
    for (const Node& step : steps.items) {
        visit(step);
        if (const Node* const inner = step.find("steps"); inner != nullptr) {
            for_each_step(*inner, visit);
        }
    }
}
/// The same for all steps of a file, those of `finally` and of interstitials too.
template <class Visit>
void for_each_step_of_file(const Node& file, const Visit& visit) {
    for (const char* const key : {"steps", "finally"}) {
        if (const Node* const steps = file.find(key); steps != nullptr) {
            for_each_step(*steps, visit);
        }
    }
    if (const Node* const list = file.find("on_interstitial"); list != nullptr) {
        for (const Node& item : list->items) {
            if (const Node* const steps = item.find("do"); steps != nullptr) {
                for_each_step(*steps, visit);
            }
        }
    }
}
/// Calls `visit(node, shape)` for every object in `node`, itself included.
template <class Visit>
void for_each_object(const Node& node, ShapeId shape, const Visit& visit) {
    visit(node, shape);
    for (const Entry& entry : node.entries) {
        const Field* const field = shape_of(shape).find(entry.key);
        if (field == nullptr || field->type.kind != Kind::Object) {
            continue;
        }
        if (entry.value.kind == Node::Kind::List) {
            for (const Node& item : entry.value.items) {
                for_each_object(item, field->type.shape, visit);
            }
        } else {
            for_each_object(entry.value, field->type.shape, visit);
        }
    }
}

/// Calls `visit` for each name of a picture.
template <class Visit>
void for_each_picture(const Node& file, const Visit& visit) {
    for_each_object(file, ShapeId::File, [&](const Node& node, ShapeId shape) {
        if (const Node* const picture = shape_of(shape).find("template") != nullptr ? node.find("template") : nullptr) {
            visit(*picture);
        }
    });
}

} // namespace handeye::taskfile
