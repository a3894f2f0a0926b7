// SPDX-License-Identifier: Apache-2.0
// Key chords as rules compare them: "ctrl+alt+f2", whatever side of the keyboard and whatever a model calls the keys.
// Inside this folder only.
#pragma once

#include "actions/action.h"
#include "base/result.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Modifiers and one key in one way of writing: lower case, sides left out, a capital letter as shift and the letter. A modifier
/// pressed alone is the key.
struct Chord {
    std::set<std::string> modifiers; ///< "alt", "altgr", "ctrl", "shift", "super"
    std::string key;                 ///< "f2", "return", "a"; empty: the modifiers are held during a click or a drag
};
std::string to_string(const Chord& chord);
/// The name of a keysym as chords write it: "Control_L" is "ctrl".
std::string chord_name(std::string_view keysym);

struct ChordPattern {
    std::set<std::string> modifiers;
    bool takes_more_modifiers = false; ///< a "*" among them
    std::string key;                   ///< "*": any, also none

    /// "ctrl+alt+*", "*+f2", "super", "*". InvalidArgument names the key that does not exist.
    static Result<ChordPattern> parse(const std::string& text);
    [[nodiscard]] bool matches(const Chord& chord) const;
};

/// What an action does to the keyboard: each chord it presses; for text, those of its line breaks and tabs.
std::vector<Chord> chords_of(const Action& action);

} // namespace handeye
