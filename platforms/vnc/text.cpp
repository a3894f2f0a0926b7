// SPDX-License-Identifier: Apache-2.0
// Servers on X give a character that their keyboard lacks to a key without symbols. There are some twenty of those, they are never
// taken back in time, and a character that finds none is dropped without a word: TigerVNC 1.12 and x11vnc 0.9.16 alike. So a text that
// is not plain ASCII is pasted where the clipboard takes any Unicode; elsewhere each new character is looked for on the screen once.
#include "platforms/vnc/text.h"

#include "platforms/vnc/keysyms.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include <fmt/format.h>
#include <xkbcommon/xkbcommon-keysyms.h>

namespace handeye::vnc {
namespace {

constexpr std::size_t kTextBytesMax = 1U << 20U;
constexpr std::size_t kPasteCharactersMax = 4096; // a segment
constexpr Duration kServerPatience = std::chrono::seconds(10);
constexpr Duration kQuiet = std::chrono::milliseconds(60), kQuietPatience = std::chrono::milliseconds(800);
constexpr Duration kKeyPatience = std::chrono::seconds(4), kPastePatience = std::chrono::seconds(5);
constexpr Duration kFullFor = std::chrono::minutes(2); // x11vnc takes its keys back after five minutes
constexpr int kCaretWidthMax = 2, kCaretHeightMin = 8;

bool is_control(char32_t c) { return (c < 0x20 && c != U'\n' && c != U'\t') || (c >= 0x7f && c < 0xa0); }
bool is_plain(char32_t c) { return c < 0x80; }
bool is_key(char32_t c) { return c == U'\n' || c == U'\t'; }

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

/// Up to the next Return or Tab, or one of those.
std::span<const char32_t> next_part(std::span<const char32_t> rest) {
    const auto end = std::find_if(rest.begin(), rest.end(), is_key);
    const auto count = static_cast<std::size_t>(end - rest.begin());
    return rest.first(std::min(std::max<std::size_t>(count, 1), kPasteCharactersMax));
}

std::string nothing_seen(char32_t character, std::size_t at) {
    return fmt::format("the screen showed nothing of {} at character {}: the server has no key for it and its clipboard does not take it either", describe_character(character), at);
}

} // namespace

bool shows_more_than_caret(const Image& before, const Image& after) {
    if (!(before.size() == after.size())) {
        return true;
    }
    int left = INT_MAX, right = -1, top = INT_MAX, bottom = -1;
    for (int y = 0; y < before.size().height_px; ++y) {
        const auto a = before.row(y), b = after.row(y);
        if (std::memcmp(a.data(), b.data(), a.size()) == 0) {
            continue;
        }
        const auto first = std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin();
        const auto last = std::mismatch(a.rbegin(), a.rend(), b.rbegin()).first - a.rbegin();
        left = std::min(left, static_cast<int>(first / 4));
        right = std::max(right, static_cast<int>((static_cast<std::ptrdiff_t>(a.size()) - 1 - last) / 4));
        top = std::min(top, y);
        bottom = y;
    }
    const int width = right - left + 1, height = bottom - top + 1;
    return right >= 0 && (width > kCaretWidthMax || height < kCaretHeightMin);
}

bool TextTyper::is_full() const { return full_at_ && clock_.now() - *full_at_ < kFullFor; }

Result<Image> TextTyper::look(Link& link, const std::stop_token& stop) { return link.snapshot(clock_.now() + kServerPatience, stop); }

Result<void> TextTyper::wait_quiet(Link& link, const std::stop_token& stop) {
    TRY(gate_.sync());
    const TimePoint deadline = clock_.now() + kQuietPatience;
    while (clock_.now() < deadline && TRY(link.wait_change(link.state().changes, std::min(deadline, clock_.now() + kQuiet), stop))) {
    }
    return {};
}

Result<TextTyper::Sight> TextTyper::wait_for_change(Link& link, const Image& before, Duration patience, const std::stop_token& stop) {
    const TimePoint deadline = clock_.now() + patience;
    for (;;) {
        const std::uint64_t seen = link.state().changes;
        if (shows_more_than_caret(before, TRY(look(link, stop)))) {
            return Sight::Seen;
        }
        if (clock_.now() >= deadline || !TRY(link.wait_change(seen, deadline, stop))) {
            return Sight::Nothing;
        }
    }
}

/// A character that this server was not seen to carry yet. False: it was not seen.
Result<bool> TextTyper::type_new(Link& link, char32_t character, const std::stop_token& stop, Progress& progress) {
    if (is_full()) {
        return false;
    }
    TRY(wait_quiet(link, stop));
    const Image before = TRY(look(link, stop));
    progress.was_seen = progress.was_seen || (start_ && progress.sent > 0 && shows_more_than_caret(*start_, before));
    progress.is_hidden = progress.sent > 0 && !progress.was_seen;
    TRY(gate_.tap(keysym_of_character(character)));
    if (progress.is_hidden || is_invisible(character)) {
        return true; // nothing to be seen
    }
    if (TRY(wait_for_change(link, before, kKeyPatience, stop)) == Sight::Seen) {
        progress.was_seen = true;
        carried_.insert(character);
        return true;
    }
    full_at_ = clock_.now();
    return false;
}

Result<void> TextTyper::type_keys(Link& link, std::span<const char32_t> part, const std::stop_token& stop, Progress& progress) {
    for (const char32_t character : part) {
        if (stop.stop_requested()) {
            break;
        }
        const bool is_known = is_plain(character) || carried_.contains(character) || progress.is_hidden;
        if (is_known) {
            TRY(gate_.tap(keysym_of_character(character)));
        } else if (!TRY(type_new(link, character, stop, progress))) {
            progress.failure = nothing_seen(character, progress.sent);
            break;
        }
        ++progress.sent;
    }
    return {};
}

/// Both selections of X hold it then, so that Shift+Insert means it in terminals and in text fields. False: nobody fetched it. What is
/// typed next comes after it: the server hands it over before it reads our next key.
Result<bool> TextTyper::paste(Link& link, std::span<const char32_t> part, const std::stop_token& stop, Progress& progress) {
    TRY(link.send_clipboard(encode_utf8(part)));
    progress.was_pasted = true;
    const std::uint64_t fetches = link.state().fetches;
    TRY(gate_.press_key("Shift_L", XKB_KEY_Shift_L));
    const Result<void> tapped = gate_.tap(XKB_KEY_Insert);
    TRY(gate_.release_key("Shift_L", XKB_KEY_Shift_L));
    TRY(Result<void>(tapped));
    if (!TRY(link.wait_fetch(fetches, clock_.now() + kPastePatience, stop))) {
        return false;
    }
    progress.sent += part.size();
    return true;
}

Result<void> TextTyper::type_all(Link& link, std::span<const char32_t> text, const std::stop_token& stop, Progress& progress) {
    const bool takes_unicode = link.state().takes_unicode;
    while (progress.sent < text.size() && progress.failure.empty() && !stop.stop_requested()) {
        const auto part = next_part(text.subspan(progress.sent));
        if (std::all_of(part.begin(), part.end(), is_plain) || !takes_unicode) {
            TRY(type_keys(link, part, stop, progress));
        } else if (!TRY(paste(link, part, stop, progress)) && !stop.stop_requested()) {
            progress.failure = fmt::format("no key can be counted on for {} at character {}, and nobody fetched the text that was pasted",
                                           describe_character(*std::find_if_not(part.begin(), part.end(), is_plain)), progress.sent);
        }
    }
    return gate_.sync();
}

Result<TextResult> TextTyper::type(Link& link, std::string_view text_utf8, const std::stop_token& stop) {
    if (text_utf8.size() > kTextBytesMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("the text has {} bytes, the limit is {}", text_utf8.size(), kTextBytesMax)};
    }
    const std::vector<char32_t> text = with_plain_newlines(TRY(decode_utf8(text_utf8)));
    if (const auto bad = std::find_if(text.begin(), text.end(), is_control); bad != text.end()) {
        return TextResult{Certainty::Refused, "none", 0,
                          fmt::format("{} at character {} is a control character: no key types it", describe_character(*bad), bad - text.begin())};
    }
    Progress progress;
    start_.reset();
    if (!std::all_of(text.begin(), text.end(), is_plain) && !link.state().takes_unicode && !stop.stop_requested()) {
        start_ = TRY(look(link, stop));
    }
    const Result<void> typed = type_all(link, text, stop, progress);
    if (progress.was_pasted) {
        static_cast<void>(link.send_clipboard("")); // it may have been a secret
    }
    const bool was_stopped = stop.stop_requested() && progress.sent < text.size();
    if (!typed && !was_stopped) {
        return typed.error();
    }
    TextResult result;
    result.characters_sent = progress.sent;
    result.route = progress.was_pasted ? "paste" : "keysyms";
    if (progress.sent < text.size()) {
        result.certainty = Certainty::Partial;
        result.reason = was_stopped ? fmt::format("stopped after {} of {} characters", progress.sent, text.size()) : progress.failure;
    }
    return result;
}

} // namespace handeye::vnc
