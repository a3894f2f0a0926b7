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
bool is_quote(char c) {
    return c == '\'' || c == '"';
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
