// SPDX-License-Identifier: Apache-2.0
// The console's page, style and modules, embedded in the program at build time.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace handeye {

struct ConsoleFile {
    std::string_view path; ///< as in the URL: "/ui/app.js"; the page itself is "/ui/"
    std::string_view text;
};

/// All of them; made from the files of server/console/ by CMake.
std::span<const ConsoleFile> console_files();
/// nullptr when there is none of this exact path.
const ConsoleFile* find_console_file(std::string_view path);

/// "text/html; charset=utf-8", ...: by the ending of the path.
std::string_view content_type_of(const ConsoleFile& file);
/// Strong, with its quotes; changes with the content.
std::string entity_tag_of(const ConsoleFile& file);

/// What the page may do: load this origin's own modules, styles and pictures, and speak to this origin.
inline constexpr std::string_view kConsoleContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

} // namespace handeye
