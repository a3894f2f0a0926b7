// SPDX-License-Identifier: Apache-2.0
// `handeye export`: a recording in the forms that other programs read. One row per form.
#include "agent/compile.h"
#include "agent/export.h"
#include "agent/export_video.h"
#include "agent/task_file.h"
#include "apps/cli/command.h"
#include "apps/cli/output_file.h"
#include "base/json.h"

#include <algorithm>
#include <map>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kPageEvents = 256;

struct Options {
    std::string file;
    std::string to = "task";
    std::string out;
    std::string languages = "eng";
    std::string form;
    bool all = false;
    bool dialogue = false;
    bool force = false;
    double step_seconds = VideoOptions{}.step_seconds_max;
    std::vector<CLI::Option*> of_formats; ///< those that belong to some formats only; CLI11's

    [[nodiscard]] TrainingOptions training() const {
        TrainingOptions wanted;
        if (!form.empty()) {
            wanted.form = form == "4.5v" ? AnswerForm::Glm45V : AnswerForm::Glm41V;
        }
        wanted.steps = all ? TrainingSteps::All : TrainingSteps::Good;
        wanted.turns = dialogue ? TrainingTurns::OneTask : TrainingTurns::OnePerRecord;
        return wanted;
    }
};

/// What an export is written to.
enum class Output { Folder, File, FileOrStandardOutput };
using Writer = Result<int> (*)(const Recording& recording, const Options& options, const Context& context);
struct Row {
    const char* name;
    const char* help;
    Output output;
    Writer write;
    std::vector<std::string_view> options; ///< beside those that all have
};

std::string counted(std::uint64_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

// One line, whatever a forged recording holds: what is written across several lines is written anew.
Result<std::string> as_line(const Recording& recording, const StoredEvent& event) {
    Result<json> data = parse_json(event.data_json, {.bytes_max = 16U << 20U, .depth_max = 64});
    if (!data) {
        return Error{ErrorCode::ParseFailed, fmt::format("event {} holds no JSON: {}", event.seq, data.error().message)};
    }
    const bool is_one_line = event.data_json.find_first_of("\r\n") == std::string::npos;
    return fmt::format("{{\"session\":{},\"seq\":{},\"t_wall\":{},\"t_mono_ns\":{},\"type\":{},\"data\":{}}}\n", dump_json(json(recording.session_id())), event.seq, dump_json(json(event.t_wall)),
                       event.t_mono_ns, dump_json(json(event.type)), is_one_line ? event.data_json : dump_json(*data));
}

// The file, or standard output where none is named.
Result<OutputFile> open_output(const Options& options, const Context& context) {
    const std::string out = options.out.empty() ? "-" : options.out;
    if (out == "-" && context.json) {
        return Error{ErrorCode::InvalidArgument, "--json tells what was written where: name a file with -o"};
    }
    return OutputFile::create({.out = out, .recordings = {options.file}, .is_forced = options.force});
}

Result<int> finish(OutputFile file, const Options& options, const Context& context, json facts) {
    const bool is_standard_output = file.is_standard_output();
    const std::uint64_t bytes = TRY(file.finish());
    facts["path"] = options.out;
    facts["bytes"] = bytes;
    if (context.json) {
        print_json(facts);
    } else if (!is_standard_output) {
        print(fmt::format("{}: {}", options.out, counted(bytes, "byte")));
    }
    return 0;
}

Result<int> write_task(const Recording& recording, const Options& options, const Context& context) {
    const std::unique_ptr<Locator> reader = Locator::create({.languages = options.languages});
    CompiledTask task = TRY(compile_task(recording, {.name = std::filesystem::path(options.file).stem().string()}, *reader));
    task.yaml = TRY(format_task_file(task.yaml)); // as `handeye task fmt` leaves it
    const std::filesystem::path written = TRY(write_compiled(task, options.out));
    for (const std::string& step : task.left_out) {
        std::fprintf(stderr, "handeye: left out, it had no effect: %s\n", step.c_str());
    }
    if (context.json) {
        print_json({{"path", written.string()}, {"steps", task.steps}, {"pictures", task.pictures.size()}, {"left_out", task.left_out}});
    } else {
        print(fmt::format("{}: {}, {}\ncheck it: handeye task lint {}", written.string(), counted(static_cast<std::uint64_t>(task.steps), "step"), counted(task.pictures.size(), "picture"), written.string()));
    }
    return 0;
}

Result<int> write_lines(const Recording& recording, const Options& options, const Context& context) {
    OutputFile file = TRY(open_output(options, context));
    std::uint64_t events = 0;
    for (;;) {
        const std::vector<StoredEvent> page = TRY(recording.events(events + 1, kPageEvents));
        if (page.empty()) {
            return finish(std::move(file), options, context, {{"events", events}});
        }
        for (const StoredEvent& event : page) {
            const std::string line = TRY(as_line(recording, event));
            TRY(file.write(line));
        }
        events = page.back().seq;
    }
}

Result<int> write_otel(const Recording& recording, const Options& options, const Context& context) {
    OutputFile file = TRY(open_output(options, context));
    const std::string document = TRY(export_otel(recording));
    TRY(file.write(document));
    return finish(std::move(file), options, context, json::object());
}

Result<int> write_video(const Recording& recording, const Options& options, const Context& context) {
    if (!options.out.ends_with(".mp4")) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{}: a film is MP4: name a file that ends in .mp4", options.out)};
    }
    OutputFile file = TRY(open_output(options, context));
    if (file.part().empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no file: a film cannot be written to it", options.out)};
    }
    const VideoExport film = TRY(export_video(recording, file.part(), {.step_seconds_max = options.step_seconds}).with_context(options.out));
    const double seconds = film.frames / film.frames_per_second;
    if (!context.json) {
        print(fmt::format("{} in {:.1f} s, {}x{}", counted(static_cast<std::uint64_t>(film.steps), "step"), seconds, film.size.width_px, film.size.height_px));
    }
    return finish(std::move(file), options, context, {{"steps", film.steps}, {"frames", film.frames}, {"seconds", seconds}, {"width", film.size.width_px}, {"height", film.size.height_px}});
}

