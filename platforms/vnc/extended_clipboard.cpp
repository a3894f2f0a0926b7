// SPDX-License-Identifier: Apache-2.0
// The Extended Clipboard of the RFB protocol's community version.
#include "platforms/vnc/messages.h"

#include <zlib.h>

namespace handeye::vnc {
namespace {

constexpr std::uint32_t kText = 1U << 0U, kCaps = 1U << 24U, kRequest = 1U << 25U, kNotify = 1U << 27U, kProvide = 1U << 28U;
constexpr std::size_t kTextBytesMax = 1U << 20U;
constexpr char kSetEncodings = 2, kCutText = 6;

std::string big_endian(std::uint32_t value) {
    return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U), static_cast<char>(value)};
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

std::string extended(std::uint32_t flags, const std::string& rest) {
    const auto size = static_cast<std::uint32_t>(4 + rest.size());
    return std::string{kCutText, 0, 0, 0} + big_endian(~size + 1) + big_endian(flags) + rest;
}

/// A size, that many bytes with a zero at their end, and lines that end in CR LF.
std::string unpack(std::string_view packed) {
    std::string plain(kTextBytesMax + 5, '\0');
    uLongf size = plain.size();
    const int how = uncompress(reinterpret_cast<Bytef*>(plain.data()), &size, reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
    const bool is_usable = how == Z_OK || how == Z_DATA_ERROR || how == Z_BUF_ERROR; // servers flush, they do not finish
    if (!is_usable || size < 5 || number_at(plain, 0) == 0 || number_at(plain, 0) > size - 4) {
        return {};
    }
    std::string text;
    for (const char c : std::string_view(plain).substr(4, number_at(plain, 0) - 1)) {
        if (c != '\r') {
            text += c;
        }
    }
    return text;
}

} // namespace

std::string set_one_encoding(std::int32_t encoding) { return std::string{kSetEncodings, 0, 0, 1} + big_endian(static_cast<std::uint32_t>(encoding)); }

ExtendedText read_extended(std::string_view extended) {
    ExtendedText read;
    if (extended.size() < 4) {
        return read;
    }
    const std::uint32_t flags = number_at(extended, 0);
    read.is_caps = (flags & kCaps) != 0;
    read.takes_notices = read.is_caps && (flags & kNotify) != 0;
    read.is_request = !read.is_caps && (flags & kRequest) != 0;
    read.is_notify = !read.is_caps && (flags & kNotify) != 0;
    read.is_provide = !read.is_caps && (flags & kProvide) != 0;
    read.has_text = (flags & kText) != 0;
    if (read.is_provide && read.has_text) {
        read.text_utf8 = unpack(extended.substr(4));
    }
    return read;
}

std::string extended_caps() { return extended(kCaps | kRequest | kNotify | kProvide | kText, big_endian(kTextBytesMax)); }

std::string extended_notify(bool has_text) { return extended(kNotify | (has_text ? kText : 0U), {}); }

std::string extended_request() { return extended(kRequest | kText, {}); }

std::string extended_provide(std::string_view text_utf8) {
    std::string text;
    for (const char c : text_utf8) {
        text += c == '\n' ? std::string("\r\n") : std::string(1, c);
    }
    text += '\0';
    const std::string plain = big_endian(static_cast<std::uint32_t>(text.size())) + text;
    uLongf size = compressBound(static_cast<uLong>(plain.size()));
    std::string packed(size, '\0');
    compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(plain.data()), static_cast<uLong>(plain.size()), Z_BEST_SPEED);
    packed.resize(size);
    return extended(kProvide | kText, packed);
}

} // namespace handeye::vnc
