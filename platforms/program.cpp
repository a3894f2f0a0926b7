// SPDX-License-Identifier: Apache-2.0
#include "platforms/program.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

namespace handeye {

std::vector<std::string> merged_environment(const Environment& changes) {
    std::vector<std::string> merged;
    for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
        const std::string entry = *at;
        const std::string name = entry.substr(0, entry.find('='));
        const bool is_changed = std::any_of(changes.begin(), changes.end(),
                                            [&](const auto& change) { return change.first == name; });
        if (!is_changed) {
            merged.push_back(entry);
        }
    }
    for (const auto& [name, value] : changes) {
        merged.push_back(name + "=" + value);
    }
    return merged;
}

Result<std::string> find_program(const std::string& name) {
    const auto is_program = [](const std::string& path) { return access(path.c_str(), X_OK) == 0; };
    if (name.find('/') != std::string::npos) {
        return is_program(name) ? Result<std::string>(name)
                                : Error{ErrorCode::NotFound, fmt::format("no program at \"{}\"", name)};
    }
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr || *path == '\0' ? "/usr/local/bin:/usr/bin:/bin" : path;
    while (!rest.empty() && !name.empty()) {
        const std::string_view folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        if (const std::string full = fmt::format("{}/{}", folder, name); !folder.empty() && is_program(full)) {
            return full;
        }
    }
    return Error{ErrorCode::NotFound, fmt::format("no program \"{}\" in PATH", name)};
}

} // namespace handeye
