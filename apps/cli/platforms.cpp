// SPDX-License-Identifier: Apache-2.0
// `handeye platforms`: what works on this machine, and why not.
#include "apps/cli/command.h"

#include <cstdlib>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::cli {

Runner declare_platforms(CLI::App& app) {
    auto display = std::make_shared<std::string>();
    app.add_option("--display", *display, "X display, e.g. :0 (default: $DISPLAY)");
    return [display](const Context& context) -> Result<int> {
        if (!display->empty()) {
            ::setenv("DISPLAY", display->c_str(), 1);
        }
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
