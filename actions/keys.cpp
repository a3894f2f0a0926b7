// SPDX-License-Identifier: Apache-2.0
// The table of key names and the splitting of chords.
#include "actions/keys.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kChordKeysMax = 64;
constexpr std::size_t kChordBytesMax = 1024;

struct Row {
    std::string_view name; ///< lower case, without "_", "-" and spaces
    std::string_view keysym;
    bool is_modifier = false;
};

// cmd and command are the Super key: the vendor's own runs drive pyautogui, where they are Super_L on X11.
constexpr std::array kRows{
    Row{"ctrl", "Control_L", true}, Row{"control", "Control_L", true}, Row{"ctl", "Control_L", true},
    Row{"ctrlleft", "Control_L", true}, Row{"controll", "Control_L", true}, Row{"lctrl", "Control_L", true},
    Row{"ctrlright", "Control_R", true}, Row{"controlr", "Control_R", true}, Row{"rctrl", "Control_R", true},
    Row{"alt", "Alt_L", true}, Row{"option", "Alt_L", true}, Row{"altleft", "Alt_L", true}, Row{"altl", "Alt_L", true},
    Row{"altright", "Alt_R", true}, Row{"altr", "Alt_R", true}, Row{"altgr", "ISO_Level3_Shift", true},
    Row{"isolevel3shift", "ISO_Level3_Shift", true},
    Row{"shift", "Shift_L", true}, Row{"shiftleft", "Shift_L", true}, Row{"shiftl", "Shift_L", true},
    Row{"shiftright", "Shift_R", true}, Row{"shiftr", "Shift_R", true},
    Row{"super", "Super_L", true}, Row{"win", "Super_L", true}, Row{"windows", "Super_L", true},
    Row{"winleft", "Super_L", true}, Row{"superl", "Super_L", true}, Row{"meta", "Super_L", true},
    Row{"cmd", "Super_L", true}, Row{"command", "Super_L", true}, Row{"winright", "Super_R", true},
    Row{"superr", "Super_R", true}, Row{"metal", "Meta_L", true}, Row{"metar", "Meta_R", true},
    Row{"enter", "Return"}, Row{"return", "Return"}, Row{"kpenter", "KP_Enter"}, Row{"numenter", "KP_Enter"},
    Row{"tab", "Tab"}, Row{"space", "space"}, Row{"spacebar", "space"}, Row{"esc", "Escape"}, Row{"escape", "Escape"},
    Row{"backspace", "BackSpace"}, Row{"bksp", "BackSpace"}, Row{"delete", "Delete"},
    Row{"del", "Delete"}, Row{"forwarddelete", "Delete"}, Row{"insert", "Insert"}, Row{"ins", "Insert"},
    Row{"home", "Home"}, Row{"end", "End"},
    Row{"pageup", "Page_Up"}, Row{"pgup", "Page_Up"}, Row{"prior", "Page_Up"},
    Row{"pagedown", "Page_Down"}, Row{"pgdn", "Page_Down"}, Row{"pgdown", "Page_Down"}, Row{"next", "Page_Down"},
    Row{"up", "Up"}, Row{"down", "Down"}, Row{"left", "Left"}, Row{"right", "Right"},
    Row{"arrowup", "Up"}, Row{"arrowdown", "Down"}, Row{"arrowleft", "Left"}, Row{"arrowright", "Right"},
    Row{"uparrow", "Up"}, Row{"downarrow", "Down"}, Row{"leftarrow", "Left"}, Row{"rightarrow", "Right"},
    Row{"capslock", "Caps_Lock"}, Row{"numlock", "Num_Lock"}, Row{"scrolllock", "Scroll_Lock"},
    Row{"printscreen", "Print"}, Row{"print", "Print"}, Row{"prtsc", "Print"}, Row{"prtscr", "Print"}, Row{"prntscrn", "Print"},
    Row{"pause", "Pause"}, Row{"break", "Break"}, Row{"menu", "Menu"}, Row{"apps", "Menu"}, Row{"contextmenu", "Menu"},
    Row{"comma", "comma"}, Row{"period", "period"}, Row{"dot", "period"}, Row{"slash", "slash"},
    Row{"forwardslash", "slash"}, Row{"backslash", "backslash"}, Row{"minus", "minus"}, Row{"hyphen", "minus"},
    Row{"dash", "minus"}, Row{"plus", "plus"}, Row{"equal", "equal"}, Row{"equals", "equal"}, Row{"semicolon", "semicolon"},
    Row{"colon", "colon"}, Row{"quote", "apostrophe"}, Row{"apostrophe", "apostrophe"}, Row{"singlequote", "apostrophe"},
    Row{"doublequote", "quotedbl"}, Row{"quotedbl", "quotedbl"}, Row{"grave", "grave"}, Row{"backtick", "grave"},
    Row{"backquote", "grave"}, Row{"tilde", "asciitilde"}, Row{"asciitilde", "asciitilde"},
    Row{"leftbracket", "bracketleft"}, Row{"bracketleft", "bracketleft"}, Row{"rightbracket", "bracketright"},
    Row{"bracketright", "bracketright"}, Row{"leftparen", "parenleft"}, Row{"parenleft", "parenleft"},
    Row{"rightparen", "parenright"}, Row{"parenright", "parenright"}, Row{"leftbrace", "braceleft"},
    Row{"braceleft", "braceleft"}, Row{"rightbrace", "braceright"}, Row{"braceright", "braceright"},
    Row{"underscore", "underscore"}, Row{"asterisk", "asterisk"}, Row{"star", "asterisk"}, Row{"ampersand", "ampersand"},
    Row{"at", "at"}, Row{"hash", "numbersign"}, Row{"numbersign", "numbersign"}, Row{"dollar", "dollar"},
    Row{"percent", "percent"}, Row{"exclam", "exclam"}, Row{"exclamation", "exclam"}, Row{"question", "question"},
    Row{"less", "less"}, Row{"greater", "greater"}, Row{"bar", "bar"}, Row{"pipe", "bar"},
    Row{"asciicircum", "asciicircum"}, Row{"caret", "asciicircum"},
    Row{"volumeup", "XF86AudioRaiseVolume"}, Row{"volumedown", "XF86AudioLowerVolume"}, Row{"volumemute", "XF86AudioMute"},
};

