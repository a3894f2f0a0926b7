// SPDX-License-Identifier: Apache-2.0
// A recorded task as a task file: what was done, and how each target can be found again without a model.
#pragma once

#include "agent/locate/locate.h"
#include "agent/recorder.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace handeye {

struct CompiledTask {
    std::string yaml;                                          ///< of the task file
    std::map<std::string, std::vector<std::uint8_t>> pictures; ///< of targets: PNG by the name that the file uses
    std::vector<std::string> left_out;                         ///< steps that had no effect, one line each
    int steps = 0;
};

/// The last task of the recording; `reader` reads text from its pictures where the platform told nothing of a target.
/// InvalidArgument when that did not end `done`; Unsupported for an action that task files cannot
/// express; both name the step. `name` is the file's.
Result<CompiledTask> compile_task(const Recording& recording, const std::string& name, Locator& reader);
/// FOLDER/task.yaml and its pictures; the folder must be new or empty.
Result<std::filesystem::path> write_compiled(const CompiledTask& task, const std::filesystem::path& folder);

} // namespace handeye
