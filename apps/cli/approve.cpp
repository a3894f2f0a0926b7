// SPDX-License-Identifier: Apache-2.0
// `handeye approve`: what waits for a person, and the person's yes or no.
#include "apps/cli/daemon_call.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

std::string list_text(const json& result) {
    std::string out;
    for (const json& approval : result.at("approvals")) {
        out += fmt::format("{}{}  {}  {}  {}\n    {}", out.empty() ? "" : "\n", approval.value("approval", ""), approval.value("risk", ""),
                           approval.value("session", ""), approval.value("reason", ""), approval.value("action", json()).dump());
    }
    return out.empty() ? "nothing waits for you" : out;
}

} // namespace

Runner declare_approve(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string id = "list";
        std::string answer;
        std::string note;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.add_option("ID", options->id, "Approval, or `list` (the default)");
    app.add_option("ANSWER", options->answer, "yes, no or take-over")->check(CLI::IsMember({"yes", "no", "take-over"}));
    app.add_option("--note", options->note, "Told to the model");
    return [options](const Context& context) -> Result<int> {
        if (options->id == "list") {
            return ask_and_print(*options->daemon, "approval.list", json::object(), context, list_text);
        }
        if (options->answer.empty()) {
            return ask_and_print(*options->daemon, "approval.get", {{"approval", options->id}}, context, [](const json& result) { return result.dump(2); });
        }
        json params{{"approval", options->id}, {"decision", options->answer == "yes" ? "approve" : options->answer == "no" ? "deny" : "take_over"}};
        if (!options->note.empty()) {
            params["note"] = options->note;
        }
        return ask_and_print(*options->daemon, "approval.decide", params, context, [](const json&) { return std::string("decided"); });
    };
}

} // namespace handeye::cli