struct Symbol {
    char character;
    std::string_view keysym;
};
constexpr std::array kSymbols{
    Symbol{' ', "space"}, Symbol{'!', "exclam"}, Symbol{'"', "quotedbl"}, Symbol{'#', "numbersign"}, Symbol{'$', "dollar"},
    Symbol{'%', "percent"}, Symbol{'&', "ampersand"}, Symbol{'\'', "apostrophe"}, Symbol{'(', "parenleft"},
    Symbol{')', "parenright"}, Symbol{'*', "asterisk"}, Symbol{'+', "plus"}, Symbol{',', "comma"}, Symbol{'-', "minus"},
    Symbol{'.', "period"}, Symbol{'/', "slash"}, Symbol{':', "colon"}, Symbol{';', "semicolon"}, Symbol{'<', "less"},
    Symbol{'=', "equal"}, Symbol{'>', "greater"}, Symbol{'?', "question"}, Symbol{'@', "at"}, Symbol{'[', "bracketleft"},
    Symbol{'\\', "backslash"}, Symbol{']', "bracketright"}, Symbol{'^', "asciicircum"}, Symbol{'_', "underscore"},
    Symbol{'`', "grave"}, Symbol{'{', "braceleft"}, Symbol{'|', "bar"}, Symbol{'}', "braceright"}, Symbol{'~', "asciitilde"},
};

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string folded(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c != '_' && c != '-' && c != ' ') {
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return out;
}

/// "f5", "num7", "kp7": families of names that no table needs to list.
std::optional<KeyMeaning> find_numbered_key(std::string_view key) {
    const auto number_after = [&](std::string_view prefix, int highest) -> std::optional<int> {
        const std::string_view digits = key.substr(std::min(prefix.size(), key.size()));
        if (!key.starts_with(prefix) || digits.empty() || digits.size() > 2 ||
            !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
            return std::nullopt;
        }
        const int value = std::stoi(std::string(digits));
        return value <= highest ? std::optional(value) : std::nullopt;
    };
    if (const auto n = number_after("f", 24); n && *n > 0) {
        return KeyMeaning{fmt::format("F{}", *n)};
    }
    for (const std::string_view prefix : {"numpad", "num", "kp"}) {
        if (const auto n = number_after(prefix, 9)) {
            return KeyMeaning{fmt::format("KP_{}", *n)};
        }
    }
    return std::nullopt;
}

/// A lone character outside ASCII as X names it ("U00E9"); nullopt when `name` is not exactly one.
std::optional<std::string> unicode_keysym(std::string_view name) {
    const auto lead = static_cast<unsigned char>(name.front());
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0 || length != name.size() || lead > 0xF4) {
        return std::nullopt;
    }
    std::uint32_t code = lead & (0xFFU >> (length + 1));
    for (const char c : name.substr(1)) {
        if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
            return std::nullopt;
        }
        code = (code << 6U) | (static_cast<unsigned char>(c) & 0x3FU);
    }
    return fmt::format("U{:04X}", code);
}

std::vector<std::string> split_on_plus(std::string_view text) {
    std::vector<std::string> names;
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t end = text.find('+', at);
        if (end == at) { // a plus where a name should begin is the plus key
            names.emplace_back("plus");
            end = text.find('+', at + 1);
        } else {
            names.emplace_back(trimmed(text.substr(at, end == std::string_view::npos ? end : end - at)));
        }
        if (end == std::string_view::npos) {
            break;
        }
        at = end + 1;
        while (at < text.size() && text[at] == ' ') {
            ++at;
        }
        if (at == text.size()) {
            names.emplace_back(); // "ctrl+": a name is missing
        }
    }
    return names;
}

