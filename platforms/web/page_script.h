// SPDX-License-Identifier: Apache-2.0
// The script that every page gets in a world of its own: the page's scripts neither see it nor can change what it uses.
#pragma once

#include <string_view>

namespace handeye::web {

/// page_script.js and page_popups.js, as text.
std::string_view page_script();
/// The page that stands for the browser's own dialogs: panel.html.
std::string_view panel_page();
inline constexpr const char* kWorldName = "handeye";

} // namespace handeye::web
