// SPDX-License-Identifier: Apache-2.0
// A task file at work: Session::run_program() carries it out. The language, for people: docs/task-files.md.
#pragma once

#include "agent/locate/locate.h"
#include "agent/policy.h"
#include "agent/program.h"
#include "agent/recorder.h"
#include "agent/task_bundle.h"
#include "base/clock.h"
#include "base/result.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// What the file says of the screen it wants; empty: nothing.
struct TaskFilePlatform {
    std::string kind, display, window, attach, locale;
    std::vector<std::string> launch; ///< argv
    std::optional<Size> min_size;
};

class TaskProgram : public Program {
public:
    /// Reads, checks and fills in. InvalidArgument with "FILE:LINE:COL: message" lines for what `handeye task validate` would say;
    /// as Values for the variables. `vars` are texts as a command line gives them.
    /// `shown`: what messages call the file instead of its path.
    static Result<std::unique_ptr<TaskProgram>> load(const std::filesystem::path& path, const std::map<std::string, std::string>& vars, const std::string& shown = {});
    /// The same of what another program handed over. What machine_ties() would find is a mistake, too; files of this machine it may
    /// read below `files_root` only (empty: none).
    static Result<std::unique_ptr<TaskProgram>> load(std::shared_ptr<const TaskBundle> bundle, const std::map<std::string, std::string>& vars,
                                                     const std::filesystem::path& files_root);

    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual TaskFilePlatform platform() const = 0;
    [[nodiscard]] virtual const std::string& model() const = 0;  ///< folder; empty: none is named
    [[nodiscard]] virtual bool needs_model() const = 0;          ///< a goal, a question to it, a target in words
    [[nodiscard]] virtual const Policy& policy() const = 0;
    [[nodiscard]] virtual Budget budget() const = 0;
    [[nodiscard]] virtual bool holds_without_approver() const = 0;
    /// Secrets of the file and those it runs: what each is called where it is typed, and "env:NAME", "file:PATH" or "store:NAME". One of
    /// the store is called as it is there.
    [[nodiscard]] virtual const std::map<std::string, std::string>& secrets() const = 0;
    /// What is wrong beside the file and does not keep it from running: kept paths that are broken. One "FILE:LINE:COL: warning: ..." each.
    [[nodiscard]] virtual std::vector<std::string> warnings() const = 0;
    /// Before run(); without it text is read as English.
    virtual void set_languages(std::string tesseract_names) = 0;

    /// Before run(): targets that are not found may be looked for by the model, in so many steps.
    virtual void allow_healing(int steps_max) = 0;

    // After run().
    /// Writes the paths of goals that the model reached and that say `compile: on_success`, from the recording of the run, beside their task
    /// files. One line for each: where it is kept, or why not.
    [[nodiscard]] virtual std::vector<std::string> keep_paths(const Recording& recording) const = 0;
    [[nodiscard]] virtual int healed_steps() const = 0;
    /// For a person to look at and to take over: FOLDER/heal.diff and each changed file; the task files stay as they are. `folder` must be
    /// there and empty. Returns the path of the diff.
    [[nodiscard]] virtual Result<std::filesystem::path> write_healed(const std::filesystem::path& folder) const = 0;
    /// {"name","file","outcome","message","seconds","outputs","steps"}
    [[nodiscard]] virtual std::string result_json() const = 0;
    [[nodiscard]] virtual std::string result_junit() const = 0;
};

} // namespace handeye
