// SPDX-License-Identifier: Apache-2.0
// Typing any text at a server that says nothing of what it did with a key: by keysyms, by pasting where its clipboard takes the text,
// and with a look at the screen where a character may have been too much for it.
#pragma once

#include "platforms/platform.h"
#include "platforms/vnc/input_gate.h"
#include "platforms/vnc/link.h"

#include <memory>
#include <set>
#include <span>
#include <string>

namespace handeye::vnc {

class TextTyper {
public:
    /// Both outlive the typer.
    TextTyper(InputGate& gate, Clock& clock) : gate_(gate), clock_(clock) {}

    /// See Platform::type_text.
    Result<TextResult> type(Link& link, std::string_view text_utf8, const std::stop_token& stop);
    /// Of another server nothing is known.
    void forget() {
        carried_.clear();
        full_at_.reset();
    }

private:
    struct Progress {
        std::size_t sent = 0;
        bool was_pasted = false;
        bool was_seen = false;   ///< the screen showed something of this text
        bool is_hidden = false;  ///< it does not: a field that shows nothing
        std::string failure;
    };
    enum class Sight { Seen, Nothing };

    Result<void> type_all(Link& link, std::span<const char32_t> text, const std::stop_token& stop, Progress& progress);
    Result<void> type_keys(Link& link, std::span<const char32_t> part, const std::stop_token& stop, Progress& progress);
    Result<bool> type_new(Link& link, char32_t character, const std::stop_token& stop, Progress& progress);
    Result<bool> paste(Link& link, std::span<const char32_t> part, const std::stop_token& stop, Progress& progress);
    Result<Image> look(Link& link, const std::stop_token& stop);
    Result<void> wait_quiet(Link& link, const std::stop_token& stop);
    Result<Sight> wait_for_change(Link& link, const Image& before, Duration patience, const std::stop_token& stop);
    [[nodiscard]] bool is_full() const;

    InputGate& gate_;
    Clock& clock_;
    std::set<char32_t> carried_;       ///< seen to arrive at this server
    std::optional<TimePoint> full_at_; ///< it had no key left for a new character
    std::optional<Image> start_;       ///< the screen before this text
};

/// Whether the second picture shows more than the first with a caret that blinks.
bool shows_more_than_caret(const Image& before, const Image& after);

} // namespace handeye::vnc
