// SPDX-License-Identifier: Apache-2.0
// `handeye export`: a recording in the forms that other programs read. One row per form.
#include "agent/compile.h"
#include "agent/export.h"
#include "apps/cli/command.h"
#include "base/file.h"
#include "base/json.h"

#include <algorithm>
#include <array>
#include <map>

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
enum class Output { Folder, File };
using Writer = Result<int> (*)(const Recording& recording, const Options& options, const Context& context);
struct Row {
    const char* name;
    const char* help;
    Output output;
    Writer write;
};

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

Result<int> put(const std::string& text, const Options& options, const Context& context) {
    if (options.out.empty()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        return 0;
    }
    TRY(write_file_atomic(options.out, text, 0600));
    if (context.json) {
        print_json({{"path", options.out}, {"bytes", text.size()}});
    } else {
        print(fmt::format("{}: {} bytes", options.out, text.size()));
    }
    return 0;
}

Result<int> write_task(const Recording& recording, const Options& options, const Context& context) {
    const std::unique_ptr<Locator> reader = Locator::create({.languages = options.languages});
    const CompiledTask task = TRY(compile_task(recording, {.name = std::filesystem::path(options.file).stem().string()}, *reader));
    const std::filesystem::path written = TRY(write_compiled(task, options.out));
    for (const std::string& step : task.left_out) {
        std::fprintf(stderr, "handeye: left out, it had no effect: %s\n", step.c_str());
    }
    if (context.json) {
        print_json({{"path", written.string()}, {"steps", task.steps}, {"pictures", task.pictures.size()}, {"left_out", task.left_out}});
    } else {
        print(fmt::format("{}: {} steps, {} pictures\ncheck it: handeye task lint {}", written.string(), task.steps, task.pictures.size(), written.string()));
    }
    return 0;
}

Result<int> write_lines(const Recording& recording, const Options& options, const Context& context) { return put(TRY(as_lines(recording)), options, context); }
Result<int> write_otel(const Recording& recording, const Options& options, const Context& context) { return put(TRY(export_otel(recording)), options, context); }

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
        std::fprintf(stderr, "handeye: left out %d %s: %s\n", count, count == 1 ? "step" : "steps", reason.c_str());
    }
    print(fmt::format("{}: {} records, {} pictures\ntrain with template: {} and image_max_pixels: {}", done.file.string(), done.records, done.pictures, template_name, done.pixels_max));
    return 0;
}

Result<int> write_llamafactory(const Recording& recording, const Options& options, const Context& context) {
    return tell_training(TRY(export_llamafactory(recording, options.out, options.training())), context);
}
Result<int> write_preference(const Recording& recording, const Options& options, const Context& context) {
    return tell_training(TRY(export_preference(recording, options.out, options.training())), context);
}

constexpr std::array<Row, 5> kForms{{
    {"task", "a task file with its pictures, to read, change and run again", Output::Folder, write_task},
    {"jsonl", "the events, a line each", Output::File, write_lines},
    {"llamafactory", "training data for LLaMA-Factory: a record for each step, with its pictures", Output::Folder, write_llamafactory},
    {"preference", "pairs of what the model wanted and what a person did instead, in the same layout", Output::Folder, write_preference},
    {"otel", "OpenTelemetry traces (OTLP/JSON): a span for each task, step and stage", Output::File, write_otel},
}};

const Row& row_of(const std::string& name) {
    const auto* const found = std::find_if(kForms.begin(), kForms.end(), [&](const Row& row) { return row.name == name; });
    return found == kForms.end() ? kForms.front() : *found; // CLI11 lets none but these pass
}

std::vector<std::string> names() {
    std::vector<std::string> out;
    std::transform(kForms.begin(), kForms.end(), std::back_inserter(out), [](const Row& row) { return row.name; });
    return out;
}

std::string help() {
    std::string out;
    for (const Row& row : kForms) {
        out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", row.name, row.help);
    }
    return out;
}

Result<int> run_export(const Options& options, const Context& context) {
    const Row& row = row_of(options.to);
    if (row.output == Output::Folder && options.out.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("--to {} writes pictures, too: name a new folder with -o", row.name)};
    }
    const Recording recording = TRY(Recording::open(options.file));
    std::error_code problem;
    if (!options.out.empty() && std::filesystem::equivalent(options.out, options.file, problem)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is the recording itself: name another file with -o", options.out)};
    }
    return row.write(recording, options, context);
}

} // namespace

Runner declare_export(CLI::App& app) {
    auto options = std::make_shared<Options>();
    app.add_option("FILE", options->file, "Recording (*.handeye)")->required();
    app.add_option("--to", options->to, help())->check(CLI::IsMember(names()))->capture_default_str();
    app.add_option("-o,--out", options->out, "Folder to make, or file to write; jsonl and otel go to standard output without it");
    app.add_option("--languages", options->languages, "task: of the text on the screen, as Tesseract calls them: eng+deu")->capture_default_str();
    app.add_option("--form", options->form, "llamafactory, preference: how the trained model wraps its answers (default: as the recorded one)")->check(CLI::IsMember({"4.1v", "4.5v"}));
    app.add_flag("--all", options->all, "llamafactory: denied, failed and ineffective steps, too; each record's \"result\" says which");
    app.add_flag("--dialogue", options->dialogue, "llamafactory: a record for each task, with its steps as turns");
    app.footer("What was painted over or taken out when it was recorded stays so.\n"
               "Examples: handeye export run.handeye --to task -o again/ && handeye run again/task.yaml --display :0\n"
               "          handeye export run.handeye --to llamafactory -o data/");
    return [options](const Context& context) { return run_export(*options, context); };
}

} // namespace handeye::cli
