// SPDX-License-Identifier: Apache-2.0
// Reads the keyboard description of the server (XKB) and edits the keys that carry no symbol.
//
// Two traps decide the shape of this file. (1) A client looks a symbol up when it handles the key event, which may be long after
// the event was sent: a binding must not change while an event that needs it may be under way. So all symbols that a text needs
// are bound at once, and a key is bound anew only after the caller made sure that clients are through. (2) The server takes a
// lone capital for a letter key and types its small form: letters are always bound in both cases.
#include "platforms/x11/keymap.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr unsigned kNumLockMask = Mod2Mask;

KeySym lower_case(KeySym keysym) {
    KeySym lower = NoSymbol, upper = NoSymbol;
    XConvertCase(keysym, &lower, &upper);
    return lower;
}

KeySym upper_case(KeySym keysym) {
    KeySym lower = NoSymbol, upper = NoSymbol;
    XConvertCase(keysym, &lower, &upper);
    return upper;
}

} // namespace

struct Keymap::Description {
    XkbDescPtr xkb = nullptr;

    explicit Description(XkbDescPtr description) : xkb(description) {}
    Description(const Description&) = delete;
    Description& operator=(const Description&) = delete;
    ~Description() { XkbFreeKeyboard(xkb, XkbAllComponentsMask, 1); }
};

Keymap::Keymap(std::unique_ptr<Connection> connection, InputGate& gate)
    : connection_(std::move(connection)), gate_(gate) {}

Keymap::~Keymap() = default;

Result<std::unique_ptr<Keymap>> Keymap::open(const DisplayAddress& address, InputGate& gate) {
    std::unique_ptr<Keymap> keymap(new Keymap(TRY(Connection::open(address)), gate));
    int opcode = 0, error = 0, major = XkbMajorVersion, minor = XkbMinorVersion;
    ::Display* display = keymap->connection_->get();
    if (XkbQueryExtension(display, &opcode, &keymap->xkb_event_, &error, &major, &minor) == 0) {
        return Error{ErrorCode::Unsupported, "the X server has no XKB extension: keys are unknown"};
    }
    constexpr unsigned long events = XkbMapNotifyMask | XkbNewKeyboardNotifyMask;
    XkbSelectEvents(display, XkbUseCoreKbd, events, events);
    TRY(keymap->connection_->sync("opening the keyboard"));
    TRY(keymap->refresh());
    return keymap;
}

Result<void> Keymap::refresh() {
    TRY(connection_->sync("reading the keyboard"));
    while (XPending(connection_->get()) > 0) {
        XEvent event;
        XNextEvent(connection_->get(), &event);
        is_stale_ = is_stale_ || event.type == xkb_event_ || event.type == MappingNotify;
    }
    XkbStateRec state{};
    XkbGetState(connection_->get(), XkbUseCoreKbd, &state);
    TRY(connection_->check("reading the keyboard"));
    if (is_stale_ || state.group != group_) {
        group_ = state.group;
        TRY(read_map());
        is_stale_ = false;
    }
    return {};
}

KeySym Keymap::symbol_at(KeyCode code, unsigned modifiers) const {
    KeySym keysym = NoSymbol;
    unsigned consumed = 0;
    XkbTranslateKeyCode(map_->xkb, code,
                        XkbBuildCoreState(modifiers, static_cast<unsigned>(group_)), &consumed,
                        &keysym);
    return keysym;
}

Result<void> Keymap::read_map() {
    // With the server's part of the map too: Xlib looks into it, unasked, when a key gets other types.
    XkbDescPtr xkb = XkbGetMap(connection_->get(), XkbAllMapComponentsMask, XkbUseCoreKbd);
    TRY(connection_->check("reading the keyboard map"));
    if (xkb == nullptr) {
        return Error{ErrorCode::Unavailable, "the X server returned no keyboard map"};
    }
    map_ = std::make_unique<Description>(xkb);
    strokes_.clear();
    characters_.clear();
    shift_ = level3_ = 0;
    level3_mask_ = 0;
    for (unsigned code = xkb->min_key_code; code <= xkb->max_key_code; ++code) {
        const auto key = static_cast<KeyCode>(code);
        const KeySym plain = symbol_at(key, 0);
        const unsigned modifier = xkb->map->modmap[code];
        if (shift_ == 0 && plain == XK_Shift_L && modifier == ShiftMask) {
            shift_ = key;
        }
        if (level3_ == 0 && plain == XK_ISO_Level3_Shift && modifier != 0) {
            level3_ = key;
            level3_mask_ = modifier;
        }
    }
    for (unsigned code = xkb->min_key_code; code <= xkb->max_key_code; ++code) {
        index_key(static_cast<KeyCode>(code));
    }
    forget_replaced_slots();
    list_free_keys();
    return {};
}

