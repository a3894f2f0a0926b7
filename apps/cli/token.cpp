// SPDX-License-Identifier: Apache-2.0
// `handeye token`: named tokens of this user's daemon, with scopes and an end. Works on the file; a running daemon sees it by itself.
#include "apps/cli/command.h"
#include "base/file.h"
#include "server/token_file.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {
namespace {

using nlohmann::json;

struct Options {
    std::string name;
    std::vector<std::string> scopes;
    std::string life = "30d";
};

std::filesystem::path tokens_file() { return config_dir() / "tokens.json"; }

json facts_of(const NamedToken& token, WallTime now) {
    return {{"name", token.name},
            {"scopes", token.scopes},
            {"created_at", format_utc(token.created)},
            {"expires_at", token.expires ? json(format_utc(*token.expires)) : json()},
            {"expired", token.expires && now >= *token.expires}};
}

Result<int> create(const Options& options, const Context& context) {
    SystemClock clock;
    const std::optional<Duration> life = TRY(parse_token_life(options.life));
    const std::string secret = TRY(create_named_token(tokens_file(), {options.name, options.scopes, life}, clock));
    if (context.json) {
        print_json({{"name", options.name}, {"scopes", options.scopes}, {"token", secret}});
    } else {
        print(secret); // alone on stdout: `handeye token create ... > FILE`
        fmt::print(stderr, "This is the only time it can be read. Give it to the client in a file (--token-file) or in $HANDEYE_TOKEN.\n");
    }
    return 0;
}

Result<int> list(const Context& context) {
    SystemClock clock;
    const WallTime now = clock.wall_now();
    json rows = json::array();
    std::string text;
    const std::vector<NamedToken> tokens = TRY(read_named_tokens(tokens_file()));
    for (const NamedToken& token : tokens) {
        rows.push_back(facts_of(token, now));
        text += fmt::format("{}{:<20} {:<30} {}", text.empty() ? "" : "\n", token.name, fmt::format("{}", fmt::join(token.scopes, ",")),
                            !token.expires ? "never expires" : now >= *token.expires ? "expired" : "until " + format_utc(*token.expires));
    }
    if (context.json) {
        print_json({{"tokens", rows}});
    } else {
        print(text.empty() ? "no named tokens" : text);
    }
    return 0;
}

Result<int> revoke(const Options& options, const Context& context) {
    TRY(revoke_named_token(tokens_file(), options.name));
    if (context.json) {
        print_json({{"revoked", options.name}});
    } else {
        print(fmt::format("\"{}\" opens nothing any more; its connections are closed within a second", options.name));
    }
    return 0;
}

} // namespace

Runner declare_token(CLI::App& app) {
    const auto options = std::make_shared<Options>();
    CLI::App* const make = app.add_subcommand("create", "Make one and print it, once");
    make->add_option("--name", options->name, "What to call it: a-z A-Z 0-9 . _ -")->required();
    make->add_option("--scopes", options->scopes, "observe, control, approve, record, engine, admin: a list with commas")->required()->delimiter(',');
    make->add_option("--expires", options->life, "90s, 15m, 12h, 7d or never")->capture_default_str();
    CLI::App* const show = app.add_subcommand("list", "All of them, without what opens the door");
    CLI::App* const take = app.add_subcommand("revoke", "Let one open nothing any more");
    take->add_option("NAME", options->name, "As in the list")->required();
    app.require_subcommand(1);
    app.footer("Tokens open the daemon's TCP addresses; the Unix socket needs none.");
    return [=](const Context& context) -> Result<int> {
        if (make->parsed()) {
            return create(*options, context);
        }
        return show->parsed() ? list(context) : revoke(*options, context);
    };
}

} // namespace handeye::cli
