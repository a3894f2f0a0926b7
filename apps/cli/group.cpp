// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/group.h"

#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {

Runner declare_group(CLI::App& app, std::span<const SubcommandRow> rows) {
    app.require_subcommand(1);
    std::vector<std::pair<CLI::App*, Runner>> all;
    for (const SubcommandRow& row : rows) {
        CLI::App* const sub = app.add_subcommand(row.name, row.help);
        all.emplace_back(sub, row.declare(*sub));
    }
    return [all, name = app.get_name()](const Context& context) -> Result<int> {
        for (const auto& [sub, run] : all) {
            if (sub->parsed()) {
                return run(context);
            }
        }
        return Error{ErrorCode::InvalidArgument, fmt::format("handeye {}: no subcommand was given", name)}; // CLI11 asks for one before
    };
}

} // namespace handeye::cli
