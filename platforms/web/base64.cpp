// SPDX-License-Identifier: Apache-2.0
#include "platforms/web/base64.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::web {

namespace {

constexpr std::string_view kSigns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNone = 0xFF;

constexpr std::array<std::uint8_t, 256> make_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNone);
    for (std::size_t i = 0; i < kSigns.size(); ++i) {
        values[static_cast<unsigned char>(kSigns[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

} // namespace

Result<std::vector<std::uint8_t>> from_base64(std::string_view text) {
    const auto broken = [](std::size_t at) { return Error{ErrorCode::ParseFailed, fmt::format("no base64 at byte {}", at)}; };
    if (text.size() % 4 != 0) {
        return broken(text.size());
    }
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    std::vector<std::uint8_t> out(text.size() / 4 * 3);
    std::size_t to = 0;
    for (std::size_t i = 0; i < text.size(); i += 4) {
        const std::size_t given = i + 4 == text.size() ? 4 - padding : 4;
        std::uint32_t bits = 0;
        std::uint8_t wrong = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const std::uint8_t value = k < given ? kValues[static_cast<unsigned char>(text[i + k])] : std::uint8_t{0};
            wrong |= value & 0xC0U;
            bits = bits << 6U | (value & 0x3FU);
        }
        if (wrong != 0) {
            return broken(i);
        }
        out[to++] = static_cast<std::uint8_t>(bits >> 16U);
        out[to++] = static_cast<std::uint8_t>(bits >> 8U);
        out[to++] = static_cast<std::uint8_t>(bits);
    }
    out.erase(out.end() - static_cast<std::ptrdiff_t>(padding), out.end());
    return out;
}

std::string to_base64(std::span<const std::uint8_t> bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8U | (k < given ? bytes[i + k] : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= given ? kSigns[bits >> (18U - 6U * k) & 0x3FU] : '=';
        }
    }
    return out;
}

} // namespace handeye::web
