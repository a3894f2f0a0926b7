// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/keycodes.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace handeye::android {
namespace {

struct Row {
    std::string_view keysym;
    int code;
};
/// "Home" on a keyboard goes to the beginning of a line (MOVE_HOME); the button that leaves the app is NavigateHome.
constexpr Row kRows[] = {
    {"Return", 66}, {"KP_Enter", 160}, {"BackSpace", 67}, {"Delete", 112}, {"Tab", 61}, {"Escape", 111}, {"space", 62}, {"Insert", 124},
    {"Home", 122}, {"End", 123}, {"Page_Up", 92}, {"Prior", 92}, {"Page_Down", 93}, {"Next", 93}, {"Up", 19}, {"Down", 20},
    {"Left", 21}, {"Right", 22}, {"Menu", 82}, {"Print", 120}, {"Pause", 121}, {"Caps_Lock", 115}, {"Num_Lock", 143},
    {"Scroll_Lock", 116}, {"Help", 259}, {"Cancel", 223},
    {"XF86AudioRaiseVolume", 24}, {"XF86AudioLowerVolume", 25}, {"XF86AudioMute", 164}, {"XF86AudioPlay", 85}, {"XF86AudioStop", 86},
    {"XF86AudioNext", 87}, {"XF86AudioPrev", 88}, {"XF86PowerOff", 26}, {"XF86Back", 4}, {"XF86HomePage", 3}, {"XF86Search", 84},
    {"XF86WakeUp", 224}, {"XF86Sleep", 223}, {"XF86TaskPane", 187}, {"XF86MonBrightnessUp", 221}, {"XF86MonBrightnessDown", 220},
    {"XF86Camera", 27}, {"XF86Copy", 278}, {"XF86Cut", 277}, {"XF86Paste", 279},
    {"grave", 68}, {"minus", 69}, {"equal", 70}, {"bracketleft", 71}, {"bracketright", 72}, {"backslash", 73}, {"semicolon", 74},
    {"apostrophe", 75}, {"slash", 76}, {"comma", 55}, {"period", 56}, {"at", 77}, {"plus", 81}, {"asterisk", 17}, {"numbersign", 18},
    {"KP_Add", 157}, {"KP_Subtract", 156}, {"KP_Multiply", 155}, {"KP_Divide", 154}, {"KP_Decimal", 158}, {"KP_Equal", 161},
};
constexpr Row kModifiers[] = {{"Shift_L", 59}, {"Shift_R", 60}, {"Control_L", 113}, {"Control_R", 114}, {"Alt_L", 57}, {"Alt_R", 58},
                              {"ISO_Level3_Shift", 58}, {"Super_L", 117}, {"Super_R", 118}, {"Meta_L", 117}, {"Meta_R", 118}};

struct Symbol {
    std::string_view keysym;
    char text;
};
constexpr Symbol kSymbols[] = {
    {"space", ' '}, {"exclam", '!'}, {"quotedbl", '"'}, {"numbersign", '#'}, {"dollar", '$'}, {"percent", '%'}, {"ampersand", '&'},
    {"apostrophe", '\''}, {"parenleft", '('}, {"parenright", ')'}, {"asterisk", '*'}, {"plus", '+'}, {"comma", ','}, {"minus", '-'},
    {"period", '.'}, {"slash", '/'}, {"colon", ':'}, {"semicolon", ';'}, {"less", '<'}, {"equal", '='}, {"greater", '>'},
    {"question", '?'}, {"at", '@'}, {"bracketleft", '['}, {"backslash", '\\'}, {"bracketright", ']'}, {"asciicircum", '^'},
    {"underscore", '_'}, {"grave", '`'}, {"braceleft", '{'}, {"bar", '|'}, {"braceright", '}'}, {"asciitilde", '~'},
};

constexpr int kDigit0 = 7, kLetterA = 29, kF1 = 131, kPad0 = 144;

template <std::size_t N>
std::optional<int> find_in(const Row (&rows)[N], std::string_view keysym) {
    const auto* const row = std::ranges::find(rows, keysym, &Row::keysym);
    return row == std::end(rows) ? std::nullopt : std::optional(row->code);
}

std::optional<int> ordinary(std::string_view keysym) {
    if (keysym.size() == 1 && keysym[0] >= 'a' && keysym[0] <= 'z') {
        return kLetterA + (keysym[0] - 'a');
    }
    if (keysym.size() == 1 && keysym[0] >= '0' && keysym[0] <= '9') {
        return kDigit0 + (keysym[0] - '0');
    }
    if (keysym.size() == 4 && keysym.starts_with("KP_") && keysym[3] >= '0' && keysym[3] <= '9') {
        return kPad0 + (keysym[3] - '0');
    }
    if (keysym.size() >= 2 && keysym.size() <= 3 && keysym[0] == 'F' && keysym[1] >= '1' && keysym[1] <= '9') {
        const int number = keysym.size() == 2 ? keysym[1] - '0' : (keysym[1] - '0') * 10 + (keysym[2] - '0');
        return number >= 1 && number <= 12 && (keysym.size() == 2 || (keysym[2] >= '0' && keysym[2] <= '9')) ? std::optional(kF1 + number - 1) : std::nullopt;
    }
    return find_in(kRows, keysym);
}

} // namespace

std::optional<Keycode> keycode_of(std::string_view keysym) {
    if (const auto modifier = find_in(kModifiers, keysym); modifier) {
        return Keycode{*modifier, true, 0};
    }
    const auto code = ordinary(keysym);
    const auto* const symbol = std::ranges::find(kSymbols, keysym, &Symbol::keysym);
    const bool is_sign = keysym.size() == 1 && keysym[0] > ' ' && keysym[0] <= '~';
    const char text = symbol != std::end(kSymbols) ? symbol->text : is_sign ? keysym[0] : '\0';
    return code || text != 0 ? std::optional(Keycode{code.value_or(0), false, text}) : std::nullopt;
}

} // namespace handeye::android
