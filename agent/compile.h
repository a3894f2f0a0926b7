// SPDX-License-Identifier: Apache-2.0
// A recorded task as a task file: what was done, and how each target can be found again without a model.
#pragma once

#include "agent/locate/locate.h"
#include "agent/recorder.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace handeye {

struct CompiledTask {
    std::string yaml;                                          ///< of the task file
    std::map<std::string, std::vector<std::uint8_t>> pictures; ///< of targets: PNG by the name that the file uses
    std::vector<std::string> left_out;                         ///< steps that had no effect, one line each
    int steps = 0;
};

/// Steps of a task, both included.
struct StepRange {
    int first = 1;
    int last = 1;
};
struct CompileOptions {
    std::string name;                          ///< the file's
    std::string description = {};              ///< empty: the task's goal
    std::optional<StepRange> steps = {};       ///< only these, however the task ended; unset: all of one that ended `done`
    std::map<std::string, std::string> secrets = {}; ///< name where it was typed, source: "env:NAME"; others are sought in the store
    std::map<std::string, std::string> values = {}; ///< of variables: where a value stands in a text, the file has the variable
};

/// The last task of the recording; `reader` reads text from its pictures where the platform told nothing of a target.
/// InvalidArgument when that did not end `done`, or nothing was done; Unsupported for an action that task files cannot
/// express; both name the step.
Result<CompiledTask> compile_task(const Recording& recording, CompileOptions options, Locator& reader);
/// The pictures beside `file`, then the file itself, over what was there.
Result<void> write_task(const CompiledTask& task, const std::filesystem::path& file);
/// FOLDER/task.yaml and its pictures; the folder must be new or empty.
Result<std::filesystem::path> write_compiled(const CompiledTask& task, const std::filesystem::path& folder);

} // namespace handeye
