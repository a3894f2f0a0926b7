// SPDX-License-Identifier: Apache-2.0
// The subcommands of `handeye models`: one per file, one row each in models.cpp.
#pragma once

#include "apps/cli/command.h"

namespace handeye::cli {

Runner declare_models_inspect(CLI::App& app);
Runner declare_models_list(CLI::App& app);
Runner declare_models_pull(CLI::App& app);
Runner declare_models_plan(CLI::App& app);
Runner declare_models_quantize(CLI::App& app);
Runner declare_models_verify(CLI::App& app);

} // namespace handeye::cli
