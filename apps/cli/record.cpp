// SPDX-License-Identifier: Apache-2.0
// `handeye record`: a person shows a task once; what they did is a recording like an agent's.
#include "agent/demonstration.h"
#include "agent/recorder.h"
#include "agent/recording_folder.h"
#include "apps/cli/command.h"
#include "apps/secret_files.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/printable.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace handeye::cli {
namespace {

struct RecordOptions {
    TargetSpec target;
    std::string out;
    std::string title = "a demonstration";
    std::string hot_key = "ctrl+alt+escape";
    bool keeps_unknown_text = false;
};

/// Of /proc/PID/stat: the name in brackets may hold anything, brackets too. 0: no such process.
int parent_of(int pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid)); // not read_file(): files there say that they are empty
    std::string stat;
    std::getline(file, stat, '\0');
    const std::size_t end = stat.rfind(") ");
    int parent = 0;
    if (end != std::string::npos && stat.size() > end + 4) {
        std::from_chars(stat.data() + end + 4, stat.data() + stat.size(), parent); // ") S 1234"
    }
    return parent;
}

/// The nearest program around this one that has a window: the terminal. 0: there is none.
int terminal_of(const std::vector<WindowInfo>& windows) {
    for (int pid = ::getppid(); pid > 1; pid = parent_of(pid)) {
        if (std::any_of(windows.begin(), windows.end(), [pid](const WindowInfo& window) { return window.pid == pid; })) {
            return pid;
        }
    }
    return 0;
}

Result<std::filesystem::path> file_of(const RecordOptions& options, const std::string& session_id) {
    std::error_code problem;
    if (options.out.empty()) {
        const std::filesystem::path file = session_file_path(session_id);
        TRY(make_private_dir(file.parent_path()));
        return file;
    }
    if (std::filesystem::exists(options.out, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} exists: name a new file with -o", options.out)};
    }
    return std::filesystem::path(options.out);
}

void tell_start(const RecordOptions& options, const DisplayInfo& display, const std::filesystem::path& file) {
    const std::string chord = options.hot_key.empty() ? std::string() : options.hot_key + ", or with ";
    fmt::print(stderr, "handeye: recording {} ({}x{}) into {}; show what is to be done, and stop with {}Ctrl-C here\n", printable(display.address), display.size.width_px,
               display.size.height_px, printable(file.string()), chord);
    if (!display.authority_file.empty()) {
        fmt::print(stderr, "handeye: programs reach that display with XAUTHORITY={}\n", display.authority_file);
    }
}

void tell_end(const DemonstrationReport& report, const std::filesystem::path& file, const Context& context) {
    if (context.json) {
        const nlohmann::json path = report.steps > 0 ? nlohmann::json(file.string()) : nlohmann::json();
        print_json({{"path", path}, {"steps", report.steps}, {"secrets", report.secrets}, {"left_out", report.left_out}, {"notes", report.notes}, {"is_whole", !report.cut_short}});
        return;
    }
    print(report.steps == 0 ? "nothing was recorded, and no file is left" : fmt::format("{}: {} step{}", file.string(), report.steps, report.steps == 1 ? "" : "s"));
    for (const std::string& line : report.notes) {
        print("mind: " + line);
    }
    for (const std::string& line : report.left_out) {
        print("left out: " + line);
    }
    std::string secrets;
    for (const std::string& name : report.secrets) {
        print(fmt::format("not recorded, {{{{secret:{}}}}} stands for it: {}", name,
                          name.starts_with("password") ? "what was typed into a password field, or may have been" : "text for a window that does not tell of its fields (--keep-unknown-text)"));
        secrets += fmt::format(" --secret {0}=@{0}.txt", name);
    }
    if (report.steps == 0) {
        return;
    }
    if (report.cut_short) {
        print(fmt::format("look at it:    handeye report {}", file.string()));
        return;
    }
    const std::string folder = file.stem().string();
    print(fmt::format("look at it:    handeye report {0}\ndo it again:   handeye replay {0}{1}\nas a task file: handeye export {0} --to task -o {2}/", file.string(), secrets, folder));
}

/// Who lists recordings finds none in which nothing was done.
Result<void> take_away(std::unique_ptr<Recorder> recorder) {
    const std::filesystem::path file = recorder->path();
    recorder.reset();
    return delete_recording(file);
}

Result<int> record(const RecordOptions& options, const Context& context) {
    SystemClock clock;
    TRY(forbid_memory_dumps()); // what is typed is in this program's memory for a moment
    DemonstrationOptions demonstration;
    demonstration.session_id = TRY(make_ulid(clock.wall_now()));
    demonstration.title_utf8 = options.title;
    demonstration.stop_chord = options.hot_key;
    demonstration.unknown_text = options.keeps_unknown_text ? DemonstrationOptions::UnknownText::IsPlain : DemonstrationOptions::UnknownText::IsSecret;
    const std::filesystem::path file = TRY(file_of(options, demonstration.session_id));
    const std::unique_ptr<Platform> platform = TRY(open_target(options.target, clock, context.stop));
    const int terminal = terminal_of(TRY(platform->windows()));
    demonstration.is_own_window = [terminal](const WindowInfo& window) { return terminal != 0 && window.pid == terminal; };
    demonstration.on_step = [](int step, const std::string& summary) { fmt::print(stderr, "{:>4}  {}\n", step, printable(summary)); };
    std::unique_ptr<Recorder> recorder = TRY(Recorder::open(file, demonstration.session_id));
    const DisplayInfo display = TRY(platform->display());
    demonstration.on_ready = [&] { tell_start(options, display, file); };
    const DemonstrationReport report = TRY(record_demonstration(demonstration, *platform, clock, *recorder, context.stop));
    Result<void> sealed = recorder->seal();
    if (report.steps == 0) {
        TRY(take_away(std::move(recorder)));
    }
    tell_end(report, file, context);
    if (report.cut_short) {
        return report.cut_short->with_context("the recording was cut short");
    }
    TRY(std::move(sealed));
    return report.steps > 0 ? 0 : 1;
}

} // namespace

Runner declare_record(CLI::App& app) {
    auto options = std::make_shared<RecordOptions>();
    add_target_options(app, options->target);
    app.add_option("-o,--out", options->out, "Recording to write, a new file (default: in the state folder)");
    app.add_option("--title", options->title, "What is shown, in a few words: the task's name")->capture_default_str();
    app.add_option("--hot-key", options->hot_key, "Ends the recording and is not in it; empty: none")->capture_default_str();
    app.add_flag("--keep-unknown-text", options->keeps_unknown_text,
                 "Record text for windows that tell nothing of their fields, such as terminals; without it a secret stands for it, since it may be a password");
    app.footer("Clicks, drags, the wheel, text and keys are recorded with the screen before and after them. What is typed into a password field\n"
               "is never written down: a secret such as {{secret:password_1}} stands for it. What you do in this terminal is left out.\n"
               "Example: handeye record -o order.handeye && handeye replay order.handeye");
    return [options](const Context& context) { return record(*options, context); };
}

} // namespace handeye::cli
