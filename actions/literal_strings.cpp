// SPDX-License-Identifier: Apache-2.0
// Strings of the tolerant reader: escapes, and where a string with broken quotes ends.
#include "actions/literal.h"

#include "base/utf8_append.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>

namespace handeye {
namespace {

constexpr std::size_t kNameBytesMax = 48;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
/// A letter or digit of any script: what stands on both sides of an apostrophe.
bool is_word_byte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}
bool is_quote(char c) {
    return c == '\'' || c == '"';
}

std::optional<std::uint32_t> hex_at(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) {
        return std::nullopt;
    }
    std::uint32_t value = 0;
    const char* const end = text.data() + at + digits;
    const auto [stop, error] = std::from_chars(text.data() + at, end, value, 16);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

/// Resolves "\uXXXX" at `at`, surrogate pairs together; returns the bytes consumed, 0 when it is none.
std::size_t append_unicode_escape(std::string& out, std::string_view text, std::size_t at) {
    const auto first = hex_at(text, at + 2, 4);
    if (!first) {
        return 0;
    }
    if (*first < 0xD800 || *first > 0xDFFF) {
        append_utf8(out, *first);
        return 6;
    }
    const auto second = text.substr(at + 6).starts_with("\\u") ? hex_at(text, at + 8, 4) : std::nullopt;
    if (*first > 0xDBFF || !second || *second < 0xDC00 || *second > 0xDFFF) {
        return 0; // half a pair: left as written
    }
    append_utf8(out, 0x10000 + ((*first - 0xD800) << 10U) + (*second - 0xDC00));
    return 12;
}

} // namespace

std::string unescaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char c = text[++i];
        switch (c) {
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case 'r': out += '\r'; break;
        case '\n': break; // a line continued
        case '\\': case '\'': case '"': case '/': out += c; break;
        case 'u':
            if (const std::size_t used = append_unicode_escape(out, text, i - 1); used > 0) {
                i += used - 2;
                break;
            }
            [[fallthrough]];
        default: out += '\\'; out += c; break;
        }
    }
    return out;
}

/// What may follow the quote that really ends a string, by what surrounds the string.
bool LiteralReader::can_close(std::size_t after, Place place) {
    const auto skip = [&] {
        while (after < limit_ && is_space(text_[after]) && work_.spend(1)) {
            ++after;
        }
    };
    skip();
    if (after >= limit_ || std::ranges::binary_search(stops_, after)) {
        return true;
    }
    const std::string_view rest = text_.substr(after);
    if (rest.starts_with("<|") || rest.starts_with("</") || rest.starts_with("```")) {
        return true;
    }
    const Glyph g = glyph_at(text_, after);
    switch (place) {
    case Place::DictKey: return g.character == ':' || g.character == '=';
    case Place::ListItem: return g.character == ',' || g.character == ']' || g.character == ')';
    case Place::DictValue:
        if (g.character == '}' || g.character == ']') {
            return true;
        }
        break;
    case Place::Argument:
        if (g.character == ')') {
            return true;
        }
        break;
    }
    if (g.character != ',') {
        return false;
    }
    // After a comma the next key or argument must begin, or the comma belongs to the text.
    after += g.bytes;
    skip();
    const Glyph next = glyph_at(text_, after);
    if (after >= limit_ || next.character == '}' || next.character == ')') {
        return true;
    }
    if (place == Place::DictValue && is_quote(next.character)) {
        return true;
    }
    if (place == Place::Argument && (next.character == '[' || (is_quote(next.character) &&
                                                               glyph_at(text_, after + next.bytes).character == '['))) {
        return true; // a second point without a name
    }
    std::size_t end = after;
    while (end < limit_ && end - after < kNameBytesMax && is_name_char(text_[end])) {
        ++end;
    }
    const std::size_t name_end = end;
    while (end < limit_ && text_[end] == ' ' && end - after < 2 * kNameBytesMax) {
        ++end;
    }
    work_.spend(end - after);
    const char assign = glyph_at(text_, end).character;
    return name_end > after && end < limit_ && (assign == '=' || (place == Place::DictValue && assign == ':'));
}

/// Where the string ends: the position of its closing quote, npos when there is none. Quotes inside that were not escaped are
/// told from the closing one by what follows them and, where that is not enough, by their number.
std::size_t LiteralReader::find_string_end(std::size_t from, char quote, bool is_curly, Place place) {
    std::size_t inner = 0;
    std::size_t last = std::string_view::npos;
    std::size_t end = limit_;
    bool is_broken = false;
    for (std::size_t p = from; p < end;) {
        if (!work_.spend(1)) {
            return std::string_view::npos;
        }
        if (text_[p] == '\\') {
            p += 2;
            continue;
        }
        const Glyph g = glyph_at(text_, p);
        if (g.character != quote || (!is_curly && g.bytes != 1)) {
            p += g.bytes;
            continue;
        }
        if (can_close(p + g.bytes, place)) {
            if (inner % 2 == 0) {
                return p;
            }
            last = p;
            ++inner;
        } else if (!(quote == '\'' && p > from && is_word_byte(text_[p - 1]) && p + g.bytes < limit_ &&
                     is_word_byte(text_[p + g.bytes]))) {
            ++inner; // not an apostrophe: half of a quoted word
        }
        if (!is_broken) {
            is_broken = was_repaired_ = true;
            end = stop_after(p);
        }
        p += g.bytes;
    }
    return last;
}

std::optional<Literal> LiteralReader::read_string(Place place) {
    const Glyph open = glyph();
    Literal value;
    value.kind = Literal::Kind::String;
    const std::string_view rest = text_.substr(at_, limit_ - at_);
    const std::string triple(3, open.character);
    if (open.bytes == 1 && rest.starts_with(triple)) {
        const std::size_t end = rest.find(triple, 3);
        if (end != std::string_view::npos && work_.spend(end)) {
            value.text = unescaped(rest.substr(3, end - 3));
            at_ += end + 3;
            return value;
        }
    }
    const std::size_t from = at_ + open.bytes;
    const std::size_t end = find_string_end(from, open.character, open.bytes > 1, place);
    if (end != std::string_view::npos) {
        value.text = unescaped(text_.substr(from, end - from));
        at_ = end + glyph_at(text_, end).bytes;
        return value;
    }
    if (work_.left == 0) {
        return std::nullopt;
    }
    // No quote closes it: it ends where the text does, less the bracket that was meant to close the call.
    const std::size_t stop = stop_after(from);
    std::string_view content = text_.substr(from, stop - from);
    while (!content.empty() && is_space(content.back())) {
        content.remove_suffix(1);
    }
    const auto count = [&](char c) { return std::ranges::count(content, c); };
    if (content.ends_with(')') && count(')') > count('(')) {
        content.remove_suffix(1);
    }
    value.text = unescaped(content);
    at_ = stop;
    hit_the_end_ = was_repaired_ = true;
    return value;
}

} // namespace handeye
