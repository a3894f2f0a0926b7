// SPDX-License-Identifier: Apache-2.0
#include "agent/plain_text.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <glib.h>

namespace handeye {
namespace {

using Chars = std::unique_ptr<char, decltype(&g_free)>;

/// Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, what only marks a direction or a language, the empty Braille cell
/// and the object replacement character.
bool is_unseen(gunichar c) {
    constexpr std::array<std::pair<gunichar, gunichar>, 18> kRanges{{{0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
                                                                     {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F}, {0x2800, 0x2800}, {0x3164, 0x3164}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF},
                                                                     {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFC}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF}}};
    return std::any_of(kRanges.begin(), kRanges.end(), [c](const auto& range) { return c >= range.first && c <= range.second; });
}

bool is_utf8(std::string_view text) { return g_utf8_validate(text.data(), static_cast<gssize>(text.size()), nullptr) != FALSE; }

std::string normalised(std::string_view text) {
    const Chars out(g_utf8_normalize(text.data(), static_cast<gssize>(text.size()), G_NORMALIZE_ALL_COMPOSE), g_free);
    return out == nullptr ? std::string(text) : std::string(out.get());
}

/// Each character that is seen, as `shown` has it.
template <class Shown>
std::string each_seen(std::string_view text, const Shown& shown) {
    std::string out;
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at < end; at = g_utf8_next_char(at)) {
        if (!is_unseen(g_utf8_get_char(at))) {
            out += shown(std::string_view(at, static_cast<std::size_t>(g_utf8_next_char(at) - at)));
        }
    }
    return out;
}

} // namespace

std::string plain_text(std::string_view text) {
    // A window's title is what its program says: bytes that are no text must not keep the rest from being read.
    std::string whole(text);
    std::erase(whole, '\0');
    const Chars valid(g_utf8_make_valid(whole.data(), static_cast<gssize>(whole.size())), g_free);
    return normalised(each_seen(valid.get(), [](std::string_view c) { return c; }));
}

std::string plain_pattern(std::string_view pattern) {
    if (!is_utf8(pattern)) {
        return std::string(pattern);
    }
    return normalised(each_seen(pattern, [](std::string_view c) {
        std::string out;
        for (const char sign : c.size() == 1 ? std::string() : normalised(c)) {
            out += std::string_view("\\^$.[]|()?*+{}-#").find(sign) == std::string_view::npos ? std::string(1, sign) : std::string{'\\', sign};
        }
        return c.size() == 1 ? std::string(c) : out;
    }));
}

} // namespace handeye
