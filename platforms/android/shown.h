// SPDX-License-Identifier: Apache-2.0
// What a phone or a server said, as a part of a message.
#pragma once

#include "base/printable.h"

#include <string>
#include <string_view>

namespace handeye::android {

inline constexpr std::size_t kShownBytesMax = 300;

/// The beginning of it, safe to show.
inline std::string shown(std::string_view text) { return printable_line(text.substr(0, kShownBytesMax)); }

/// Without blanks at both ends.
inline std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kBlanks);
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

} // namespace handeye::android
