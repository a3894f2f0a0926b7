// SPDX-License-Identifier: Apache-2.0
// The subcommands of `handeye eval`: one per file, one row each in eval.cpp.
#pragma once

#include "apps/cli/command.h"

namespace handeye::cli {

/// The group itself.
Runner declare_eval(CLI::App& app);
Runner declare_eval_jsonl(CLI::App& app);
Runner declare_eval_miniwob(CLI::App& app);

} // namespace handeye::cli
