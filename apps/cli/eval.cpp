// SPDX-License-Identifier: Apache-2.0
// `handeye eval`: how good a model is at what others have set, a subcommand each.
#include "apps/cli/eval.h"

#include "apps/cli/group.h"

#include <array>

namespace handeye::cli {
namespace {

constexpr std::array kRows = {
    SubcommandRow{"miniwob", "Success on the 125 web tasks of MiniWoB++, from pixels to clicks", declare_eval_miniwob},
    SubcommandRow{"jsonl", "Any file of questions, pictures and right answers: asked in batch, scored, the failures listed", declare_eval_jsonl},
};

} // namespace

Runner declare_eval(CLI::App& app) { return declare_group(app, kRows); }

} // namespace handeye::cli
