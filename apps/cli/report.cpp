// SPDX-License-Identifier: Apache-2.0
// `handeye report` and `handeye verify`: a recording as a page, and whether anyone changed it.
#include "agent/report.h"
#include "apps/cli/command.h"
#include "base/file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

Runner declare_report(CLI::App& app) {
    struct Options {
        std::string recording;
        std::string output;
    };
    auto options = std::make_shared<Options>();
    app.add_option("FILE", options->recording, "Recording (*.handeye)")->required();
    app.add_option("-o,--output", options->output, "HTML file to write (default: beside the recording)");
    return [options](const Context& context) -> Result<int> {
        const Recording recording = TRY(Recording::open(options->recording));
        const std::string html = TRY(render_report_html(recording));
        std::filesystem::path out = options->output;
        if (out.empty()) {
            out = std::filesystem::path(options->recording).replace_extension(".html");
        }
        std::error_code problem;
        if (std::filesystem::equivalent(out, options->recording, problem)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("{} is the recording itself: name another file with -o", out.string())};
        }
        TRY(write_file_atomic(out, html, 0600)); // it holds what the recording holds
        if (context.json) {
            print_json({{"file", out.string()}, {"bytes", html.size()}, {"session", recording.session_id()}});
        } else {
            print(out.string());
        }
        return 0;
    };
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
            print(fmt::format("{} events, the chain is whole{}", *whole,
                              recording.is_sealed() ? "" : " (not closed in good order)"));
        } else {
            print(whole.error().message);
        }
        return whole ? 0 : 1;
    };
}

} // namespace handeye::cli
