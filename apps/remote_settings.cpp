// SPDX-License-Identifier: Apache-2.0
#include "apps/remote_settings.h"

#include "apps/secret_files.h"

#include <chrono>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye {
namespace {

constexpr const char* kKeyVariable = "HANDEYE_API_KEY";
constexpr double kTimeoutSecondsMax = 86'400;

Result<std::string> read_key(const RemoteSettings& settings) {
    const std::string variable = settings.api_key_env.empty() ? kKeyVariable : settings.api_key_env;
    const bool is_set = std::getenv(variable.c_str()) != nullptr;
    std::string key;
    if (!settings.api_key_file.empty()) {
        key = TRY(value_from_file(settings.api_key_file).with_context("the API key"));
    } else if (is_set || !settings.api_key_env.empty()) {
        key = TRY(value_from_variable(variable).with_context("the API key"));
    }
    forget_variable(variable);
    return key;
}

} // namespace

void add_remote_options(CLI::App& app, RemoteSettings& settings) {
    const char* const group = "Model on a server";
    app.add_option("--api-key-env", settings.api_key_env, "Variable that holds the server's API key (default: HANDEYE_API_KEY)")->type_name("NAME")->group(group);
    app.add_option("--api-key-file", settings.api_key_file, "File that holds it, for this user alone (0600)")->type_name("FILE")->group(group);
    app.add_option("--model-ca", settings.ca_file, "Authorities that may vouch for the server, PEM (default: the system's)")->type_name("FILE")->group(group);
    app.add_flag("--allow-plain-http", settings.allows_plain_http, "Send screenshots to a server beyond this machine in the clear")->group(group);
    app.add_option_function<double>("--first-token-timeout",
                                    [&settings](double seconds) { settings.timeouts.first_token = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)); },
                                    "Seconds until an answer must have begun (default: 300)")
        ->check(CLI::Range(0.001, kTimeoutSecondsMax))
        ->type_name("S")
        ->group(group);
}

RemoteSettings merged(RemoteSettings settings, const RemoteSettings& said) {
    if (!said.api_key_env.empty() || !said.api_key_file.empty()) {
        settings.api_key_env = said.api_key_env;
        settings.api_key_file = said.api_key_file;
    }
    settings.ca_file = said.ca_file.empty() ? settings.ca_file : said.ca_file;
    settings.allows_plain_http = settings.allows_plain_http || said.allows_plain_http;
    settings.prompt = said.prompt.empty() ? settings.prompt : said.prompt;
    if (said.timeouts.first_token != RemoteTimeouts().first_token) {
        settings.timeouts.first_token = said.timeouts.first_token;
    }
    return settings;
}

bool is_same(const RemoteSettings& a, const RemoteSettings& b) {
    return a.api_key_env == b.api_key_env && a.api_key_file == b.api_key_file && a.ca_file == b.ca_file && a.allows_plain_http == b.allows_plain_http && a.prompt == b.prompt &&
           a.timeouts.connect == b.timeouts.connect && a.timeouts.first_token == b.timeouts.first_token && a.timeouts.between_tokens == b.timeouts.between_tokens && a.tries == b.tries;
}

Result<RemoteOptions> to_remote_options(const std::string& urls, const RemoteSettings& settings) {
    RemoteOptions options;
    options.addresses = TRY(parse_remote_addresses(urls));
    options.api_key = TRY(read_key(settings));
    options.ca_file = settings.ca_file;
    options.allows_plain_http = settings.allows_plain_http;
    options.prompt = settings.prompt;
    options.timeouts = settings.timeouts;
    options.rounds_max = settings.tries;
    TRY(check_remote_options(options));
    return options;
}

} // namespace handeye
