// SPDX-License-Identifier: Apache-2.0
// Which keys type which symbols in the current layout and group, and temporary bindings of free keys for the symbols that the
// layout lacks. Bindings stay for the life of the session and are used again: each change of the map makes every client and
// the window manager read it anew.
#pragma once

#include "platforms/x11/input_gate.h"
#include "platforms/x11/keysyms.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace handeye::x11 {

/// A key and what must be held for the wanted symbol.
struct KeyStroke {
    KeyCode code = 0;
    bool needs_shift = false;
    bool needs_level3 = false; ///< AltGr
};

class Keymap {
public:
    /// Unsupported when the server has no XKB. `gate` outlives the keymap and takes the bindings back.
    static Result<std::unique_ptr<Keymap>> open(const DisplayAddress& address, InputGate& gate);
    ~Keymap();
    Keymap(const Keymap&) = delete;
    Keymap& operator=(const Keymap&) = delete;

    /// Reads layout and group again if they changed. Call before find().
    Result<void> refresh();
    [[nodiscard]] std::optional<KeyStroke> find(KeySym keysym) const;
    [[nodiscard]] std::optional<KeyStroke> find_character(char32_t character) const;
    /// Keys to hold for the stroke.
    [[nodiscard]] std::vector<KeyCode> modifiers_of(const KeyStroke& stroke) const;

    /// Binds what the layout lacks; returns how many of the first characters of `text` can be typed now (all that fit; 0 when
    /// there is no free key). Bindings of earlier calls are replaced only after `before_reuse` returned: it must wait until
    /// clients have read the earlier ones.
    Result<std::size_t> make_typeable(std::span<const char32_t> text,
                                      const std::function<Result<void>()>& before_reuse);
    /// Whether this process bound any key.
    [[nodiscard]] bool has_bindings() const { return !slots_.empty(); }

    /// Opens Caps Lock and the like for typing; the gate is told so that a crash path can lock them again.
    Result<void> open_locks();
    Result<void> close_locks();
    /// Modifier keys that are down on the keyboard though nobody of ours holds them.
    Result<std::vector<KeyCode>> stuck_modifiers();

private:
    /// One bound key: a letter in both cases, or up to two characters that have no case.
    struct Slot {
        KeyCode code = 0;
        char32_t plain = 0;
        char32_t shifted = 0;
        bool is_cased = false;
    };
    struct Description; // XkbDescPtr

    Keymap(std::unique_ptr<Connection> connection, InputGate& gate);
    Result<void> read_map();
    void index_key(KeyCode code);
    void add_stroke(KeySym keysym, const KeyStroke& stroke);
    void forget_replaced_slots();
    void list_free_keys();
    [[nodiscard]] KeySym symbol_at(KeyCode code, unsigned modifiers) const;
    bool place(char32_t character, std::vector<Slot>& free_slots);
    Result<void> write_slots(const std::vector<Slot>& slots);
    static Slot slot_for(char32_t character);

    std::unique_ptr<Connection> connection_;
    InputGate& gate_;
    std::unique_ptr<Description> map_;
    int xkb_event_ = 0;
    int group_ = 0;
    bool is_stale_ = true;
    KeyCode shift_ = 0;
    KeyCode level3_ = 0;
    unsigned level3_mask_ = 0;
    unsigned unlocked_ = 0;
    std::unordered_map<KeySym, KeyStroke> strokes_;
    std::unordered_map<char32_t, KeyStroke> characters_;
    std::vector<KeyCode> free_keys_;
    std::vector<Slot> slots_; // oldest first
};

} // namespace handeye::x11
