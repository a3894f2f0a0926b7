// SPDX-License-Identifier: Apache-2.0
// The subcommands of `handeye models`: one per file, one row each in models.cpp.
#pragma once

#include "apps/cli/command.h"

#include <cstdint>
#include <string>

namespace handeye::cli {

Runner declare_models_inspect(CLI::App& app);
Runner declare_models_list(CLI::App& app);
Runner declare_models_pull(CLI::App& app);
Runner declare_models_plan(CLI::App& app);
Runner declare_models_quantize(CLI::App& app);
Runner declare_models_verify(CLI::App& app);

/// "4.7 GB": powers of ten, as disks and memory are sold.
std::string size_text(std::int64_t bytes);

} // namespace handeye::cli
