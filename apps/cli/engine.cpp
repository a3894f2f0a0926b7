// SPDX-License-Identifier: Apache-2.0
// `handeye engine`: the daemon's model.
#include "apps/cli/daemon_call.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

using nlohmann::json;

Runner declare_engine(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    app.require_subcommand(1);
    app.add_subcommand("status", "What it is and how it is");
    CLI::App* const stats = app.add_subcommand("stats", "What questions have used since the daemon's start");
    CLI::App* const selftest = app.add_subcommand("selftest", "Ask it one small question twice");
    return [daemon, stats, selftest](const Context& context) -> Result<int> {
        if (selftest->parsed()) {
            return ask_and_print(*daemon, "engine.selftest", json::object(), context, [](const json& result) {
                return fmt::format("{} tokens, {}, {:.0f} ms", result.value("answers", 0), result.value("is_repeatable", false) ? "the same twice" : "two different answers", result.value("wall_ms", 0.0));
            });
        }
        if (stats->parsed()) {
            return ask_and_print(*daemon, "engine.stats", json::object(), context, [](const json& result) {
                return fmt::format("{} questions, {} tokens in, {} tokens out, {} waiting", result.value("inferences", 0), result.value("prompt_tokens", 0),
                                   result.value("completion_tokens", 0), result.value("waiting", 0));
            });
        }
        return ask_and_print(*daemon, "engine.status", json::object(), context, [](const json& result) {
            const json model = result.value("model", json::object());
            return fmt::format("{}{}{}", result.value("state", ""), result.value("detail", "").empty() ? "" : ": " + result.value("detail", ""),
                               model.empty() ? "" : fmt::format("  {} ({}, {}, {} tokens of context)", model.value("name", ""), model.value("family", ""), model.value("weight_format", ""), model.value("context_tokens_max", 0)));
        });
    };
}

} // namespace handeye::cli
