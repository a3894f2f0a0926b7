// SPDX-License-Identifier: Apache-2.0
// The tolerant reader of values. Every loop pays into Work, depth and value counts are bounded: hostile text ends early.
#include "actions/literal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace handeye {
namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kValuesMax = 4096;
constexpr std::size_t kNameBytesMax = 48;
constexpr std::size_t kWorkOfAValue = 32; // memory and moves, in characters looked at

struct WideForm {
    std::string_view bytes;
    char ascii;
};
// Full-width punctuation, then curly quotes.
constexpr std::array kWideForms{
    WideForm{"\xEF\xBC\x88", '('},  WideForm{"\xEF\xBC\x89", ')'}, WideForm{"\xEF\xBC\x8C", ','},
    WideForm{"\xEF\xBC\x9A", ':'},  WideForm{"\xEF\xBC\x9B", ';'}, WideForm{"\xEF\xBC\x9D", '='},
    WideForm{"\xEF\xBC\xBB", '['},  WideForm{"\xEF\xBC\xBD", ']'}, WideForm{"\xEF\xBD\x9B", '{'},
    WideForm{"\xEF\xBD\x9D", '}'},  WideForm{"\xE2\x80\x9C", '"'}, WideForm{"\xE2\x80\x9D", '"'},
    WideForm{"\xE2\x80\x98", '\''}, WideForm{"\xE2\x80\x99", '\''},
};

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

void append_utf8(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0U | (code >> 6U));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0U | (code >> 12U));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    } else {
        out += static_cast<char>(0xF0U | (code >> 18U));
        out += static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
        out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (code & 0x3FU));
    }
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

Literal word_value(std::string_view written) {
    Literal value;
    value.text = std::string(written);
    std::string lower(written);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (lower == "true" || lower == "false") {
        value.kind = Literal::Kind::Bool;
        value.boolean = lower == "true";
        return value;
    }
    if (lower == "none" || lower == "null") {
        value.kind = Literal::Kind::Null;
        return value;
    }
    const std::string_view digits = written.starts_with('+') ? written.substr(1) : written;
    const char* const end = digits.data() + digits.size();
    double number = 0;
    const auto [stop, error] = std::from_chars(digits.data(), end, number); // takes leading zeros, unlike JSON
    const bool begins_like_one = !digits.empty() && (std::isdigit(static_cast<unsigned char>(digits[0])) != 0 ||
                                                     digits[0] == '-' || digits[0] == '.');
    if (begins_like_one && error == std::errc{} && stop == end && std::isfinite(number)) {
        value.kind = Literal::Kind::Number;
        value.number = number;
        return value;
    }
    value.kind = Literal::Kind::Word;
    return value;
}

} // namespace

Glyph glyph_at(std::string_view text, std::size_t at) {
    if (at >= text.size()) {
        return {};
    }
    const char c = text[at];
    if (static_cast<unsigned char>(c) < 0x80) {
        return {c, 1};
    }
    if (c == '\xEF' || c == '\xE2') {
        for (const WideForm& form : kWideForms) {
            if (text.substr(at).starts_with(form.bytes)) {
                return {form.ascii, form.bytes.size()};
            }
        }
    }
    return {'\x7F', 1}; // a byte of some letter: nothing structural
}

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

void LiteralReader::skip_space() {
    while (at_ < limit_ && is_space(text_[at_]) && work_.spend(1)) {
        ++at_;
    }
}

bool LiteralReader::take(char expected) {
    const Glyph g = glyph();
    if (g.bytes == 0 || g.character != expected) {
        return false;
    }
    at_ += g.bytes;
    return true;
}

std::size_t LiteralReader::stop_after(std::size_t at) const {
    const auto stop = std::ranges::upper_bound(stops_, at);
    return stop == stops_.end() ? limit_ : std::min(*stop, limit_);
}

/// At the end of the text, or where a label or another call begins: what is open is closed there.
bool LiteralReader::close_at_end(Literal&) {
    if (at_ < limit_ && !std::ranges::binary_search(stops_, at_)) {
        return false;
    }
    hit_the_end_ = was_repaired_ = true;
    return true;
}

std::optional<Literal> LiteralReader::read_arguments() {
    Literal arguments;
    arguments.kind = Literal::Kind::Dict;
    for (;;) {
        skip_space();
        if (take(')') || (arguments.items.size() < 64 && close_at_end(arguments))) {
            return arguments;
        }
        const auto name = read_argument_name();
        auto value = read_value(Place::Argument);
        if (!value || arguments.items.size() >= 64) {
            return std::nullopt;
        }
        arguments.keys.push_back(name.value_or(""));
        arguments.items.push_back(std::move(*value));
        skip_space();
        if (take(',') || take(';')) {
            continue;
        }
        if (glyph().character == ']' || glyph().character == '}') { // a bracket too many: left_click(start_box='[1,2]'])
            at_ += glyph().bytes;
            was_repaired_ = true;
            skip_space();
        }
        if (glyph().character != ')' && !close_at_end(arguments)) {
            return std::nullopt;
        }
    }
}