void Keymap::index_key(KeyCode code) {
    const unsigned num_lock = kNumLockMask;
    for (const bool level3 : {false, true}) {
        for (const bool shift : {false, true}) {
            if ((level3 && level3_ == 0) || (shift && shift_ == 0)) {
                continue;
            }
            const unsigned modifiers = (shift ? ShiftMask : 0U) | (level3 ? level3_mask_ : 0U);
            const KeySym keysym = symbol_at(code, modifiers);
            // Num Lock may be on or off when the key is sent: only keys that do not care are used.
            if (keysym != NoSymbol && keysym == symbol_at(code, modifiers | num_lock)) {
                add_stroke(keysym, {code, shift, level3});
            }
        }
    }
}

void Keymap::add_stroke(KeySym keysym, const KeyStroke& stroke) {
    const auto effort = [](const KeyStroke& s) { return s.needs_shift + 2 * s.needs_level3; };
    const auto improve = [&](auto& table, auto key) {
        const auto [at, is_new] = table.emplace(key, stroke);
        if (!is_new && effort(stroke) < effort(at->second)) {
            at->second = stroke;
        }
    };
    improve(strokes_, keysym);
    if (const char32_t character = character_of_keysym(keysym); character != 0) {
        improve(characters_, character);
    }
}

void Keymap::forget_replaced_slots() {
    std::erase_if(slots_, [this](const Slot& slot) {
        const bool is_ours = symbol_at(slot.code, 0) == keysym_of_character(slot.plain);
        return !is_ours; // another program loaded a new map: it is theirs now
    });
}

void Keymap::list_free_keys() {
    free_keys_.clear();
    const XkbDescPtr xkb = map_->xkb;
    // The first key is left alone: it is the kernel's key 0, which toolkits take for no key at all.
    for (unsigned code = xkb->min_key_code + 1U; code <= xkb->max_key_code; ++code) {
        if (XkbKeyNumGroups(xkb, code) == 0 && xkb->map->modmap[code] == 0) {
            free_keys_.push_back(static_cast<KeyCode>(code));
        }
    }
}

std::optional<KeyStroke> Keymap::find(KeySym keysym) const {
    if (const auto found = strokes_.find(keysym); found != strokes_.end()) {
        return found->second;
    }
    const char32_t character = character_of_keysym(keysym); // "U0434" and "Cyrillic_de" are one key
    return character == 0 ? std::nullopt : find_character(character);
}

