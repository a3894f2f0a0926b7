// SPDX-License-Identifier: Apache-2.0
// `handeye platforms`: what works on this machine, and why not.
#include "apps/cli/command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

Runner declare_platforms(CLI::App&) {
    return [](const Context& context) -> Result<int> {
        nlohmann::json rows = nlohmann::json::array();
        for (const PlatformSupport& one : list_platforms()) {
            if (!context.json) {
                print(fmt::format("{:<8} {:<4} {}", one.name, one.is_available ? "yes" : "no", one.detail));
            }
            rows.push_back({{"name", one.name}, {"available", one.is_available}, {"detail", one.detail}});
        }
        if (context.json) {
            print_json({{"platforms", rows}});
        }
        return 0;
    };
}

} // namespace handeye::cli
