// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/roles.h"

#include <algorithm>
#include <array>

namespace handeye::locate {
namespace {

using Name = std::string_view;
using Names = std::span<const Name>;
constexpr std::array<Name, 1> kButtonSame{"push button"};
constexpr std::array<Name, 3> kButtonKinds{"toggle button", "push button menu", "split button"};
constexpr std::array<Name, 1> kSwitchSame{"toggle button"};
constexpr std::array<Name, 1> kCheckBoxSame{"check button"};
constexpr std::array<Name, 1> kCheckBoxKinds{"check menu item"};
constexpr std::array<Name, 1> kRadioButtonSame{"radio"};
constexpr std::array<Name, 1> kRadioButtonKinds{"radio menu item"};
constexpr std::array<Name, 6> kEntrySame{"text", "text field", "text box", "input", "edit", "editbar"};
constexpr std::array<Name, 4> kEntryKinds{"password text", "search box", "spin button", "autocomplete"};
constexpr std::array<Name, 2> kPasswordSame{"password text", "password field"};
constexpr std::array<Name, 3> kComboBoxSame{"drop down", "select", "choice"};
constexpr std::array<Name, 1> kSpinButtonSame{"number field"};
constexpr std::array<Name, 1> kSliderSame{"scale"};
constexpr std::array<Name, 3> kMenuItemKinds{"check menu item", "radio menu item", "tearoff menu item"};
constexpr std::array<Name, 2> kMenuKinds{"popup menu", "push button menu"};
constexpr std::array<Name, 1> kLinkSame{"hyperlink"};
constexpr std::array<Name, 1> kTabSame{"page tab"};
constexpr std::array<Name, 1> kListItemSame{"option"};
constexpr std::array<Name, 1> kListItemKinds{"tree item"};
constexpr std::array<Name, 2> kCellSame{"table cell", "grid cell"};
constexpr std::array<Name, 2> kCellKinds{"table row header", "table column header"};
constexpr std::array<Name, 1> kRowSame{"table row"};
constexpr std::array<Name, 3> kDialogKinds{"alert", "file chooser", "color chooser"};
constexpr std::array<Name, 1> kWindowSame{"frame"};
constexpr std::array<Name, 1> kWindowKinds{"dialog"};
constexpr std::array<Name, 4> kLabelSame{"static", "static text", "text label", "caption"};
constexpr std::array<Name, 1> kHeadingSame{"header"};
constexpr std::array<Name, 3> kImageSame{"icon", "picture", "img"};
constexpr std::array<Name, 4> kPanelSame{"filler", "group", "grouping", "section"};
constexpr std::array<Name, 7> kPanelKinds{"paragraph", "tool bar", "status bar", "scroll pane", "viewport", "split pane", "landmark"};

constexpr std::array kFamilies{
    RoleFamily{.name = "button", .same = kButtonSame, .kinds = kButtonKinds},
    RoleFamily{.name = "switch", .same = kSwitchSame},
    RoleFamily{.name = "check box", .same = kCheckBoxSame, .kinds = kCheckBoxKinds},
    RoleFamily{.name = "radio button", .same = kRadioButtonSame, .kinds = kRadioButtonKinds},
    RoleFamily{.name = "entry", .same = kEntrySame, .kinds = kEntryKinds, .is_field = true},
    RoleFamily{.name = "password", .same = kPasswordSame, .is_field = true},
    RoleFamily{.name = "combo box", .same = kComboBoxSame, .is_field = true},
    RoleFamily{.name = "spin button", .same = kSpinButtonSame, .is_field = true},
    RoleFamily{.name = "slider", .same = kSliderSame, .is_field = true},
    RoleFamily{.name = "menu item", .kinds = kMenuItemKinds},
    RoleFamily{.name = "menu", .kinds = kMenuKinds},
    RoleFamily{.name = "link", .same = kLinkSame},
    RoleFamily{.name = "tab", .same = kTabSame},
    RoleFamily{.name = "list item", .same = kListItemSame, .kinds = kListItemKinds},
    RoleFamily{.name = "cell", .same = kCellSame, .kinds = kCellKinds},
    RoleFamily{.name = "row", .same = kRowSame},
    RoleFamily{.name = "dialog", .kinds = kDialogKinds, .is_passive = true},
    RoleFamily{.name = "window", .same = kWindowSame, .kinds = kWindowKinds, .is_passive = true},
    RoleFamily{.name = "label", .same = kLabelSame, .is_passive = true},
    RoleFamily{.name = "heading", .same = kHeadingSame, .is_passive = true},
    RoleFamily{.name = "image", .same = kImageSame, .is_passive = true},
    RoleFamily{.name = "panel", .same = kPanelSame, .kinds = kPanelKinds, .is_passive = true},
};

/// "Check-Box", "checkbox" and "check box" are one.
bool is_same(Name a, Name b) {
    const auto skip = [](Name& s) {
        while (!s.empty() && (s.front() == ' ' || s.front() == '-' || s.front() == '_')) {
            s.remove_prefix(1);
        }
    };
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    for (skip(a), skip(b); !a.empty() && !b.empty(); skip(a), skip(b)) {
        if (lower(a.front()) != lower(b.front())) {
            return false;
        }
        a.remove_prefix(1);
        b.remove_prefix(1);
    }
    return a.empty() && b.empty();
}

bool is_in(Names names, Name role) {
    return std::any_of(names.begin(), names.end(), [&](Name name) { return is_same(name, role); });
}

const RoleFamily* family_of(Name role) {
    const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const RoleFamily& f) { return is_same(f.name, role) || is_in(f.same, role); });
    return found == kFamilies.end() ? nullptr : &*found;
}

} // namespace

std::span<const RoleFamily> role_families() { return kFamilies; }

bool is_role(Name wanted, Name has) {
    const RoleFamily* const family = family_of(wanted);
    return is_same(wanted, has) || (family != nullptr && (family == family_of(has) || is_in(family->kinds, has)));
}

bool is_passive_role(Name role) {
    const RoleFamily* const family = family_of(role);
    return family != nullptr && family->is_passive;
}

bool is_worked_role(Name role) {
    const auto is_here = [&](const RoleFamily& f) { return !f.is_passive && (is_same(f.name, role) || is_in(f.same, role) || is_in(f.kinds, role)); };
    return std::any_of(kFamilies.begin(), kFamilies.end(), is_here);
}

bool is_field_role(Name role) {
    const RoleFamily* const family = family_of(role);
    return family != nullptr && family->is_field;
}

} // namespace handeye::locate
