// SPDX-License-Identifier: Apache-2.0
// `handeye lease`: who may act in a session, taking that, giving it back.
#include "apps/cli/daemon_call.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

using nlohmann::json;

Runner declare_lease(CLI::App& app) {
    struct Options {
        std::shared_ptr<DaemonAddress> daemon;
        std::string session;
        std::string lease;
        std::string mode = "human";
        int seconds = 0;
        CLI::App* acquire = nullptr;
        CLI::App* release = nullptr;
    };
    const auto options = std::make_shared<Options>();
    options->daemon = add_daemon_option(app);
    app.require_subcommand(1);
    CLI::App* const status = app.add_subcommand("status", "Who may act there");
    options->acquire = app.add_subcommand("acquire", "Take the session's mouse and keyboard; a person pre-empts the agent");
    options->release = app.add_subcommand("release", "Give them back");
    for (CLI::App* const command : {status, options->acquire, options->release}) {
        command->add_option("SESSION", options->session, "Session")->required();
    }
    options->acquire->add_option("--mode", options->mode, "human or script")->check(CLI::IsMember({"human", "script"}))->capture_default_str();
    options->acquire->add_option("--seconds", options->seconds, "Ends by itself after this long")->check(CLI::Range(1, 86'400));
    options->release->add_option("LEASE", options->lease, "As acquire printed it")->required();
    return [options](const Context& context) -> Result<int> {
        json params{{"session", options->session}};
        if (options->acquire->parsed()) {
            params["mode"] = options->mode;
            if (options->seconds > 0) {
                params["ttl_ms"] = options->seconds * 1000;
            }
            return ask_and_print(*options->daemon, "control.acquire", params, context, [](const json& result) { return result.value("lease", ""); });
        }
        if (options->release->parsed()) {
            params["lease"] = options->lease;
            return ask_and_print(*options->daemon, "control.release", params, context, [](const json&) { return std::string("released"); });
        }
        return ask_and_print(*options->daemon, "control.status", params, context, [](const json& result) { return result.dump(); });
    };
}

} // namespace handeye::cli
