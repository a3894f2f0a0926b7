// SPDX-License-Identifier: Apache-2.0
// Typing any text: by the keys of the current layout, by temporarily bound keys for what the layout lacks, and by pasting where
// no key is free.
#pragma once

#include "platforms/platform.h"
#include "platforms/x11/client_sync.h"
#include "platforms/x11/clipboard.h"
#include "platforms/x11/input_gate.h"
#include "platforms/x11/keymap.h"

#include <functional>
#include <span>
#include <string>

namespace handeye::x11 {

class TextTyper {
public:
    /// All outlive the typer. `wait_until_read` returns when the program with the focus has handled all input so far.
    TextTyper(const DisplayAddress& address, InputGate& gate, Keymap& keymap, ClientSync& clients, Clock& clock,
              std::function<Result<void>()> wait_until_read);

    /// See Platform::type_text.
    Result<TextResult> type(std::string_view text_utf8, std::stop_token stop);

private:
    struct Progress {
        std::size_t sent = 0;
        bool used_bindings = false;
        bool used_paste = false;
        bool was_stopped = false;
        std::string failure;
    };
    Result<void> prepare_keyboard();
    Result<void> type_all(std::span<const char32_t> text, std::stop_token stop, Progress& progress);
    Result<void> type_with_keys(std::span<const char32_t> text, std::stop_token stop, Progress& progress);
    Result<void> paste_rest(std::span<const char32_t> text, std::stop_token stop, Progress& progress);
    Result<void> press_paste_chord();
    Result<void> tap_with(KeySym keysym, std::span<const KeySym> modifiers);

    DisplayAddress address_;
    InputGate& gate_;
    Keymap& keymap_;
    ClientSync& clients_;
    Clock& clock_;
    std::function<Result<void>()> wait_until_read_;
    std::unique_ptr<Clipboard> clipboard_; // opened when first needed
};

} // namespace handeye::x11
