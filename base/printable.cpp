// SPDX-License-Identifier: Apache-2.0
#include "base/printable.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

struct Character {
    std::uint32_t code = 0;
    std::size_t bytes = 1;
    bool is_valid = false;
};

Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (length == 0 || lead >= 0xF5 || text.size() < length) {
        return {lead, 1, false};
    }
    std::uint32_t code = lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return {lead, 1, false};
        }
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < kLeast.at(length) || is_surrogate || code > 0x10FFFF ? Character{lead, 1, false} : Character{code, length, true};
}

bool is_harmless(std::uint32_t code) {
    // C0 and C1 controls; what has no width; marks, embeddings and isolates of bidirectional text; line and paragraph separators. The
    // joiners U+200C and U+200D stay: several scripts and most pictures of people are written with them.
    constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 9> kHarmful{{{0x00, 0x1F}, {0x7F, 0x9F}, {0x061C, 0x061C}, {0x180E, 0x180E}, {0x200B, 0x200B},
                                                                               {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x2069}, {0xFEFF, 0xFEFF}}};
    return code == '\n' || code == '\t' ||
           std::none_of(kHarmful.begin(), kHarmful.end(), [&](const auto& range) { return code >= range.first && code <= range.second; });
}

} // namespace

std::string printable(std::string_view text_utf8) {
    std::string out;
    out.reserve(text_utf8.size());
    while (!text_utf8.empty()) {
        const Character character = first_character(text_utf8);
        if (character.is_valid && is_harmless(character.code)) {
            out += text_utf8.substr(0, character.bytes);
        } else {
            out += character.code > 0xFF ? fmt::format("\\u{:04x}", character.code) : fmt::format("\\x{:02x}", character.code);
        }
        text_utf8.remove_prefix(character.bytes);
    }
    return out;
}

std::string printable_line(std::string_view text_utf8) {
    std::string out;
    for (const char c : printable(text_utf8)) {
        out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
    }
    return out;
}

std::string bytes_text(std::int64_t bytes) {
    constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 999.95 && unit + 1 < kUnits.size(); ++unit) {
        value /= 1000;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

} // namespace handeye
