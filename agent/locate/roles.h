// SPDX-License-Identifier: Apache-2.0
// Role names as people and platforms write them, and which of them mean the same. Inside this folder only.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace handeye::locate {

struct RoleFamily {
    std::string_view name;
    std::span<const std::string_view> same;  ///< other names of it: AT-SPI's, ARIA's, people's
    std::span<const std::string_view> kinds; ///< roles that it finds as well, and that do not find it
    bool is_passive = false;                 ///< it shows, and is not worked: a label, an image, a panel
    bool is_field = false;                   ///< its label stands beside it
};
std::span<const RoleFamily> role_families();

/// Whether an element of role `has` is what `wanted` asks for. Letter case, blanks, dashes and underscores do not count; a name
/// that is in no family means itself.
bool is_role(std::string_view wanted, std::string_view has);
/// A role that no family has is not passive and no field.
bool is_passive_role(std::string_view role);
/// In a family, and not passive.
bool is_worked_role(std::string_view role);
bool is_field_role(std::string_view role);

} // namespace handeye::locate
