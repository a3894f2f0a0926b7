// SPDX-License-Identifier: Apache-2.0
// `handeye export` and `handeye replay`: what was recorded as a task file, and that file carried out.
#include "agent/compile.h"
#include "agent/task_program.h"
#include "apps/cli/command.h"
#include "apps/cli/run_here.h"
#include "apps/cli/secret_option.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kPageEvents = 256;

std::string name_of(const std::filesystem::path& file) { return file.stem().string(); }

Result<std::string> as_lines(const Recording& recording) {
    std::string out;
    for (std::uint64_t next = 1;;) {
        const std::vector<StoredEvent> page = TRY(recording.events(next, kPageEvents));
        if (page.empty()) {
            return out;
        }
        for (const StoredEvent& event : page) {
            out += fmt::format("{{\"session\":{},\"seq\":{},\"t_wall\":{},\"t_mono_ns\":{},\"type\":{},\"data\":{}}}\n", dump_json(json(recording.session_id())), event.seq,
                               dump_json(json(event.t_wall)), event.t_mono_ns, dump_json(json(event.type)), event.data_json);
        }
        next = page.back().seq + 1;
    }
}

void tell_left_out(const CompiledTask& task) {
    for (const std::string& step : task.left_out) {
        std::fprintf(stderr, "handeye: left out, it had no effect: %s\n", step.c_str());
    }
}

Result<int> export_task(const Recording& recording, const std::filesystem::path& file, const std::string& folder, const std::string& languages, const Context& context) {
    if (folder.empty()) {
        return Error{ErrorCode::InvalidArgument, "a task file has pictures beside it: name a new folder with -o"};
    }
    const std::unique_ptr<Locator> reader = Locator::create({.languages = languages});
    const CompiledTask task = TRY(compile_task(recording, name_of(file), *reader));
    const std::filesystem::path written = TRY(write_compiled(task, folder));
    tell_left_out(task);
    if (context.json) {
        print_json({{"path", written.string()}, {"steps", task.steps}, {"pictures", task.pictures.size()}, {"left_out", task.left_out}});
    } else {
        print(fmt::format("{}: {} steps, {} pictures\ncheck it: handeye task lint {}", written.string(), task.steps, task.pictures.size(), written.string()));
    }
    return 0;
}

Result<int> export_lines(const Recording& recording, const std::string& out, const Context& context) {
    const std::string text = TRY(as_lines(recording));
    if (out.empty()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return 0;
    }
    TRY(write_file_atomic(out, text, 0600));
    if (context.json) {
        print_json({{"path", out}, {"bytes", text.size()}});
    } else {
        print(fmt::format("{}: {} bytes", out, text.size()));
    }
    return 0;
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

Runner declare_export(CLI::App& app) {
    auto file = std::make_shared<std::string>();
    auto to = std::make_shared<std::string>("task");
    auto out = std::make_shared<std::string>();
    auto languages = std::make_shared<std::string>("eng");
    app.add_option("FILE", *file, "Recording")->required();
    app.add_option("--to", *to, "task: a task file with its pictures, in a new folder; jsonl: the events, a line each")->check(CLI::IsMember({"task", "jsonl"}))->capture_default_str();
    app.add_option("-o,--out", *out, "Where to write; jsonl goes to standard output without it");
    app.add_option("--languages", *languages, "Of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str();
    app.footer("Example: handeye export run.handeye --to task -o again/ && handeye run again/task.yaml --display :0");
    return [file, to, out, languages](const Context& context) -> Result<int> {
        const Recording recording = TRY(Recording::open(*file));
        return *to == "task" ? export_task(recording, *file, *out, *languages, context) : export_lines(recording, *out, context);
    };
}

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
