// SPDX-License-Identifier: Apache-2.0
// A goal or a task file carried out in this program.
#pragma once

#include "agent/session.h"
#include "agent/task_program.h"
#include "apps/cli/command.h"
#include "apps/cli/daemon_call.h"
#include "apps/cli/result_files.h"
#include "apps/cli/model_options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace handeye::cli {

struct RunOptions {
    TargetSpec target;
    std::string goal;
    std::string model;
    std::string record;
    std::string surface; ///< empty: the platform's
    std::string prompt;
    std::string prompts_dir;
    DaemonAddress daemon;
    bool skips_checksums = false;
    ModelOptions extra; ///< of the model
    RemoteSettings remote; ///< of one on a server
    bool in_process = false;
    int max_steps = 50;
    double max_seconds = 3600;
    std::int64_t max_tokens = 1'000'000;
    int thinking_budget = 4096;
    int max_new_tokens = 8192;
    double temperature = 0;
    std::uint64_t seed = 0;
    bool is_free = false;
    double zoom_below = 0;
    int threads = 0;
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    std::vector<std::string> secrets;
    std::vector<std::string> vars; ///< of a task file, and what follows
    ResultFiles results;
    std::string languages = "eng";
    std::string heal_dir;          ///< empty: nothing is healed
    int heal_max = 1;
};

/// --heal and --heal-max.
void add_heal_options(CLI::App& app, RunOptions& options);

Result<SessionOptions> to_session_options(const RunOptions& options, const std::string& session_id);
/// What the file says of its screen, where no option says otherwise.
Result<void> take_over(const TaskFilePlatform& wanted, const CLI::App& app, RunOptions& options);
/// The goal, or the file where one is given; the exit code.
Result<int> run_here(const RunOptions& options, TaskProgram* program, const Context& context);

} // namespace handeye::cli
