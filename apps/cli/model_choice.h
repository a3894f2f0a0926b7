// SPDX-License-Identifier: Apache-2.0
// A model that is named and not opened yet, on servers or of this machine: for commands that ask many questions, go on where they stopped,
// and must know that it is the same model.
#pragma once

#include "apps/cli/model_options.h"
#include "engine/engine_process.h"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye::cli {

/// How a model of this machine is loaded.
struct ModelWish {
    ModelOptions extra;
    int max_model_len = 0; ///< tokens of context; 0: as EngineOptions says
    int threads = 0;       ///< 0: one per core
    bool skips_checksums = false;
    int at_once = 8;       ///< answers at a time
};

struct ModelChoice {
    std::string name; ///< what it is known by: the URLs of servers, or a checkpoint by what it holds and how it is loaded
    std::optional<RemoteOptions> remote; ///< unset: `local`
    EngineProcessOptions local;
};

/// `given` as --model: empty is $HANDEYE_MODEL or the bundled model. Reads the key of servers out of the environment, and what checkpoint_print()
/// reads; opens nothing. Errors of remote_model_options(), find_model() and put_model_options().
Result<ModelChoice> choose_model(const std::string& given, const ModelWish& wish, const RemoteSettings& settings);

/// Loads it in a process of its own, or looks at the servers, with progress on the terminal. Errors of open_engine_process() and open_remote_model().
Result<std::unique_ptr<ChatModel>> open_chosen_model(const ModelChoice& choice, Clock& clock, const std::stop_token& stop);

} // namespace handeye::cli
