// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/utf8.h"

#include "engine/tokenizer/tokenizer.h"

#include <cstdint>

namespace handeye {
namespace {

struct Lead {
    std::size_t length = 0; ///< 0: cannot begin a character
    std::uint8_t second_min = 0x80;
    std::uint8_t second_max = 0xBF;
};

// Table 3-7 of the Unicode standard: overlong forms, surrogates and values above U+10FFFF are shut out by the second byte.
Lead lead_of(std::uint8_t byte) {
    if (byte < 0x80) {
        return {1};
    }
    if (byte < 0xC2 || byte > 0xF4) {
        return {0};
    }
    if (byte < 0xE0) {
        return {2};
    }
    if (byte < 0xF0) {
        return {3, static_cast<std::uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),
                static_cast<std::uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
    }
    return {4, static_cast<std::uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
            static_cast<std::uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
}

} // namespace

Utf8Step utf8_step(std::string_view text) {
    const Lead lead = lead_of(static_cast<std::uint8_t>(text[0]));
    if (lead.length == 0) {
        return {1, Utf8Kind::Invalid};
    }
    for (std::size_t i = 1; i < lead.length; ++i) {
        if (i == text.size()) {
            return {i, Utf8Kind::Incomplete};
        }
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if (byte < (i == 1 ? lead.second_min : 0x80) || byte > (i == 1 ? lead.second_max : 0xBF)) {
            return {i, Utf8Kind::Invalid};
        }
    }
    return {lead.length, Utf8Kind::Valid};
}

std::size_t utf8_valid_length(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (static_cast<std::uint8_t>(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const Utf8Step step = utf8_step(text.substr(at));
        if (step.kind != Utf8Kind::Valid) {
            break;
        }
        at += step.length;
    }
    return at;
}

std::string utf8_repaired(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t valid = utf8_valid_length(text);
        out += text.substr(0, valid);
        text.remove_prefix(valid);
        if (!text.empty()) {
            out += kReplacementUtf8;
            text.remove_prefix(utf8_step(text).length);
        }
    }
    return out;
}

std::string Utf8Stream::push(std::string_view bytes) {
    held_ += bytes;
    std::size_t complete = 0;
    while (complete < held_.size()) {
        const std::string_view rest = std::string_view(held_).substr(complete);
        const std::size_t valid = utf8_valid_length(rest);
        complete += valid;
        if (valid == rest.size()) {
            break;
        }
        const Utf8Step step = utf8_step(rest.substr(valid));
        if (step.kind == Utf8Kind::Incomplete) {
            break;
        }
        complete += step.length;
    }
    std::string out = utf8_repaired(std::string_view(held_).substr(0, complete));
    held_.erase(0, complete);
    return out;
}

std::string Utf8Stream::flush() {
    std::string out = utf8_repaired(held_);
    held_.clear();
    return out;
}

} // namespace handeye
