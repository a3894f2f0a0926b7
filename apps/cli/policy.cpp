// SPDX-License-Identifier: Apache-2.0
// `handeye policy`: what a session of the daemon allows, what it would say to an action, and another policy for it.
#include "apps/cli/daemon_call.h"

#include "base/file.h"
#include "base/json.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kPolicyBytesMax = 1U << 20U;
constexpr int kIndent = 2;

std::string policy_text(const json& result) {
    std::string out = result.at("policy").dump(kIndent);
    for (const json& outer : result.at("within")) {
        out += "\nwithin the daemon's own (the strictest decision counts):\n" + outer.dump(kIndent);
    }
    return out;
}

std::string explanation(const json& result) {
    const std::string reason = result.value("reason", ""), rule = result.value("rule", "");
    return fmt::format("{}{}{}", result.value("gate", ""), rule.empty() ? "" : fmt::format(" by \"{}\"", rule), reason.empty() ? "" : ": " + reason);
}

// The canonical form is JSON, the dialects are text.
json action_from(const std::string& text) {
    const auto parsed = parse_json(text);
    return parsed && parsed->is_object() ? *parsed : json(text);
}

} // namespace

Runner declare_policy(CLI::App& app) {
    struct Options {
        std::string session;
        std::string action;
        std::string file;
    };
    const auto daemon = add_daemon_option(app);
    const auto options = std::make_shared<Options>();
    app.require_subcommand(1);
    CLI::App* const show = app.add_subcommand("show", "The session's policy");
    CLI::App* const explain = app.add_subcommand("explain", "What it says to an action now, and which rule decides; nothing is done");
    CLI::App* const set = app.add_subcommand("set", "Another policy, from the next task on, within the daemon's");
    for (CLI::App* const command : {show, explain, set}) {
        command->add_option("SESSION", options->session, "Session")->required();
    }
    explain->add_option("ACTION", options->action, "In any dialect, as for `handeye act`")->required();
    set->add_option("FILE", options->file, "JSON, as docs/policy.md describes it")->required();
    return [=](const Context& context) -> Result<int> {
        json params{{"session", options->session}};
        if (explain->parsed()) {
            params["action"] = action_from(options->action);
            return ask_and_print(*daemon, "policy.explain", params, context, explanation);
        }
        if (set->parsed()) {
            const std::string text = TRY(read_file(options->file, kPolicyBytesMax));
            params["policy"] = TRY(parse_json(text).with_context(options->file));
            return ask_and_print(*daemon, "policy.set", params, context, policy_text);
        }
        return ask_and_print(*daemon, "policy.get", params, context, policy_text);
    };
}

} // namespace handeye::cli
