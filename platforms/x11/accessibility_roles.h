// SPDX-License-Identifier: Apache-2.0
// What AT-SPI's numbers of roles and states mean for us.
#pragma once

#include <cstdint>
#include <string_view>

namespace handeye::x11 {

inline constexpr std::uint32_t kRoleComboBox = 11;
inline constexpr std::uint32_t kRoleIcon = 26;
inline constexpr std::uint32_t kRoleLabel = 29;
inline constexpr std::uint32_t kRoleMenu = 33;
inline constexpr std::uint32_t kRolePasswordText = 40;
inline constexpr std::uint32_t kRoleText = 61;

/// "push button", "entry", "check box"; "unknown" for a number of a later AT-SPI.
std::string_view role_name(std::uint32_t role);
/// A person clicks or types there.
bool can_act_on(std::uint32_t role);
/// On or off, whatever its states say.
bool can_be_checked(std::uint32_t role);
/// Holds text that a person may edit, or read as one piece; never a password.
bool holds_text(std::uint32_t role);
/// Holds a number: a slider, a progress bar.
bool holds_number(std::uint32_t role);
/// Nothing but a place for others: of no interest without a name or an id.
bool is_filler(std::uint32_t role);
/// What may be in it (the label of a button) is told by its own name.
bool is_leaf(std::uint32_t role);
/// A menu, or an item of one.
bool is_of_menu(std::uint32_t role);
/// Shows a part of what is in it.
bool clips_children(std::uint32_t role);

/// Bits of a state set.
enum class State {
    Checked = 4,
    Defunct = 6,
    Editable = 7,
    Enabled = 8,
    Expanded = 10,
    Focusable = 11,
    Focused = 12,
    Iconified = 15,
    Pressed = 20,
    Selectable = 22,
    Sensitive = 24,
    Showing = 25,
    SingleLine = 26,
    Visible = 30,
    ManagesDescendants = 31,
    Checkable = 41
};
constexpr bool has_state(std::uint64_t states, State state) { return (states >> static_cast<unsigned>(state) & 1U) != 0; }

} // namespace handeye::x11
