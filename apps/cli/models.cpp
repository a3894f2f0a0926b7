// SPDX-License-Identifier: Apache-2.0
// `handeye models`: what can be done with checkpoints, a subcommand each.
#include "apps/cli/models.h"

#include <array>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace handeye::cli {
namespace {

struct Row {
    const char* name;
    const char* help;
    Runner (*declare)(CLI::App& app);
};
constexpr std::array kRows = {
    Row{"inspect", "Say what a checkpoint is, without loading it", declare_models_inspect},
    Row{"list", "Models that are known by name: sizes, formats, hubs, and which are here", declare_models_list},
    Row{"pull", "Fetch a model that is known by name, checked and resumable", declare_models_pull},
    Row{"plan", "Reckon the memory that a model will take", declare_models_plan},
    Row{"quantize", "Write a smaller copy of a 16-bit checkpoint", declare_models_quantize},
    Row{"verify", "Compare a checkpoint's numbers with stored ones of the reference", declare_models_verify},
};

} // namespace

Runner declare_models(CLI::App& app) {
    app.require_subcommand(1);
    std::vector<std::pair<CLI::App*, Runner>> all;
    for (const Row& row : kRows) {
        CLI::App* const sub = app.add_subcommand(row.name, row.help);
        all.emplace_back(sub, row.declare(*sub));
    }
    return [all](const Context& context) -> Result<int> {
        for (const auto& [sub, run] : all) {
            if (sub->parsed()) {
                return run(context);
            }
        }
        return Error{ErrorCode::InvalidArgument, "handeye models: no subcommand was given"}; // CLI11 asks for one before
    };
}

} // namespace handeye::cli