int tell_training(const TrainingExport& done, const Context& context) {
    json left_out = json::array();
    std::map<std::string, int> reasons;
    for (const LeftOut& step : done.left_out) {
        left_out.push_back({{"task", step.task}, {"step", step.step}, {"reason", step.reason}});
        ++reasons[step.reason];
    }
    const std::string template_name(training_template(done.form));
    if (context.json) {
        print_json({{"path", done.file.string()}, {"records", done.records}, {"pictures", done.pictures}, {"template", template_name}, {"image_max_pixels", done.pixels_max}, {"left_out", left_out}});
        return 0;
    }
    for (const auto& [reason, count] : reasons) {
        std::fprintf(stderr, "handeye: left out %s: %s\n", counted(static_cast<std::uint64_t>(count), "step").c_str(), reason.c_str());
    }
    print(fmt::format("{}: {}, {}\ntrain with template: {} and image_max_pixels: {}", done.file.string(), counted(static_cast<std::uint64_t>(done.records), "record"),
                      counted(static_cast<std::uint64_t>(done.pictures), "picture"), template_name, done.pixels_max));
    return 0;
}

Result<int> write_llamafactory(const Recording& recording, const Options& options, const Context& context) {
    return tell_training(TRY(export_llamafactory(recording, options.out, options.training())), context);
}
Result<int> write_preference(const Recording& recording, const Options& options, const Context& context) {
    return tell_training(TRY(export_preference(recording, options.out, options.training())), context);
}