std::vector<std::string> split_on(std::string_view text, char separator) {
    std::vector<std::string> names;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (end > 0) {
            names.emplace_back(text.substr(0, end));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return names;
}

std::vector<std::string> split_chord(std::string_view text) {
    text = trimmed(text);
    if (find_key(text)) {
        return {std::string(text)};
    }
    if (text.find('+') != std::string_view::npos) {
        return split_on_plus(text);
    }
    for (const char separator : {' ', '-'}) {
        const std::size_t first = text.find(separator);
        if (first != std::string_view::npos && find_key(text.substr(0, first))) {
            return split_on(text, separator);
        }
    }
    return {std::string(text)};
}

} // namespace

std::optional<KeyMeaning> find_key(std::string_view name) {
    if (name.empty() || name.size() > 32) {
        return std::nullopt;
    }
    if (name.size() == 1) {
        const char c = name.front();
        if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
            return KeyMeaning{std::string(1, c)};
        }
        const auto* const symbol = std::ranges::find(kSymbols, c, &Symbol::character);
        return symbol == kSymbols.end() ? std::nullopt : std::optional(KeyMeaning{std::string(symbol->keysym)});
    }
    if (const auto keysym = unicode_keysym(name)) {
        return KeyMeaning{*keysym};
    }
    const std::string key = folded(name);
    if (key.size() == 1) { // "_a": punctuation around a letter is no name
        return std::nullopt;
    }
    const auto* const row = std::ranges::find(kRows, key, &Row::name);
    if (row != kRows.end()) {
        return KeyMeaning{std::string(row->keysym), row->is_modifier};
    }
    return find_numbered_key(key);
}

Result<KeyChord> make_chord(std::vector<std::string> names) {
    if (names.empty() || names.size() > kChordKeysMax) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a key action names 1 to {} keys, not {}", kChordKeysMax, names.size())};
    }
    KeyChord chord;
    for (std::string& name : names) {
        const auto meaning = find_key(name);
        if (!meaning) {
            return Error{ErrorCode::InvalidArgument, fmt::format("there is no key called '{}'", name.substr(0, 40))};
        }
        if (name.size() > 1 && static_cast<unsigned char>(name.front()) < 0x80) {
            std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        }
        const bool is_held = meaning->is_modifier && chord.keys.empty();
        (is_held ? chord.modifiers : chord.keys).push_back(std::move(name));
    }
    if (chord.keys.empty()) { // "super", "ctrl+shift": the last one is the key
        chord.keys.push_back(std::move(chord.modifiers.back()));
        chord.modifiers.pop_back();
    }
    for (std::string& key : chord.keys) { // ctrl+C means the key C: with modifiers, capitals are only typography
        if (!chord.modifiers.empty() && key.size() == 1) {
            key[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(key[0])));
        }
    }
    return chord;
}

Result<KeyChord> parse_chord(std::string_view text) {
    if (text.size() > kChordBytesMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the key names take {} bytes, more than {}", text.size(), kChordBytesMax)};
    }
    return make_chord(split_chord(text == " " ? "space" : text));
}

Result<std::vector<std::string>> parse_hold_keys(std::string_view text) {
    if (trimmed(text).empty() || folded(trimmed(text)) == "none") {
        return std::vector<std::string>{};
    }
    KeyChord chord = TRY(parse_chord(text));
    std::vector<std::string> held = std::move(chord.modifiers);
    for (std::string& key : chord.keys) {
        const auto meaning = find_key(key);
        if (!meaning || !meaning->is_modifier) {
            return Error{ErrorCode::InvalidArgument, fmt::format("hold_keys takes modifier keys only, not '{}'", key)};
        }
        held.push_back(std::move(key));
    }
    return held;
}

std::string typed_text(const KeyChord& chord) {
    std::string out;
    bool is_shifted = false;
    for (const std::string& name : chord.modifiers) {
        const auto key = find_key(name);
        if (!key || !key->keysym.starts_with("Shift")) {
            return {};
        }
        is_shifted = true;
    }
    for (const std::string& name : chord.keys) {
        const auto key = find_key(name);
        const auto* const symbol = key ? std::ranges::find(kSymbols, key->keysym, &Symbol::keysym) : kSymbols.end();
        if (symbol != kSymbols.end()) {
            out += symbol->character;
        } else if (key && key->keysym.size() == 1) {
            out += is_shifted ? static_cast<char>(std::toupper(static_cast<unsigned char>(key->keysym[0]))) : key->keysym[0];
        } else if (key && key->keysym == "Return") {
            out += '\n';
        } else if (key && key->keysym == "Tab") {
            out += '\t';
        }
    }
    return out;
}

} // namespace handeye