std::optional<KeyStroke> Keymap::find_character(char32_t character) const {
    const auto found = characters_.find(character);
    return found == characters_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<KeyCode> Keymap::modifiers_of(const KeyStroke& stroke) const {
    std::vector<KeyCode> keys;
    if (stroke.needs_shift) {
        keys.push_back(shift_);
    }
    if (stroke.needs_level3) {
        keys.push_back(level3_);
    }
    return keys;
}

Keymap::Slot Keymap::slot_for(char32_t character) {
    const KeySym keysym = keysym_of_character(character);
    const char32_t lower = character_of_keysym(lower_case(keysym));
    const char32_t upper = character_of_keysym(upper_case(keysym));
    if (lower == upper || lower == 0 || upper == 0) {
        return {0, character, 0, false};
    }
    return {0, lower, upper, true};
}

bool Keymap::place(char32_t character, std::vector<Slot>& free_slots) {
    const auto holds = [&](const Slot& slot) {
        return slot.code != 0 && (slot.plain == character || slot.shifted == character);
    };
    const auto taken = [](const Slot& slot) { return slot.code != 0 && slot.plain != 0; };
    if (std::any_of(free_slots.begin(), free_slots.end(), holds)) {
        return true;
    }
    const Slot wanted = slot_for(character);
    for (Slot& slot : free_slots) {
        if (!taken(slot)) {
            slot = {slot.code, wanted.plain, wanted.shifted, wanted.is_cased};
            return true;
        }
        if (!slot.is_cased && !wanted.is_cased && slot.shifted == 0 && shift_ != 0) {
            slot.shifted = character; // two characters without case share a key
            return true;
        }
    }
    return false;
}

Result<std::size_t> Keymap::make_typeable(std::span<const char32_t> text,
                                          const std::function<Result<void>()>& before_reuse) {
    TRY(refresh());
    const auto is_known = [this](char32_t c) { return find_character(c).has_value(); };
    std::size_t fits = static_cast<std::size_t>(
        std::find_if_not(text.begin(), text.end(), is_known) - text.begin());
    if (fits == text.size()) {
        return fits;
    }
    // First try with free keys only; then bind the oldest of ours anew, without regard to what they hold.
    const auto fill = [&](std::vector<Slot>& slots, const auto& known) {
        std::size_t count = 0;
        while (count < text.size() && (known(text[count]) || place(text[count], slots))) {
            ++count;
        }
        return count;
    };
    std::vector<Slot> slots;
    for (const KeyCode code : free_keys_) {
        slots.push_back({code, 0, 0, false});
    }
    fits = fill(slots, is_known);
    if (fits < text.size() && !slots_.empty()) {
        TRY(before_reuse());
        const auto is_ours = [this](const KeyStroke& stroke) {
            return std::any_of(slots_.begin(), slots_.end(),
                               [&](const Slot& slot) { return slot.code == stroke.code; });
        };
        const auto is_layout = [&](char32_t c) {
            const auto stroke = find_character(c);
            return stroke && !is_ours(*stroke);
        };
        slots.clear();
        for (const KeyCode code : free_keys_) {
            slots.push_back({code, 0, 0, false});
        }
        for (const Slot& old : slots_) {
            slots.push_back({old.code, 0, 0, false});
        }
        fits = fill(slots, is_layout);
    }
    std::erase_if(slots, [](const Slot& slot) { return slot.plain == 0; });
    const auto is_replaced = [&](const Slot& old) {
        return std::any_of(slots.begin(), slots.end(), [&](const Slot& slot) { return slot.code == old.code; });
    };
    std::erase_if(slots_, is_replaced); // the rest stay bound as they are, to be used again
    TRY(write_slots(slots));
    slots_.insert(slots_.end(), slots.begin(), slots.end());
    is_stale_ = true;
    TRY(refresh());
    const auto typeable = std::find_if_not(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(fits), is_known);
    return static_cast<std::size_t>(typeable - text.begin());
}

Result<void> Keymap::write_slots(const std::vector<Slot>& slots) {
    if (slots.empty()) {
        return {};
    }
    KeyCode first = slots.front().code;
    KeyCode last = first;
    XkbMapChangesRec unused{}; // Xlib wants one, but its bookkeeping of changed keys starts at key 0
    for (const Slot& slot : slots) {
        first = std::min(first, slot.code);
        last = std::max(last, slot.code);
        gate_.note_bound(slot.code); // before the server knows: a crash in between must undo it
        std::array<int, XkbNumKbdGroups> types{};
        types[0] = slot.is_cased        ? XkbAlphabeticIndex
                   : slot.shifted != 0 ? XkbTwoLevelIndex
                                       : XkbOneLevelIndex;
        if (XkbChangeTypesOfKey(map_->xkb, slot.code, 1, XkbGroup1Mask, types.data(), &unused) != 0) {
            return Error{ErrorCode::OutOfMemory, fmt::format("binding key {} failed", slot.code)};
        }
        XkbKeySymEntry(map_->xkb, slot.code, 0, 0) = keysym_of_character(slot.plain);
        if (slot.shifted != 0) {
            XkbKeySymEntry(map_->xkb, slot.code, 1, 0) = keysym_of_character(slot.shifted);
        }
    }
    XkbMapChangesRec changes{};
    changes.changed = XkbKeySymsMask;
    changes.first_key_sym = first;
    changes.num_key_syms = static_cast<unsigned char>(last - first + 1);
    XkbChangeMap(connection_->get(), map_->xkb, &changes); // one request: one notice to each client
    return connection_->sync("binding keys");
}

Result<void> Keymap::open_locks() {
    XkbStateRec state{};
    XkbGetState(connection_->get(), XkbUseCoreKbd, &state);
    TRY(connection_->check("reading the keyboard's locks"));
    unlocked_ = state.locked_mods & ~kNumLockMask;
    if (unlocked_ == 0) {
        return {};
    }
    gate_.note_unlocked(unlocked_);
    XkbLockModifiers(connection_->get(), XkbUseCoreKbd, unlocked_, 0);
    return connection_->sync("opening Caps Lock");
}

Result<void> Keymap::close_locks() {
    if (unlocked_ == 0) {
        return {};
    }
    XkbLockModifiers(connection_->get(), XkbUseCoreKbd, unlocked_, unlocked_);
    unlocked_ = 0;
    gate_.note_unlocked(0);
    return connection_->sync("restoring Caps Lock");
}

Result<std::vector<KeyCode>> Keymap::stuck_modifiers() {
    std::array<char, 32> down{};
    XQueryKeymap(connection_->get(), down.data());
    TRY(connection_->check("reading pressed keys"));
    std::vector<KeyCode> stuck;
    for (unsigned code = map_->xkb->min_key_code; code <= map_->xkb->max_key_code; ++code) {
        const bool is_down = (static_cast<unsigned char>(down[code / 8]) >> (code % 8) & 1U) != 0;
        if (is_down && map_->xkb->map->modmap[code] != 0 && !gate_.is_down(static_cast<KeyCode>(code))) {
            stuck.push_back(static_cast<KeyCode>(code));
        }
    }
    return stuck;
}

} // namespace handeye::x11
