// SPDX-License-Identifier: Apache-2.0
// One row for each role of AT-SPI 2.46 and the switch of 2.56.
#include "platforms/x11/accessibility_roles.h"

#include <array>

namespace handeye::x11 {

namespace {

constexpr unsigned kActs = 1U, kChecks = 2U, kText = 4U, kNumber = 8U, kFiller = 16U, kClips = 32U, kLeaf = 64U, kMenu = 128U;

struct Role {
    std::string_view name;
    unsigned traits = 0;
};

/// By AT-SPI's number. What a program calls its role in words differs from toolkit to toolkit and from language to language.
constexpr std::array<Role, 131> kRoles = {{
    {"invalid", kFiller}, {"accelerator label"}, {"alert"}, {"animation"}, {"arrow"}, {"calendar"}, {"canvas"},
    {"check box", kActs | kChecks | kLeaf}, {"check menu item", kActs | kChecks | kLeaf | kMenu}, {"color chooser"},
    {"column header", kActs}, {"combo box", kActs | kText}, {"date editor", kActs}, {"desktop icon", kActs}, {"desktop frame"},
    {"dial", kActs | kNumber}, {"dialog"}, {"directory pane"}, {"drawing area"}, {"file chooser"}, {"filler", kFiller},
    {"focus traversable"}, {"font chooser"}, {"frame"}, {"glass pane", kFiller}, {"html container"}, {"icon", kActs | kLeaf},
    {"image", kLeaf}, {"internal frame"}, {"label", kLeaf}, {"layered pane", kFiller}, {"list"}, {"list item", kActs},
    {"menu", kActs | kMenu}, {"menu bar"}, {"menu item", kActs | kLeaf | kMenu}, {"option pane", kFiller}, {"page tab", kActs},
    {"page tab list"}, {"panel", kFiller}, {"password text", kActs | kLeaf}, {"popup menu", kMenu},
    {"progress bar", kNumber | kLeaf}, {"push button", kActs | kLeaf}, {"radio button", kActs | kChecks | kLeaf},
    {"radio menu item", kActs | kChecks | kLeaf | kMenu}, {"root pane", kFiller}, {"row header", kActs},
    {"scroll bar", kNumber | kLeaf}, {"scroll pane", kFiller | kClips}, {"separator", kFiller | kLeaf},
    {"slider", kActs | kNumber | kLeaf}, {"spin button", kActs | kText | kNumber}, {"split pane", kFiller}, {"status bar"},
    {"table"}, {"table cell", kActs}, {"table column header", kActs}, {"table row header", kActs},
    {"tearoff menu item", kActs | kMenu}, {"terminal", kActs | kText | kLeaf}, {"text", kActs | kText | kLeaf},
    {"toggle button", kActs | kChecks | kLeaf}, {"tool bar"}, {"tool tip"}, {"tree"}, {"tree table"}, {"unknown", kFiller},
    {"viewport", kFiller | kClips}, {"window"}, {"extended", kFiller}, {"header"}, {"footer"}, {"paragraph", kText}, {"ruler"},
    {"application"}, {"autocomplete", kActs | kText}, {"editbar", kActs | kText}, {"embedded"}, {"entry", kActs | kText | kLeaf},
    {"chart"}, {"caption"}, {"document frame"}, {"heading"}, {"page"}, {"section", kFiller}, {"redundant object", kFiller},
    {"form"}, {"link", kActs}, {"input method window"}, {"table row"}, {"tree item", kActs}, {"document spreadsheet"},
    {"document presentation"}, {"document text", kActs | kText}, {"document web"}, {"document email"}, {"comment"}, {"list box"},
    {"grouping", kFiller}, {"image map"}, {"notification"}, {"info bar"}, {"level bar", kNumber | kLeaf}, {"title bar"},
    {"block quote"}, {"audio"}, {"video"}, {"definition"}, {"article"}, {"landmark"}, {"log"}, {"marquee"}, {"math"}, {"rating"},
    {"timer"}, {"static"}, {"math fraction"}, {"math root"}, {"subscript"}, {"superscript"}, {"description list"},
    {"description term"}, {"description value"}, {"footnote"}, {"content deletion"}, {"content insertion"}, {"mark"},
    {"suggestion"}, {"push button menu", kActs}, {"switch", kActs | kChecks | kLeaf},
}};

bool has(std::uint32_t role, unsigned trait) { return role < kRoles.size() && (kRoles[role].traits & trait) != 0; }

} // namespace

std::string_view role_name(std::uint32_t role) { return role < kRoles.size() ? kRoles[role].name : "unknown"; }
bool can_act_on(std::uint32_t role) { return has(role, kActs); }
bool can_be_checked(std::uint32_t role) { return has(role, kChecks); }
bool holds_text(std::uint32_t role) { return has(role, kText); }
bool holds_number(std::uint32_t role) { return has(role, kNumber); }
bool is_filler(std::uint32_t role) { return role >= kRoles.size() || has(role, kFiller); }
bool is_leaf(std::uint32_t role) { return has(role, kLeaf); }
bool is_of_menu(std::uint32_t role) { return has(role, kMenu); }
bool clips_children(std::uint32_t role) { return has(role, kClips); }

} // namespace handeye::x11
