// SPDX-License-Identifier: Apache-2.0
#include "server/console/files.h"

#include "base/hash.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace handeye {

const ConsoleFile* find_console_file(std::string_view path) {
    const auto files = console_files();
    const auto found = std::find_if(files.begin(), files.end(), [&](const ConsoleFile& file) { return file.path == path; });
    return found == files.end() ? nullptr : &*found;
}

std::string_view content_type_of(const ConsoleFile& file) {
    using Row = std::pair<std::string_view, std::string_view>;
    constexpr std::array kTypes{Row{".js", "text/javascript; charset=utf-8"}, Row{".css", "text/css; charset=utf-8"},
                                Row{".svg", "image/svg+xml"}};
    for (const auto& [ending, type] : kTypes) {
        if (file.path.ends_with(ending)) {
            return type;
        }
    }
    return "text/html; charset=utf-8";
}

std::string entity_tag_of(const ConsoleFile& file) {
    constexpr std::size_t kTagBytes = 16;
    const Sha256 hash = sha256(file.text);
    return fmt::format("\"{}\"", to_hex(std::span(hash).first(kTagBytes)));
}

} // namespace handeye
