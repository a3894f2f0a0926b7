// SPDX-License-Identifier: Apache-2.0
// The key names that models write, and the X keysym each of them means.
#pragma once

#include "actions/action.h"
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace handeye {

struct KeyMeaning {
    std::string keysym; ///< X keysym name: "Return", "a", "Control_L", "U00E9"
    bool is_modifier = false;
};

/// One key by any of its usual names ("enter", "PageDown", "page_down", "cmd", "é", "Return"); nullopt: no key is called that.
std::optional<KeyMeaning> find_key(std::string_view name);

/// "ctrl+shift+t", "ctrl++" (Ctrl and plus), "down+down" (Down twice), "ctrl c", "ctrl-c". Modifiers before the first ordinary key
/// are held; a chord of modifiers alone presses its last one. InvalidArgument names the key that does not exist.
Result<KeyChord> parse_chord(std::string_view text);
/// The same from names that stand apart already.
Result<KeyChord> make_chord(std::vector<std::string> names);
/// The text that the chord's keys write where text is typed: {"r", "m", "space"} is "rm ". Empty with a modifier other than Shift.
std::string typed_text(const KeyChord& chord);
/// "ctrl+shift"; empty and "none" are no keys. InvalidArgument when one of them is not a modifier.
Result<std::vector<std::string>> parse_hold_keys(std::string_view text);

} // namespace handeye
