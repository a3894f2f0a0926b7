// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/text.h"

#include "platforms/android/keycodes.h"
#include "platforms/android/shown.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr Duration kArrivalTimeout = std::chrono::seconds(2); // an app may be slow to show what it was given
constexpr Duration kArrivalPoll = std::chrono::milliseconds(50);
constexpr int kCommitTries = 3;
constexpr std::size_t kNamedMax = 8;

/// The length of the character that begins there; 0: that is not UTF-8.
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const std::size_t length = byte(0) < 0x80U ? 1 : byte(0) >= 0xC2U && byte(0) < 0xE0U ? 2 : byte(0) >= 0xE0U && byte(0) < 0xF0U ? 3
                               : byte(0) >= 0xF0U && byte(0) < 0xF5U ? 4 : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return 0;
        }
    }
    const bool is_overlong = (byte(0) == 0xE0U && byte(1) < 0xA0U) || (byte(0) == 0xF0U && byte(1) < 0x90U);
    const bool is_outside = (byte(0) == 0xEDU && byte(1) >= 0xA0U) || (byte(0) == 0xF4U && byte(1) >= 0x90U);
    return is_overlong || is_outside ? 0 : length;
}

/// Each character with how often it is there.
std::map<std::string, int> counted(std::string_view text) {
    std::map<std::string, int> counts;
    while (!text.empty()) {
        const std::size_t length = std::max<std::size_t>(1, character_bytes(text));
        ++counts[std::string(text.substr(0, length))];
        text.remove_prefix(length);
    }
    return counts;
}

/// The characters of `typed` that `after` has no more of than `before`, in words.
std::string missing_characters(std::string_view before, std::string_view after, std::string_view typed) {
    const auto had = counted(before), has = counted(after);
    const auto number = [](const std::map<std::string, int>& counts, const std::string& c) {
        const auto found = counts.find(c);
        return found == counts.end() ? 0 : found->second;
    };
    std::string names;
    std::size_t named = 0;
    for (const auto& [character, count] : counted(typed)) {
        if (number(has, character) - number(had, character) < count && named++ < kNamedMax) {
            names += fmt::format("{}\"{}\"", names.empty() ? "" : " ", printable(character));
        }
    }
    return named > kNamedMax ? names + " ..." : names;
}

/// The first `characters` of `rest`, which loses them.
std::string_view take(std::string_view& rest, std::size_t characters) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < characters && end < rest.size(); ++i) {
        end += std::max<std::size_t>(1, character_bytes(rest.substr(end)));
    }
    const std::string_view piece = rest.substr(0, end);
    rest.remove_prefix(piece.size());
    return piece;
}

/// For a field that shows `before`, unless that is only its hint.
bool is_inserted(std::string_view before, std::string_view after, std::string_view typed) {
    if (after.size() != before.size() + typed.size()) {
        return false;
    }
    for (std::size_t at = after.find(typed); at != std::string_view::npos; at = after.find(typed, at + 1)) {
        if (before.substr(0, at) == after.substr(0, at) && before.substr(at) == after.substr(at + typed.size())) {
            return true;
        }
    }
    return false;
}

void merge(TextResult& into, const TextResult& part) {
    into.characters_sent += part.characters_sent;
    if (into.route.empty() || part.route == "ime") {
        into.route = part.route;
    }
    const bool is_first = into.certainty == Certainty::Confirmed;
    into.certainty = part.certainty == Certainty::Confirmed ? into.certainty : is_first || part.certainty != Certainty::Unverifiable ? part.certainty : into.certainty;
    into.reason = part.reason.empty() ? into.reason : part.reason;
}

} // namespace

