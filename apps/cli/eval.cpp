// SPDX-License-Identifier: Apache-2.0
// `handeye eval`: how good a model is at what others have set, a subcommand each.
#include "apps/cli/eval.h"

#include <array>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

namespace handeye::cli {
namespace {

struct Row {
    const char* name;
    const char* help;
    Runner (*declare)(CLI::App& app);
};
constexpr std::array kRows = {
    Row{"miniwob", "Success on the 125 web tasks of MiniWoB++, from pixels to clicks", declare_eval_miniwob},
    Row{"jsonl", "Any file of questions, pictures and right answers: asked in batch, scored, the failures listed", declare_eval_jsonl},
};

} // namespace

Runner declare_eval(CLI::App& app) {
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
        return Error{ErrorCode::InvalidArgument, "handeye eval: no subcommand was given"}; // CLI11 asks for one before
    };
}

} // namespace handeye::cli
