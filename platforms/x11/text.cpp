// SPDX-License-Identifier: Apache-2.0
// The typing ladder. Nothing can be read back on plain X11: what was sent is Unverifiable unless something is known to be
// wrong.
#include "platforms/x11/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr std::size_t kTextBytesMax = 1U << 20U;
constexpr std::size_t kSyncEvery = 64; // characters between two waits for the server
constexpr Duration kPastePatience = std::chrono::seconds(2);

bool is_control(char32_t c) { return (c < 0x20 && c != U'\n' && c != U'\t') || (c >= 0x7f && c < 0xa0); }

/// One Return for each kind of line end.
std::vector<char32_t> with_plain_newlines(const std::vector<char32_t>& text) {
    std::vector<char32_t> result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != U'\r') {
            result.push_back(text[i]);
        } else if (i + 1 == text.size() || text[i + 1] != U'\n') {
            result.push_back(U'\n');
        }
    }
    return result;
}

std::string encode_utf8(std::span<const char32_t> text) {
    std::string out;
    const auto tail = [&](char32_t c, unsigned shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3fU)); };
    for (const char32_t c : text) {
        if (c < 0x80) {
            out += static_cast<char>(c);
        } else if (c < 0x800) {
            out += static_cast<char>(0xc0U | (c >> 6U));
            tail(c, 0);
        } else if (c < 0x10000) {
            out += static_cast<char>(0xe0U | (c >> 12U));
            tail(c, 6);
            tail(c, 0);
        } else {
            out += static_cast<char>(0xf0U | (c >> 18U));
            tail(c, 12);
            tail(c, 6);
            tail(c, 0);
        }
    }
    return out;
}

/// Opens Caps Lock while it lives.
class OpenLocks {
public:
    explicit OpenLocks(Keymap& keymap) : keymap_(keymap) {}
    OpenLocks(const OpenLocks&) = delete;
    OpenLocks& operator=(const OpenLocks&) = delete;
    ~OpenLocks() { static_cast<void>(keymap_.close_locks()); } // a lost server has no locks

private:
    Keymap& keymap_;
};

} // namespace

TextTyper::TextTyper(const DisplayAddress& address, InputGate& gate, Keymap& keymap, ClientSync& clients, Clock& clock,
                     std::function<Result<void>()> wait_until_read)
    : address_(address), gate_(gate), keymap_(keymap), clients_(clients), clock_(clock),
      wait_until_read_(std::move(wait_until_read)) {}

Result<void> TextTyper::prepare_keyboard() {
    TRY(keymap_.refresh());
    const std::vector<KeyCode> stuck = TRY(keymap_.stuck_modifiers());
    for (const KeyCode code : stuck) { // a Control that somebody left down would turn text into commands
        TRY(gate_.force_up(code));
    }
    return keymap_.open_locks();
}

Result<void> TextTyper::type_with_keys(std::span<const char32_t> text, std::stop_token stop, Progress& progress) {
    std::size_t since_sync = 0;
    for (const char32_t character : text) {
        if (stop.stop_requested()) {
            progress.was_stopped = true;
            break;
        }
        const auto stroke = keymap_.find_character(character);
        CHECK(stroke.has_value());
        const Result<void> tapped = gate_.tap(keymap_.modifiers_of(*stroke), stroke->code);
        if (!tapped && stop.stop_requested()) {
            progress.was_stopped = true;
            break;
        }
        TRY(Result<void>(tapped));
        ++progress.sent;
        if (++since_sync == kSyncEvery) {
            since_sync = 0;
            TRY(gate_.sync());
        }
    }
    return gate_.sync();
}

Result<void> TextTyper::type_all(std::span<const char32_t> text, std::stop_token stop, Progress& progress) {
    while (progress.sent < text.size() && !progress.was_stopped) {
        const auto rest = text.subspan(progress.sent);
        const std::size_t count = TRY(keymap_.make_typeable(rest, wait_until_read_));
        if (count == 0) {
            return paste_rest(rest, stop, progress);
        }
        progress.used_bindings = progress.used_bindings || keymap_.has_bindings();
        TRY(type_with_keys(rest.first(count), stop, progress));
    }
    return {};
}

Result<void> TextTyper::tap_with(KeySym keysym, std::span<const KeySym> modifiers) {
    std::vector<KeyCode> held;
    for (const KeySym modifier : modifiers) {
        const auto stroke = keymap_.find(modifier);
        if (!stroke) {
            return Error{ErrorCode::Unsupported, "the keyboard map has no Control or Shift key"};
        }
        held.push_back(stroke->code);
    }
    const auto stroke = keymap_.find(keysym);
    if (!stroke) {
        return Error{ErrorCode::Unsupported, "the keyboard map has no key to paste with"};
    }
    TRY(gate_.tap(held, stroke->code));
    return gate_.sync();
}

Result<void> TextTyper::press_paste_chord() {
    // Terminals and text fields alike take Shift+Insert for paste; Control+v means something else in a terminal.
    constexpr std::array<KeySym, 1> shift = {XK_Shift_L};
    return tap_with(XK_Insert, shift);
}

Result<void> TextTyper::paste_rest(std::span<const char32_t> text, std::stop_token stop, Progress& progress) {
    if (clipboard_ == nullptr) {
        clipboard_ = TRY(Clipboard::open(address_, clock_));
    }
    TRY(wait_until_read_()); // what was typed so far comes first
    progress.used_paste = true;
    const bool was_fetched = TRY(clipboard_->paste(
        encode_utf8(text), [this] { return press_paste_chord(); }, clock_.now() + kPastePatience, stop));
    if (was_fetched) {
        progress.sent += text.size();
    } else {
        progress.failure = fmt::format("no key is free for {} and nobody fetched the pasted text",
                                       describe_character(text.front()));
    }
    return {};
}

Result<TextResult> TextTyper::type(std::string_view text_utf8, std::stop_token stop) {
    if (text_utf8.size() > kTextBytesMax) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("the text has {} bytes, the limit is {}", text_utf8.size(), kTextBytesMax)};
    }
    const auto decoded = decode_utf8(text_utf8);
    if (!decoded) {
        return Error{ErrorCode::InvalidArgument, decoded.error().message};
    }
    const std::vector<char32_t> text = with_plain_newlines(*decoded);
    if (const auto bad = std::find_if(text.begin(), text.end(), is_control); bad != text.end()) {
        return TextResult{Certainty::Refused, "none", 0,
                          fmt::format("{} at character {} is a control character: no key types it",
                                      describe_character(*bad), bad - text.begin())};
    }
    if (TRY(clients_.focused_window()) == 0) {
        return TextResult{Certainty::Refused, "none", 0, "no window has the keyboard focus"};
    }
    TRY(prepare_keyboard());
    const OpenLocks locks(keymap_);
    Progress progress;
    const Result<void> typed = type_all(text, stop, progress);
    if (!typed && typed.error().code != ErrorCode::DeadlineExceeded) {
        return typed.error();
    }
    if (!typed) {
        progress.failure = typed.error().message;
    }
    TextResult result;
    result.characters_sent = progress.sent;
    result.route = progress.used_paste ? "paste" : progress.used_bindings ? "keymap" : "keysyms";
    if (progress.sent < text.size()) {
        result.certainty = Certainty::Partial;
        result.reason = progress.was_stopped ? fmt::format("stopped after {} of {} characters", progress.sent, text.size())
                                             : progress.failure;
    }
    return result;
}

} // namespace handeye::x11
