// SPDX-License-Identifier: Apache-2.0
// `handeye stop` and `handeye reset-stop`: the kill switch from a terminal.
#include "apps/cli/daemon_call.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

using nlohmann::json;

Runner declare_stop(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    const auto reason = std::make_shared<std::string>("handeye stop");
    app.add_option("--reason", *reason, "For the log")->capture_default_str();
    return [daemon, reason](const Context& context) -> Result<int> {
        return ask_and_print(*daemon, "control.stop_all", {{"reason", *reason}}, context, [](const json& result) {
            const int n = result.value("stopped_tasks", 0);
            return fmt::format("stopped {} {}; nothing is held; `handeye reset-stop` lets tasks start again", n, n == 1 ? "task" : "tasks");
        });
    };
}

Runner declare_reset_stop(CLI::App& app) {
    const auto daemon = add_daemon_option(app);
    return [daemon](const Context& context) -> Result<int> {
        return ask_and_print(*daemon, "control.reset_stop", json::object(), context, [](const json&) { return std::string("tasks may start again"); });
    };
}

} // namespace handeye::cli