const std::vector<Row>& rows() {
    static const std::vector<Row> kRows{
        {"task", "a task file with its pictures, to read, change and run again", Output::Folder, write_task, {"--languages"}},
        {"jsonl", "the events, a line each", Output::FileOrStandardOutput, write_lines, {}},
        {"llamafactory", "training data for LLaMA-Factory: a record for each step, with its pictures", Output::Folder, write_llamafactory, {"--form", "--all", "--dialogue"}},
        {"preference", "pairs of what the model wanted and what a person did instead, in the same layout", Output::Folder, write_preference, {"--form"}},
        {"otel", "OpenTelemetry traces (OTLP/JSON): a span for each task, step and stage", Output::FileOrStandardOutput, write_otel, {}},
        {"video", "a film (MP4): each step's screen with what was done, at the pace that it was done in", Output::File, write_video, {"--step-seconds"}},
    };
    return kRows;
}

const Row& row_of(const std::string& name) {
    const auto found = std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.name == name; });
    return found == rows().end() ? rows().front() : *found; // CLI11 lets none but these pass
}

std::vector<std::string> names() {
    std::vector<std::string> out;
    std::transform(rows().begin(), rows().end(), std::back_inserter(out), [](const Row& row) { return row.name; });
    return out;
}

std::string help() {
    std::string out;
    for (const Row& row : rows()) {
        out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", row.name, row.help);
    }
    return out;
}

// An option that would do nothing is a mistake of whoever gave it.
Result<void> check_options(const Options& options, const Row& row) {
    for (const CLI::Option* option : options.of_formats) {
        const std::string name = "--" + option->get_lnames().front();
        if (option->count() == 0 || std::find(row.options.begin(), row.options.end(), name) != row.options.end()) {
            continue;
        }
        std::string with;
        for (const Row& other : rows()) {
            const bool has = std::find(other.options.begin(), other.options.end(), name) != other.options.end();
            with += has ? fmt::format("{}--to {}", with.empty() ? "" : " and ", other.name) : "";
        }
        return Error{ErrorCode::InvalidArgument, fmt::format("{} means nothing with --to {}: it belongs to {}", name, row.name, with)};
    }
    return {};
}

Result<int> run_export(const Options& options, const Context& context) {
    const Row& row = row_of(options.to);
    TRY(check_options(options, row));
    if (row.output == Output::Folder && (options.out.empty() || options.out == "-")) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--to {} writes pictures, too: name a new folder with -o", row.name)};
    }
    if (row.output == Output::Folder && options.force) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--to {} writes a new folder: --force is for files", row.name)};
    }
    if (row.output == Output::File && (options.out.empty() || options.out == "-")) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--to {}: name a file with -o", row.name)};
    }
    const Recording recording = TRY(Recording::open(options.file));
    return row.write(recording, options, context);
}

} // namespace

Runner declare_export(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("FILE", options->file, "Recording (*.handeye)")->required();
    app.add_option("--to", options->to, help())->check(CLI::IsMember(names()))->capture_default_str();
    app.add_option("-o,--out,--output", options->out, "Folder to make, or file to write; jsonl and otel go to standard output without it, or with -");
    app.add_flag("--force", options->force, "Replace a file that has this name");
    options->of_formats = {
        app.add_option("--languages", options->languages, "task: of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str(),
        app.add_option("--form", options->form, "llamafactory, preference: how the trained model wraps its answers (default: as the recorded one)")->check(CLI::IsMember({"4.1v", "4.5v"})),
        app.add_flag("--all", options->all, "llamafactory: denied, failed and ineffective steps, too; each record's \"result\" says which"),
        app.add_flag("--dialogue", options->dialogue, "llamafactory: a record for each task, with its steps as turns"),
        app.add_option("--step-seconds", options->step_seconds, "video: the longest that a step is shown, however long it took")->check(CLI::Range(0.2, 60.0))->capture_default_str(),
    };
    app.footer("What was painted over or taken out when it was recorded stays so.\n"
               "Examples: handeye export run.handeye --to task -o again/ && handeye run again/task.yaml --display :0\n"
               "          handeye export run.handeye --to llamafactory -o data/\n"
               "          handeye export run.handeye --to video -o run.mp4");
    return [options](const Context& context) { return run_export(*options, context); };
}

} // namespace handeye::cli
