// SPDX-License-Identifier: Apache-2.0
// `handeye replay`: what was recorded as a task file, and that file carried out.
#include "agent/compile.h"
#include "agent/task_program.h"
#include "apps/cli/command.h"
#include "apps/cli/run_here.h"
#include "apps/cli/secret_option.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {
namespace {

std::string name_of(const std::filesystem::path& file) { return file.stem().string(); }

void tell_left_out(const CompiledTask& task) {
    for (const std::string& step : task.left_out) {
        std::fprintf(stderr, "handeye: left out, it had no effect: %s\n", step.c_str());
    }
}

/// A private folder that goes with it.
class ScratchFolder {
public:
    static Result<ScratchFolder> make() {
        SystemClock clock;
        ScratchFolder out;
        out.path_ = runtime_dir() / ("replay-" + TRY(make_ulid(clock.wall_now())));
        TRY(make_private_dir(out.path_));
        return out;
    }
    ScratchFolder() = default;
    ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchFolder& operator=(ScratchFolder&&) = delete;
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder() {
        std::error_code ignored;
        if (!path_.empty()) {
            std::filesystem::remove_all(path_, ignored);
        }
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

Result<int> replay(const RunOptions& options, const Context& context) {
    const Recording recording = TRY(Recording::open(options.goal));
    const std::unique_ptr<Locator> reader = Locator::create({.languages = options.languages});
    const CompiledTask task = TRY(compile_task(recording, name_of(options.goal), *reader));
    const ScratchFolder scratch = TRY(ScratchFolder::make());
    const std::filesystem::path file = TRY(write_compiled(task, scratch.path() / "task"));
    tell_left_out(task);
    const std::unique_ptr<TaskProgram> program = TRY(TaskProgram::load(file, {}));
    program->set_languages(options.languages);
    return run_here(options, program.get(), context);
}

} // namespace

Runner declare_replay(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    app.add_option("FILE", options->goal, "Recording of a task that ended done")->required();
    add_target_options(app, options->target);
    add_secret_option(app, options->secrets);
    app.add_option("--record", options->record, "Recording of the replay (default: a new file in the state folder)");
    app.add_option("--result", options->result_file, "Write what became of each step there, as JSON");
    app.add_option("--junit", options->junit_file, "Write it as JUnit XML, for build servers");
    app.add_option("--languages", options->languages, "Of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str();
    app.footer("Targets are found by id, role and label, or by their picture, wherever they are now; no model is loaded.\n"
               "What cannot be found stops it, with what was looked for. Start the programs that the recording started: --launch.\n"
               "Example: handeye replay run.handeye --headless 800x600 --launch \"my-form\"");
    return [options](const Context& context) { return replay(*options, context); };
}

} // namespace handeye::cli
