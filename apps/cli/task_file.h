// SPDX-License-Identifier: Apache-2.0
// `handeye task validate | lint | explain | fmt | schema`: task files before they run.
#pragma once

#include "apps/cli/command.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace handeye::cli {

struct TaskFileCommands {
    std::vector<std::string> files;
    bool check_only = false; ///< of fmt
    CLI::App* validate = nullptr;
    CLI::App* lint = nullptr;
    CLI::App* explain = nullptr;
    CLI::App* fmt = nullptr;
    CLI::App* schema = nullptr;

    [[nodiscard]] bool is_asked() const;
    [[nodiscard]] Result<int> run(const Context& context) const;
};
std::shared_ptr<TaskFileCommands> add_task_file_commands(CLI::App& task);

} // namespace handeye::cli