std::size_t count_characters(std::string_view text_utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(text_utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

Result<std::vector<TextPart>> split_text(std::string_view text_utf8) {
    std::vector<TextPart> parts;
    const auto key = [&](TextPart::Kind kind) { parts.push_back({kind, {}}); };
    bool is_open = false; // the last part takes more
    while (!text_utf8.empty()) {
        const std::size_t length = character_bytes(text_utf8);
        if (length == 0) {
            return Error{ErrorCode::InvalidArgument, fmt::format("the text is not UTF-8 at \"{}\"", shown(text_utf8.substr(0, 4)))};
        }
        const std::string_view character = text_utf8.substr(0, length);
        text_utf8.remove_prefix(length);
        if (character == "\n" || character == "\t") {
            key(character == "\n" ? TextPart::Kind::Enter : TextPart::Kind::Tab);
            is_open = false;
            continue;
        }
        if (const auto c = static_cast<unsigned char>(character[0]); c < 0x20U || c == 0x7FU) {
            return Error{ErrorCode::InvalidArgument, fmt::format("the control character U+{:04X} cannot be typed", unsigned{c})};
        }
        if (!is_open) {
            parts.push_back({});
            is_open = true;
        }
        parts.back().text_utf8 += character;
        parts.back().kind = length > 1 ? TextPart::Kind::Unicode : parts.back().kind;
    }
    return parts;
}

std::vector<std::string> input_text_commands(std::string_view ascii) {
    std::vector<std::string> commands;
    std::string piece;
    const auto flush = [&] {
        if (!piece.empty()) {
            commands.push_back("input text " + shell_quoted(piece));
            piece.clear();
        }
    };
    std::size_t count = 0;
    for (const char c : ascii) {
        if ((c == 's' && piece.ends_with('%')) || count == kTextPieceCharacters) {
            flush(); // `input` reads %s as a blank and knows no way to write it
            count = 0;
        }
        piece += c == ' ' ? std::string("%s") : std::string(1, c);
        ++count;
    }
    flush();
    return commands;
}

Arrival judge_arrival(std::string_view before, std::string_view after, std::string_view typed) {
    if (is_inserted(before, after, typed) || (after == typed && before != typed)) {
        return Arrival::Arrived;
    }
    const bool had_it = before.find(typed) != std::string_view::npos;
    if (before == after) {
        return had_it ? Arrival::CannotTell : Arrival::Unchanged; // it may have replaced a selection of the same words
    }
    if (after.find(typed) != std::string_view::npos) {
        return had_it ? Arrival::CannotTell : Arrival::Arrived; // over a selection
    }
    return Arrival::Differs;
}

Result<std::optional<Element>> TextTyper::field(Size frame, const std::stop_token& stop) {
    return read_focused_text(link_, frame, {.stop = stop});
}

/// To its end once it has begun: what was typed is then known.
Result<void> TextTyper::run(std::string_view command, const std::stop_token& stop) {
    const std::lock_guard lock(sending_);
    if (stop.stop_requested() || is_closed_) {
        return Error{ErrorCode::Cancelled, "stopped"};
    }
    TRY(link_.run_well(command));
    return {};
}

Result<void> TextTyper::send(const TextPart& part, const std::stop_token& stop) {
    if (part.kind == TextPart::Kind::Ascii) {
        for (const std::string& command : input_text_commands(part.text_utf8)) {
            TRY(run(command, stop));
        }
        return {};
    }
    std::string_view rest = part.text_utf8;
    while (!rest.empty()) {
        TRY(run(ImeKeeper::commit_command(take(rest, kCommitCharacters)), stop));
    }
    return {};
}

/// Looks until the text is there or time is up; what never reached the field at all is sent again.
Result<TextResult> TextTyper::verify(const TextPart& part, const std::string& before, Size frame, const std::stop_token& stop) {
    const std::size_t count = count_characters(part.text_utf8);
    TextResult result{Certainty::Unverifiable, part.kind == TextPart::Kind::Ascii ? "input text" : "ime", count, {}};
    std::string after;
    for (int tries = 1;; ++tries) {
        const TimePoint deadline = clock_.now() + kArrivalTimeout;
        Arrival arrival = Arrival::Unchanged;
        do {
            const std::optional<Element> now = TRY(field(frame, stop));
            if (!now || now->is_secret) {
                return result;
            }
            after = now->value_utf8;
            arrival = judge_arrival(before, after, part.text_utf8);
        } while ((arrival == Arrival::Unchanged || arrival == Arrival::Differs) && clock_.now() < deadline &&
                 clock_.sleep_for(kArrivalPoll, stop) == WaitResult::Reached);
        if (arrival == Arrival::Arrived || arrival == Arrival::CannotTell) {
            result.certainty = arrival == Arrival::Arrived ? Certainty::Confirmed : Certainty::Unverifiable;
            return result;
        }
        // Text by keys may still be on its way; a broadcast is taken at once or lost for good.
        const bool may_retry = arrival == Arrival::Unchanged && part.kind == TextPart::Kind::Unicode && tries < kCommitTries;
        if (!may_retry || stop.stop_requested()) {
            break;
        }
        TRY(send(part, stop));
    }
    result.certainty = Certainty::Partial;
    result.characters_sent = before == after ? 0 : count;
    const std::string missing = missing_characters(before, after, part.text_utf8);
    result.reason = missing.empty() ? "the field shows the characters in another order" : fmt::format("these characters did not arrive in the field: {}", missing);
    return result;
}

Result<TextResult> TextTyper::type_part(const TextPart& part, Size frame, const std::stop_token& stop) {
    if (part.kind == TextPart::Kind::Enter || part.kind == TextPart::Kind::Tab) {
        TRY(run(fmt::format("input keyevent {}", part.kind == TextPart::Kind::Enter ? kKeycodeEnter : kKeycodeTab), stop));
        return TextResult{Certainty::Confirmed, "input text", 1, {}}; // as far as text goes: keys show no characters
    }
    const std::optional<Element> before = TRY(field(frame, stop));
    TRY(send(part, stop));
    if (!before || before->is_secret) {
        return TextResult{Certainty::Unverifiable, part.kind == TextPart::Kind::Ascii ? "input text" : "ime", count_characters(part.text_utf8), {}};
    }
    return verify(part, before->value_utf8, frame, stop);
}

Result<TextResult> TextTyper::type(std::string_view text_utf8, Size frame, const std::stop_token& stop) {
    const std::vector<TextPart> parts = TRY(split_text(text_utf8));
    const bool needs_ime = std::ranges::any_of(parts, [](const TextPart& part) { return part.kind == TextPart::Kind::Unicode; });
    if (needs_ime) {
        const Result<void> switched = ime_.use(stop);
        if (!switched && switched.error().code == ErrorCode::Unsupported) { // before anything is typed: half a text helps nobody
            std::string beyond_ascii;
            std::ranges::copy_if(text_utf8, std::back_inserter(beyond_ascii), [](char c) { return static_cast<unsigned char>(c) >= 0x80U; });
            return TextResult{Certainty::Refused, "", 0, fmt::format("{} cannot be typed: {}", missing_characters("", "", beyond_ascii), switched.error().message)};
        }
        TRY(Result<void>(switched));
    }
    TextResult all{Certainty::Confirmed, "", 0, {}};
    for (const TextPart& part : parts) {
        if (stop.stop_requested()) {
            return TextResult{Certainty::Partial, all.route, all.characters_sent, "stopped"};
        }
        const Result<TextResult> typed = type_part(part, frame, stop);
        if (!typed && typed.error().code == ErrorCode::Cancelled) {
            return TextResult{Certainty::Partial, all.route, all.characters_sent, "stopped"};
        }
        if (!typed) {
            return typed.error();
        }
        merge(all, *typed);
        if (all.certainty == Certainty::Partial) {
            break;
        }
    }
    if (all.route.empty()) { // an empty text
        all.certainty = Certainty::Unverifiable;
    }
    return all;
}

} // namespace handeye::android
