// SPDX-License-Identifier: Apache-2.0
// `handeye report` and `handeye verify`: a recording as a page, and whether anyone changed it.
#include "agent/report.h"
#include "apps/cli/command.h"
#include "apps/cli/output_file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

namespace {

struct ReportCommand {
    std::string recording;
    std::string diff;
    std::string out;
    bool force = false;
};

std::string default_name(const ReportCommand& options) {
    std::filesystem::path out = options.recording;
    return options.diff.empty() ? out.replace_extension(".html").string() : (out.parent_path() / (out.stem().string() + "-diff.html")).string();
}

Result<OutputFile> open_output(const ReportCommand& options, const Context& context) {
    if (options.out == "-" && context.json) {
        return Error{ErrorCode::InvalidArgument, "-o - and --json both want standard output"};
    }
    OutputFile::Options wanted{options.out.empty() ? default_name(options) : options.out, {options.recording}, options.force, is_report_page};
    if (!options.diff.empty()) {
        wanted.recordings.emplace_back(options.diff);
    }
    return OutputFile::create(wanted);
}

// Tells where it is, unless that is where it was told to.
Result<void> finish(OutputFile file, const ReportCommand& options, const std::string& html, nlohmann::json facts, const Context& context) {
    TRY(file.write(html));
    const bool is_standard_output = file.is_standard_output();
    TRY(file.finish());
    const std::string name = options.out.empty() ? default_name(options) : options.out;
    if (context.json) {
        facts["file"] = name;
        facts["bytes"] = html.size();
        print_json(facts);
    } else if (!is_standard_output) {
        print(name);
    }
    return {};
}

// Of people: each difference with the steps that it is about.
void print_differences(const nlohmann::json& found) {
    const auto place = [](const nlohmann::json& mine, const nlohmann::json& other) {
        return !mine.is_number() ? "the other run's step " + other.dump() : "step " + mine.dump() + (other.is_number() && other != mine ? ", there " + other.dump() : "");
    };
    const auto print_all = [](const std::string& where, const nlohmann::json& differences) {
        for (const nlohmann::json& one : differences) {
            print(where + one.at("words").get<std::string>());
        }
    };
    print_all("", found.at("differences"));
    for (const nlohmann::json& task : found.at("tasks")) {
        const std::string name = fmt::format("task {}", task.at("task").dump());
        print_all(name + ": ", task.at("differences"));
        for (const nlohmann::json& step : task.at("steps")) {
            print_all(fmt::format("{}, {}: ", name, place(step.at("this"), step.at("other"))), step.at("differences"));
        }
    }
}

Result<int> compare(const ReportCommand& options, const Recording& recording, const Context& context) {
    const Recording other = TRY(Recording::open(options.diff));
    OutputFile file = TRY(open_output(options, context));
    const bool is_standard_output = file.is_standard_output();
    const ComparedRuns compared = TRY(compare_recordings(recording, other, {.name = options.recording, .other_name = options.diff}));
    nlohmann::json facts = nlohmann::json::parse(compared.differences_json);
    if (!context.json && !is_standard_output) {
        print_differences(facts);
        print(compared.differences == 0 ? "no difference" : fmt::format("{} difference{}", compared.differences, compared.differences == 1 ? "" : "s"));
    }
    TRY(finish(std::move(file), options, compared.html, std::move(facts), context));
    return compared.differences == 0 ? 0 : 1;
}

Result<int> run_report(const ReportCommand& options, const Context& context) {
    const Recording recording = TRY(Recording::open(options.recording));
    if (!options.diff.empty()) {
        return compare(options, recording, context);
    }
    OutputFile file = TRY(open_output(options, context));
    const std::string html = TRY(render_report_html(recording));
    TRY(finish(std::move(file), options, html, {{"session", recording.session_id()}}, context));
    return 0;
}

} // namespace

Runner declare_report(CLI::App& app) {
    auto options = std::make_shared<ReportCommand>();
    app.add_option("FILE", options->recording, "Recording (*.handeye)")->required();
    app.add_option("--diff", options->diff, "Another recording of the same task: both side by side, and what differs in words. Exit code 1 when something does");
    app.add_option("-o,--out,--output", options->out, "HTML file to write; - is standard output (default: beside the recording). An older report is replaced");
    app.add_flag("--force", options->force, "Replace any other file that has this name, too");
    app.footer("The page needs no network, and nothing from the recording runs in it.\n"
               "Examples: handeye report run.handeye\n"
               "          handeye report today.handeye --diff yesterday.handeye --json");
    return [options](const Context& context) { return run_report(*options, context); };
}

Runner declare_verify(CLI::App& app) {
    auto file = std::make_shared<std::string>();
    app.add_option("FILE", *file, "Recording (*.handeye)")->required();
    return [file](const Context& context) -> Result<int> {
        const Recording recording = TRY(Recording::open(*file));
        const Result<std::uint64_t> whole = recording.verify_chain();
        if (context.json) {
            nlohmann::json out{{"pass", whole.has_value()}, {"sealed", recording.is_sealed()}};
            out[whole ? "events" : "error"] = whole ? nlohmann::json(*whole) : nlohmann::json(whole.error().message);
            print_json(out);
        } else if (whole) {
            print(fmt::format("{} event{}, the chain is whole{}", *whole, *whole == 1 ? "" : "s",
                              recording.is_sealed() ? "" : " (not closed in good order)"));
        } else {
            print(whole.error().message);
        }
        return whole ? 0 : 1;
    };
}

} // namespace handeye::cli
