// SPDX-License-Identifier: Apache-2.0
// `handeye chat`: a conversation with a local model in the terminal.
#include "apps/chat/session.h"
#include "apps/cli/command.h"
#include "apps/cli/model_options.h"
#include "base/log.h"
#include "engine/checkpoints.h"
#include "engine/engine_process.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace handeye::cli {
namespace {

constexpr int kContextMax = 1 << 30;

struct Options {
    std::vector<std::string> files;
    std::string model;
    std::optional<std::string> prompt;
    std::string system;
    std::vector<std::pair<std::string, std::string>> dials; ///< name and value, as given
    bool thinks = false, thinks_not = false;
    int max_model_len = 0;
    int threads = 0;
    bool skips_checksums = false;
    ModelOptions engine;
};

bool has_colours() {
    const char* const no = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    return ::isatty(STDOUT_FILENO) != 0 && (no == nullptr || *no == '\0') && (terminal == nullptr || std::string_view(terminal) != "dumb");
}

Result<chat::SessionOptions> session_options(const Options& options, const Context& context) {
    chat::SessionOptions out{.system = options.system, .is_json = context.json};
    for (const auto& [name, value] : options.dials) {
        TRY(turn_dial(out.dials, name, value).with_context("--" + name));
    }
    if (options.thinks || options.thinks_not) {
        out.dials.thinks = options.thinks;
    }
    const bool is_terminal = ::isatty(STDOUT_FILENO) != 0;
    out.style = {.has_colours = has_colours(), .shows_thoughts = is_terminal};
    out.is_interactive = is_terminal && ::isatty(STDIN_FILENO) != 0 && !context.json && !options.prompt;
    return out;
}

Result<EngineProcessOptions> engine_options(const Options& options) {
    EngineProcessOptions out;
    const LocalCheckpoint checkpoint = TRY(find_model(options.model));
    out.engine = {.threads = options.threads, .context_tokens = options.max_model_len, .checksums = options.skips_checksums ? Checksums::Skip : Checksums::Verify};
    out.engine.sequences_max = 1;
    TRY(put_model_options(options.engine, checkpoint, out.engine));
    out.engine.on_progress = [](std::string_view stage, double share) { print_progress(fmt::format("{} {:.0f} %", stage, share * 100)); };
    out.on_event = [](const EngineEvent& event) { log::warn("chat", event.message); };
    return out;
}

/// From its headers, before files are read and weights are loaded. What is wrong with them, loading says.
Result<void> check_sight(const EngineOptions& engine, const std::vector<std::string>& files) {
    const auto report = files.empty() ? Result<ModelReport>(Error{}) : inspect_model(engine);
    if (!report || report->vision) {
        return {};
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("{}: {} is a {} model of text alone, which is shown no pictures, videos or pages; those that are have \"vision\" in `handeye models list`", files.front(), engine.model_dir.string(), report->family)};
}

Result<int> chat(const Options& options, const Context& context) {
    if (options.files.size() > chat::kPicturesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} files: a conversation takes at most {} pictures, and {} would be picture {}", options.files.size(), chat::kPicturesMax, options.files[chat::kPicturesMax], chat::kPicturesMax + 1)};
    }
    EngineProcessOptions engine = TRY(engine_options(options));
    TRY(check_sight(engine.engine, options.files));
    std::error_code problem;
    const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    const chat::SessionOptions how = TRY(session_options(options, context));
    chat::Session session(how, here, context.stop);
    for (const std::string& file : options.files) { // before the load of minutes
        TRY(session.attach(file));
    }
    const std::unique_ptr<EngineProcess> model = TRY(open_engine_process(std::move(engine)));
    print_progress("");
    TRY(session.set_model(*model));
    if (options.prompt) {
        TRY(session.ask(*options.prompt));
        return context.stop.stop_requested() ? 3 : session.has_fallen_short() && !context.json ? 1 : 0;
    }
    if (how.is_interactive) {
        const ModelInfo& info = model->info();
        print(fmt::format("{} ({}, {}, {} tokens of context). /help shows what there is, Ctrl-D ends.", info.name, info.family, info.weight_format, info.context_tokens_max));
        context.on_interrupt([&session] { return session.interrupt(); });
    }
    const Result<void> end = session.run(how.is_interactive ? chat::edited_lines(context.stop) : chat::plain_lines(context.stop));
    context.on_interrupt({});
    if (!end) {
        return end.error();
    }
    return 0;
}

} // namespace

Runner declare_chat(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    app.add_option("FILE", options->files, "Shown with the first question: pictures, or one video, or pages of PDFs, presentations and documents (FILE#3-7,9: those pages)");
    app.add_option("--model", options->model, fmt::format("{} (default: $HANDEYE_MODEL, else the bundled model)", kModelHelp));
    app.add_option("-p,--prompt", options->prompt, "Ask this one question and end");
    app.add_option("--system", options->system, "System prompt");
    app.add_flag("--think", options->thinks, "Have the model think first, where its template can switch it");
    app.add_flag("--no-think", options->thinks_not, "Have it not think first")->excludes("--think");
    app.add_option("--max-model-len", options->max_model_len, "Tokens of context that memory is taken for (default: what the model says, or less where memory is short)")->check(CLI::Range(1, kContextMax));
    app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
    add_checksums_option(app, options->skips_checksums);
    add_model_options(app, options->engine);
    for (const chat::DialRow& row : chat::dial_rows()) {
        std::string name = "--" + std::string(row.name);
        std::replace(name.begin(), name.end(), '_', '-');
        app.add_option_function<std::string>(name, [options, row](const std::string& value) { options->dials.emplace_back(row.name, value); },
                                             fmt::format("{} [{}]", row.help, dial_text(row, {})))->group("Dials");
    }
    app.footer("Examples: handeye chat --model glm-4.1v-thinking holiday.jpg\n"
               "          handeye chat clip.mp4 -p \"What happens here?\"\n"
               "          handeye chat report.pdf#1-5 --dpi 100 --max-model-len 32768\n"
               "          printf 'What is on slide 2?\\nAnd on slide 3?\\n' | handeye chat deck.pptx --json\n"
               "Ctrl-C stops an answer, Ctrl-D ends. In a script each line is a question or a /command, and the first error ends it.\n"
               "More: docs/chat.md");
    return [options](const Context& context) { return chat(*options, context); };
}

} // namespace handeye::cli