/// "name=" or "name:"; leaves the position alone when there is none.
std::optional<std::string> LiteralReader::read_argument_name() {
    std::size_t end = at_;
    while (end < limit_ && end - at_ < kNameBytesMax && is_name_char(text_[end])) {
        ++end;
    }
    std::size_t after = end;
    while (after < limit_ && text_[after] == ' ') {
        ++after;
    }
    if (!work_.spend(after - at_ + 1) || end == at_ || after >= limit_) {
        return std::nullopt;
    }
    const Glyph g = glyph_at(text_, after);
    if (g.character != '=' && g.character != ':') {
        return std::nullopt;
    }
    std::string name(text_.substr(at_, end - at_));
    at_ = after + g.bytes;
    return name;
}

std::optional<Literal> LiteralReader::read_value() {
    return read_value(Place::ListItem);
}

std::optional<Literal> LiteralReader::read_value(Place place) {
    if (++values_ > kValuesMax || depth_ >= kDepthMax || !work_.spend(kWorkOfAValue)) {
        return std::nullopt;
    }
    skip_space();
    ++depth_;
    std::optional<Literal> value;
    const char c = glyph().character;
    if (c == '{') {
        value = read_doubled_braces();
    } else if (c == '[' || c == '(') {
        value = read_list(place);
    } else if (is_quote(c)) {
        value = read_string(place);
    } else {
        value = read_bare(place);
    }
    --depth_;
    return value;
}

/// "{{...}}" is "{...}" written through a template engine.
std::optional<Literal> LiteralReader::read_doubled_braces() {
    std::size_t next = at_ + glyph().bytes;
    while (next < limit_ && is_space(text_[next]) && work_.spend(1)) {
        ++next;
    }
    if (next >= limit_ || glyph_at(text_, next).character != '{') {
        return read_dict();
    }
    at_ = next;
    auto inner = read_value(Place::DictValue);
    skip_space();
    if (inner && !take('}')) {
        was_repaired_ = true;
    }
    return inner;
}

std::optional<Literal> LiteralReader::read_dict() {
    Literal dict;
    dict.kind = Literal::Kind::Dict;
    take('{');
    for (;;) {
        skip_space();
        if (take('}') || close_at_end(dict)) {
            return dict;
        }
        if (take(',')) {
            continue;
        }
        auto key = read_key();
        if (!key) {
            return std::nullopt;
        }
        skip_space();
        if (!take(':') && !take('=')) {
            return std::nullopt;
        }
        auto value = read_value(Place::DictValue);
        if (!value) {
            return std::nullopt;
        }
        dict.keys.push_back(std::move(*key));
        dict.items.push_back(std::move(*value));
        skip_space();
        const char c = glyph().character;
        if (c == ']' || c == ')') { // the brace is missing, what is outside closes
            was_repaired_ = true;
            return dict;
        }
        if (c != ',' && c != '}' && !close_at_end(dict)) {
            return std::nullopt;
        }
    }
}

std::optional<std::string> LiteralReader::read_key() {
    if (is_quote(glyph().character)) {
        auto key = read_string(Place::DictKey);
        return key ? std::optional(std::move(key->text)) : std::nullopt;
    }
    const std::size_t begin = at_;
    while (at_ < limit_ && at_ - begin < kNameBytesMax && is_name_char(text_[at_]) && work_.spend(1)) {
        ++at_;
    }
    return at_ == begin ? std::nullopt : std::optional(std::string(text_.substr(begin, at_ - begin)));
}

std::optional<Literal> LiteralReader::read_list(Place) {
    Literal list;
    list.kind = Literal::Kind::List;
    const char closer = glyph().character == '[' ? ']' : ')';
    at_ += glyph().bytes;
    for (;;) {
        skip_space();
        if (take(closer) || close_at_end(list)) {
            return list;
        }
        const char c = glyph().character;
        if (c == ']' || c == ')' || c == '}') { // the wrong one closes: leave it to what is outside
            was_repaired_ = true;
            return list;
        }
        if (take(',') || take(';')) {
            continue;
        }
        auto item = read_value(Place::ListItem);
        if (!item) {
            return std::nullopt;
        }
        list.items.push_back(std::move(*item));
    }
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

std::optional<Literal> LiteralReader::read_bare(Place place) {
    const std::size_t begin = at_;
    const std::string_view rest = text_.substr(at_, std::min<std::size_t>(limit_ - at_, 256));
    if (rest.starts_with('<')) { // <point>12 34</point>, <|box_start|>(12,34)<|box_end|>
        const std::size_t closing = rest.find('<', 1);
        const std::size_t end = closing == std::string_view::npos ? closing : rest.find('>', closing);
        at_ += end == std::string_view::npos ? 0 : end + 1;
    }
    int nesting = 0;
    while (at_ < limit_ && work_.spend(1)) {
        const Glyph g = glyph();
        const char c = g.character;
        if (nesting == 0 && (c == ',' || c == ')' || c == ']' || c == '}' || c == '\n' || c == ';' ||
                             (place == Place::ListItem && is_space(c)) || (at_ > begin && std::ranges::binary_search(stops_, at_)))) {
            break;
        }
        nesting += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
        at_ += g.bytes;
    }
    std::string_view written = text_.substr(begin, at_ - begin);
    while (!written.empty() && is_space(written.back())) {
        written.remove_suffix(1);
    }
    return written.empty() ? std::nullopt : std::optional(word_value(written));
}

} // namespace handeye
