// SPDX-License-Identifier: Apache-2.0
// Source text to tokens, with white space control.
#include "engine/tokenizer/template_syntax.h"

#include "base/utf8_append.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

constexpr std::array<std::string_view, 23> kOperators{"//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~",
                                                      "<",  ">",  "=",  "(",  ")",  "[",  "]", "{", "}", ",", ":"};
constexpr std::array<std::string_view, 2> kLastOperators{".", "|"};

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(normalised(source)) {}

    Result<std::vector<Token>> run() {
        while (at_ < source_.size()) {
            TRY(text_and_tag());
        }
        push(TokenKind::End, "");
        return std::move(tokens_);
    }

private:
    // Line ends become \n, and one at the very end is dropped, as the reference's engine does.
    static std::string normalised(std::string_view source) {
        std::string out;
        for (std::size_t i = 0; i < source.size(); ++i) {
            if (source[i] == '\r') {
                out += '\n';
                i += i + 1 < source.size() && source[i + 1] == '\n' ? 1 : 0;
            } else {
                out += source[i];
            }
        }
        if (out.ends_with('\n')) {
            out.pop_back();
        }
        return out;
    }

    void push(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

    [[nodiscard]] bool here(std::string_view what) const { return source_.compare(at_, what.size(), what) == 0; }

    void advance(std::size_t count) {
        const auto from = source_.begin() + static_cast<std::ptrdiff_t>(at_);
        line_ += static_cast<int>(std::count(from, from + static_cast<std::ptrdiff_t>(count), '\n'));
        at_ += count;
    }

    void skip_space() {
        while (at_ < source_.size() && is_space(source_[at_])) {
            advance(1);
        }
    }

    [[nodiscard]] std::size_t next_tag() const {
        for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
            if (source_[i] == '{' && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) {
                return i;
            }
        }
        return source_.size();
    }

    Result<void> text_and_tag() {
        const std::size_t tag = next_tag();
        std::string text = source_.substr(at_, tag - at_);
        const char kind = tag < source_.size() ? source_[tag + 1] : '\0';
        const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
        if (kind != '\0') {
            strip_before_tag(text, kind, sign);
        }
        push_text(std::move(text));
        advance(tag - at_);
        if (kind == '\0') {
            return {};
        }
        advance(sign == '-' || sign == '+' ? 3 : 2);
        return kind == '#' ? comment() : kind == '{' ? expression(TokenKind::VariableBegin) : block();
    }

    void push_text(std::string text) {
        if (!text.empty()) {
            push(TokenKind::Text, std::move(text));
        }
    }

    void strip_before_tag(std::string& text, char kind, char sign) const {
        if (sign == '-') {
            while (!text.empty() && is_space(text.back())) {
                text.pop_back();
            }
            return;
        }
        if (kind == '{' || sign == '+') {
            return;
        }
        const std::size_t newline = text.rfind('\n');
        const std::size_t line_start = newline == std::string::npos ? 0 : newline + 1;
        const bool at_line_start = line_start > 0 || line_starting_;
        if (at_line_start && text.find_first_not_of(" \t", line_start) == std::string::npos) {
            text.resize(line_start);
        }
    }

    // After a tag's closing bracket: "-" eats white space, a block or comment eats one newline unless "+" forbids it.
    void after_tag(char sign, bool trims_newline) {
        line_starting_ = false;
        if (sign == '-') {
            const std::size_t before = at_;
            skip_space();
            line_starting_ = at_ > before && source_[at_ - 1] == '\n';
        } else if (trims_newline && sign != '+' && at_ < source_.size() && source_[at_] == '\n') {
            advance(1);
            line_starting_ = true;
        }
    }

    Result<void> comment() {
        const std::size_t end = source_.find("#}", at_);
        if (end == std::string::npos) {
            return problem("a comment is not closed");
        }
        const char sign = end > at_ ? source_[end - 1] : '\0';
        advance(end + 2 - at_);
        after_tag(sign, true);
        return {};
    }

    Result<void> block() {
        const std::size_t name = source_.find_first_not_of(" \t\n", at_);
        if (name != std::string::npos && source_.compare(name, 3, "raw") == 0) {
            const std::size_t end = source_.find("%}", name);
            const std::string_view between = std::string_view(source_).substr(name + 3, end - name - 3);
            if (end != std::string::npos && between.find_first_not_of(" \t\n-+") == between.npos) {
                return raw_block(end);
            }
        }
        return expression(TokenKind::BlockBegin);
    }

    Result<void> raw_block(std::size_t begin_end) {
        const char begin_sign = source_[begin_end - 1];
        advance(begin_end + 2 - at_);
        after_tag(begin_sign, true);
        for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 2)) {
            const std::size_t name = source_.find_first_not_of(" \t\n-+", tag + 2);
            const std::size_t end = source_.find("%}", tag);
            if (name != std::string::npos && end != std::string::npos && source_.compare(name, 6, "endraw") == 0) {
                std::string text = source_.substr(at_, tag - at_);
                strip_before_tag(text, '%', source_[tag + 2]);
                push_text(std::move(text));
                const char end_sign = source_[end - 1];
                advance(end + 2 - at_);
                after_tag(end_sign, true);
                return {};
            }
        }
        return problem("a raw block is not closed");
    }

    Result<void> expression(TokenKind begin) {
        const bool is_block = begin == TokenKind::BlockBegin;
        const char close = is_block ? '%' : '}';
        push(begin, "");
        int braces = 0;
        while (true) {
            skip_space();
            if (at_ >= source_.size()) {
                return problem("a tag is not closed");
            }
            const bool has_sign = (source_[at_] == '-' || source_[at_] == '+') && at_ + 1 < source_.size();
            const std::size_t bracket = at_ + (has_sign ? 1 : 0);
            if (braces == 0 && source_[bracket] == close && bracket + 1 < source_.size() && source_[bracket + 1] == '}') {
                const char sign = has_sign ? source_[at_] : '\0';
                push(is_block ? TokenKind::BlockEnd : TokenKind::VariableEnd, "");
                advance(bracket + 2 - at_);
                after_tag(sign, is_block);
                return {};
            }
            TRY(one_token());
            const Token& last = tokens_.back();
            if (last.kind == TokenKind::Operator) {
                braces += last.text == "{" ? 1 : last.text == "}" ? -1 : 0;
            }
        }
    }

    Result<void> one_token() {
        const char c = source_[at_];
        if (c == '"' || c == '\'') {
            return string_literal(c);
        }
        if (is_digit(c)) {
            return number();
        }
        if (is_name_start(c)) {
            const std::size_t begin = at_;
            while (at_ < source_.size() && (is_name_start(source_[at_]) || is_digit(source_[at_]))) {
                ++at_;
            }
            push(TokenKind::Name, source_.substr(begin, at_ - begin));
            return {};
        }
        for (const std::string_view text : kOperators) {
            if (here(text)) {
                return operator_token(text);
            }
        }
        for (const std::string_view text : kLastOperators) {
            if (here(text)) {
                return operator_token(text);
            }
        }
        return problem(fmt::format("the character '{}' means nothing in a tag",
                                   static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "\xEF\xBF\xBD"));
    }

    Result<void> operator_token(std::string_view text) {
        push(TokenKind::Operator, std::string(text));
        at_ += text.size();
        return {};
    }

    // "e5", "E-5" right after a number's digits.
    [[nodiscard]] std::size_t exponent_length() const {
        if (at_ >= source_.size() || (source_[at_] != 'e' && source_[at_] != 'E')) {
            return 0;
        }
        std::size_t end = at_ + 1;
        end += end < source_.size() && (source_[end] == '-' || source_[end] == '+') ? 1 : 0;
        const std::size_t digits = end;
        while (end < source_.size() && is_digit(source_[end])) {
            ++end;
        }
        return end > digits ? end - at_ : 0;
    }

    Result<void> number() {
        std::string digits;
        bool is_float = false;
        for (; at_ < source_.size(); ++at_) {
            const char c = source_[at_];
            const bool fraction = c == '.' && !is_float && at_ + 1 < source_.size() && is_digit(source_[at_ + 1]);
            if (c == '_') {
                continue;
            }
            if (!is_digit(c) && !fraction) {
                break;
            }
            is_float = is_float || fraction;
            digits += c;
        }
        if (const std::size_t length = exponent_length(); length > 0) {
            digits += source_.substr(at_, length);
            at_ += length;
            is_float = true;
        }
        push(is_float ? TokenKind::Float : TokenKind::Integer, std::move(digits));
        return {};
    }

    Result<void> string_literal(char mark) {
        ++at_;
        std::string value;
        while (at_ < source_.size() && source_[at_] != mark) {
            if (source_[at_] == '\\' && at_ + 1 < source_.size()) {
                escape(value);
            } else {
                value += source_[at_];
                advance(1);
            }
        }
        if (at_ >= source_.size()) {
            return problem("a string is not closed");
        }
        ++at_;
        push(TokenKind::String, std::move(value));
        return {};
    }

    void escape(std::string& value) {
        const char c = source_[at_ + 1];
        const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        std::uint32_t code = 0;
        bool is_code = digits > 0 && at_ + 2 + static_cast<std::size_t>(digits) <= source_.size();
        for (std::size_t i = 0; is_code && i < static_cast<std::size_t>(digits); ++i) {
            const char digit = source_[at_ + 2 + i];
            is_code = std::isxdigit(static_cast<unsigned char>(digit)) != 0;
            const int letter = std::tolower(static_cast<unsigned char>(digit)) - 'a' + 10;
            code = code * 16U + static_cast<std::uint32_t>(is_digit(digit) ? digit - '0' : letter);
        }
        if (is_code && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF)) {
            append_utf8(value, code);
            advance(2 + static_cast<std::size_t>(digits));
            return;
        }
        constexpr std::string_view kFrom = "ntr\\'\"bfva0\n", kTo("\n\t\r\\'\"\b\f\v\a\0", 11);
        const std::size_t index = kFrom.find(c);
        if (index == kFrom.npos) {
            value += '\\'; // an unknown escape stays as it is, as in Python
            value += c;
        } else if (index < kTo.size()) {
            value += kTo[index];
        }
        advance(2);
    }

    [[nodiscard]] Error problem(std::string_view what) const {
        return {ErrorCode::ParseFailed, fmt::format("chat template, line {}: {}", line_, what)};
    }

    std::string source_;
    std::size_t at_ = 0;
    int line_ = 1;
    bool line_starting_ = true;
    std::vector<Token> tokens_;
};

} // namespace

Result<std::vector<Token>> tokenize(std::string_view source) { return Lexer(source).run(); }

} // namespace handeye::jinja
