// SPDX-License-Identifier: Apache-2.0
#include "agent/key_pattern.h"

#include "actions/keys.h"
#include "agent/glob.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

bool is_capital(std::string_view keysym) {
    return keysym.size() == 1 && std::isupper(static_cast<unsigned char>(keysym[0])) != 0;
}

Chord make_fact(const std::vector<std::string>& modifiers, const std::string& key) {
    Chord chord;
    for (const std::string& name : modifiers) {
        const auto meaning = find_key(name);
        chord.modifiers.insert(chord_name(meaning ? meaning->keysym : name));
    }
    if (!key.empty()) {
        const auto meaning = find_key(key);
        const std::string keysym = meaning ? meaning->keysym : key;
        if (is_capital(keysym)) {
            chord.modifiers.insert("shift");
        }
        chord.key = chord_name(keysym);
    }
    return chord;
}

// "ctrl++" holds the plus as its key.
std::vector<std::string> parts_of(const std::string& text) {
    std::vector<std::string> parts{""};
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && !parts.back().empty()) {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    return parts;
}

} // namespace

std::string chord_name(std::string_view keysym) {
    if (keysym == "ISO_Level3_Shift") {
        return "altgr";
    }
    std::string name(keysym);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const std::string_view side : {"_l", "_r"}) {
        if (name.size() > side.size() + 1 && name.ends_with(side)) {
            name.resize(name.size() - side.size());
        }
    }
    return name == "control" ? "ctrl" : name == "meta" || name == "hyper" ? "super" : name == "kp_enter" ? "return" : name;
}

std::string to_string(const Chord& chord) {
    std::string out;
    for (const std::string& modifier : chord.modifiers) {
        out += modifier + "+";
    }
    if (chord.key.empty() && !out.empty()) {
        out.pop_back();
    }
    return out + chord.key;
}

Result<ChordPattern> ChordPattern::parse(const std::string& text) {
    std::vector<std::string> parts = parts_of(text);
    if (text.empty() || text.size() > 200 || parts.back().empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is not a chord such as \"ctrl+alt+*\" or \"return\"", text)};
    }
    ChordPattern pattern;
    const std::string last = parts.back();
    parts.pop_back();
    for (const std::string& part : parts) {
        const auto meaning = find_key(part);
        if (part != "*" && (!meaning || !meaning->is_modifier)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\": there is no modifier key called \"{}\"", text, part)};
        }
        part == "*" ? static_cast<void>(pattern.takes_more_modifiers = true)
                    : static_cast<void>(pattern.modifiers.insert(chord_name(meaning->keysym)));
    }
    if (last == "*" && parts.empty()) {
        pattern.takes_more_modifiers = true;
    }
    const bool is_open = last.find('*') != std::string::npos; // the key "*" itself is called asterisk
    const auto meaning = is_open ? std::nullopt : find_key(last);
    if (!is_open && !meaning) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\": there is no key called \"{}\"", text, last)};
    }
    if (meaning && is_capital(meaning->keysym)) {
        pattern.modifiers.insert("shift");
    }
    pattern.key = meaning ? chord_name(meaning->keysym) : last;
    return pattern;
}

bool ChordPattern::matches(const Chord& chord) const {
    std::set<std::string> held = chord.modifiers;
    const std::string& pressed = chord.key;
    // "super" is also the chord that only holds it.
    if (pressed.empty() && modifiers.empty() && held.contains(key)) {
        held.erase(key);
        return held.empty() || takes_more_modifiers;
    }
    const bool has_all = std::includes(held.begin(), held.end(), modifiers.begin(), modifiers.end());
    return has_all && (takes_more_modifiers || held.size() == modifiers.size()) && matches_glob(key, pressed);
}

std::vector<Chord> chords_of(const Action& action) {
    std::vector<Chord> chords;
    const auto held = [&](const std::vector<std::string>& keys) {
        if (!keys.empty()) {
            chords.push_back(make_fact(keys, ""));
        }
    };
    if (const auto* click = std::get_if<Click>(&action)) {
        held(click->hold_keys);
    } else if (const auto* drag = std::get_if<Drag>(&action)) {
        held(drag->hold_keys);
    } else if (const auto* chord = std::get_if<KeyChord>(&action)) {
        for (const std::string& key : chord->keys) {
            chords.push_back(make_fact(chord->modifiers, key));
        }
    } else if (const auto* typed = std::get_if<TypeText>(&action)) {
        if (typed->clear_first) {
            chords.push_back(make_fact({"ctrl"}, "a"));
            chords.push_back(make_fact({}, "backspace"));
        }
        if (typed->press_enter || typed->text_utf8.find_first_of("\r\n") != std::string::npos) {
            chords.push_back(make_fact({}, "return"));
        }
        if (typed->text_utf8.find('\t') != std::string::npos) {
            chords.push_back(make_fact({}, "tab"));
        }
    }
    return chords;
}

} // namespace handeye
