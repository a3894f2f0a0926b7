// SPDX-License-Identifier: Apache-2.0
// `handeye recordings`: what the daemon's sessions have left on the disk.
#include "apps/cli/daemon_call.h"

#include "base/file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

std::string line_of(const json& recording) {
    return fmt::format("{}  {:>9.1f} KiB{}  {}", recording.value("session", ""), recording.value("size_bytes", 0.0) / 1024,
                       recording.value("open", false) ? "  open" : "", recording.value("recording", ""));
}

std::string list_text(const json& result) {
    std::string out;
    for (const json& recording : result.at("recordings")) {
        out += (out.empty() ? "" : "\n") + line_of(recording);
    }
    return out.empty() ? "no recordings" : out;
}

std::string details(const json& recording) {
    std::string out = fmt::format("{}\n    {} events from {}{}", line_of(recording), recording.value("last_seq", 0), recording.value("started", ""),
                                  recording.value("sealed", false) ? ", sealed" : "");
    for (const json& goal : recording.value("goals", json::array())) {
        out += "\n    " + goal.get<std::string>();
    }
    return out;
}

struct Export {
    std::string session;
    std::string format = "jsonl";
    std::string out;
};

Result<int> write_export(const DaemonAddress& daemon, const Export& wanted, const Context& context) {
    const std::unique_ptr<JsonRpcClient> client = TRY(connect_daemon(daemon, "handeye", context));
    const json result = TRY(ask(*client, "recording.export", {{"session", wanted.session}, {"format", wanted.format}}, context));
    const auto text = result.at("text").get<std::string>();
    if (wanted.out.empty()) {
        print(text.ends_with('\n') ? text.substr(0, text.size() - 1) : text);
        return 0;
    }
    TRY(write_file_atomic(wanted.out, text, 0600));
    if (context.json) {
        print_json({{"path", wanted.out}, {"bytes", text.size()}, {"media_type", result.at("media_type")}});
    } else {
        print(fmt::format("{}: {} bytes", wanted.out, text.size()));
    }
    return 0;
}

} // namespace

Runner declare_recordings(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    const auto wanted = std::make_shared<Export>();
    app.require_subcommand(0, 1);
    app.add_subcommand("list", "All recordings, newest first (the default)");
    CLI::App* const show = app.add_subcommand("show", "One recording, its goals and length");
    CLI::App* const write = app.add_subcommand("export", "As text: one event a line, or a page for people");
    CLI::App* const remove = app.add_subcommand("delete", "Delete the recording of a closed session");
    for (CLI::App* const command : {show, write, remove}) {
        command->add_option("SESSION", wanted->session, "Session")->required();
    }
    write->add_option("--format", wanted->format, "jsonl or html")->check(CLI::IsMember({"jsonl", "html"}))->capture_default_str();
    write->add_option("-o,--out", wanted->out, "File to write, readable by you alone (default: stdout)");
    return [=](const Context& context) -> Result<int> {
        if (write->parsed()) {
            return write_export(*daemon, *wanted, context);
        }
        if (show->parsed()) {
            return ask_and_print(*daemon, "recording.get", {{"session", wanted->session}}, context, details);
        }
        if (remove->parsed()) {
            return ask_and_print(*daemon, "recording.delete", {{"session", wanted->session}}, context, [](const json& result) { return result.value("session", "") + " deleted"; });
        }
        return ask_and_print(*daemon, "recording.list", json::object(), context, list_text);
    };
}

} // namespace handeye::cli
