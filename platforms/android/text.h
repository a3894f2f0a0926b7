// SPDX-License-Identifier: Apache-2.0
// Typing: ASCII by `input text`, everything else through ADBKeyboard, both read back from the field that has the focus.
#pragma once

#include "platforms/android/ime.h"
#include "platforms/android/ui_tree.h"
#include "platforms/platform.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::android {

inline constexpr std::size_t kTextPieceCharacters = 100; ///< of one `input text`: longer ones arrive out of order on some phones
inline constexpr std::size_t kCommitCharacters = 1000;   ///< of one broadcast: a command line has 128 KiB on Android

/// A run of text that one route takes, or a key between two such.
struct TextPart {
    enum class Kind { Ascii, Unicode, Enter, Tab };
    Kind kind = Kind::Ascii;
    std::string text_utf8;
    bool operator==(const TextPart&) const = default;
};
/// Lines and tabs apart; a line with anything but printable ASCII is Unicode as a whole. InvalidArgument for bytes that are not UTF-8
/// and for control characters, which no key writes; it names them.
Result<std::vector<TextPart>> split_text(std::string_view text_utf8);

/// The command lines that type printable ASCII: blanks as %s, and a "%s" that is meant as such cut between its two characters.
std::vector<std::string> input_text_commands(std::string_view ascii);

enum class Arrival { Arrived, Unchanged, Differs, CannotTell };
/// Whether `after` is what a field that held `before` holds when `typed` was put in somewhere, perhaps over a selection or a hint.
Arrival judge_arrival(std::string_view before, std::string_view after, std::string_view typed);

/// Code points of UTF-8 that is known to be well formed.
std::size_t count_characters(std::string_view text_utf8);

class TextTyper {
public:
    /// `sending` is held while a command that types is under way: who has locked it after asking for the stop, or after setting
    /// `is_closed`, knows that none follows.
    TextTyper(DeviceLink& link, ImeKeeper& ime, Clock& clock, std::mutex& sending, const std::atomic<bool>& is_closed)
        : link_(link), ime_(ime), clock_(clock), sending_(sending), is_closed_(is_closed) {}

    /// `frame`: of the screen, for the dump.
    Result<TextResult> type(std::string_view text_utf8, Size frame, const std::stop_token& stop);

private:
    Result<std::optional<Element>> field(Size frame, const std::stop_token& stop);
    Result<TextResult> type_part(const TextPart& part, Size frame, const std::stop_token& stop);
    Result<void> send(const TextPart& part, const std::stop_token& stop);
    Result<void> run(std::string_view command, const std::stop_token& stop);
    Result<TextResult> verify(const TextPart& part, const std::string& before, Size frame, const std::stop_token& stop);

    DeviceLink& link_;
    ImeKeeper& ime_;
    Clock& clock_;
    std::mutex& sending_;
    const std::atomic<bool>& is_closed_;
};

} // namespace handeye::android
