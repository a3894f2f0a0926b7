// SPDX-License-Identifier: Apache-2.0
// `handeye models`: what can be done with checkpoints, a subcommand each.
#include "apps/cli/models.h"

#include "apps/cli/group.h"

#include <array>

namespace handeye::cli {
namespace {

constexpr std::array kRows = {
    SubcommandRow{"inspect", "Say what a checkpoint is, without loading it", declare_models_inspect},
    SubcommandRow{"list", "Models that are known by name: sizes, formats, hubs, and which are here", declare_models_list},
    SubcommandRow{"pull", "Fetch a model that is known by name, checked and resumable", declare_models_pull},
    SubcommandRow{"plan", "Reckon the memory that a model will take", declare_models_plan},
    SubcommandRow{"quantize", "Write a smaller copy of a 16-bit checkpoint", declare_models_quantize},
    SubcommandRow{"verify", "Compare a checkpoint's numbers with stored ones of the reference", declare_models_verify},
};

} // namespace

Runner declare_models(CLI::App& app) { return declare_group(app, kRows); }

} // namespace handeye::cli
