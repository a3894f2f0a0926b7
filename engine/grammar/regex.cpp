// SPDX-License-Identifier: Apache-2.0
// A recursive reader of patterns that writes GBNF as it goes.
#include "engine/grammar/regex.h"

#include "engine/grammar/syntax.h"
#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kPatternBytesMax = 64U << 10U;
constexpr int kNestingMax = 64;
constexpr std::uint32_t kRepeatsMax = 100'000;

using Ranges = std::vector<CodeRange>;

const Ranges kDigits{{'0', '9'}};
const Ranges kWordCharacters{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges kSpaces{{'\t', '\r'}, {' ', ' '}};

struct JsonEscape {
    std::uint32_t code = 0;
    const char* written = ""; ///< GBNF literal
};
constexpr std::array kJsonEscapes{JsonEscape{'"', R"("\\\"")"}, JsonEscape{'\\', R"("\\\\")"}, JsonEscape{'\n', R"("\\n")"},
                                  JsonEscape{'\r', R"("\\r")"}, JsonEscape{'\t', R"("\\t")"},  JsonEscape{'\b', R"("\\b")"},
                                  JsonEscape{'\f', R"("\\f")"}};

bool holds(const Ranges& ranges, std::uint32_t code) {
    return std::ranges::any_of(ranges, [&](CodeRange r) { return code >= r.low && code <= r.high; });
}

std::string class_of(const Ranges& ranges) {
    std::string out = "[";
    for (const CodeRange r : ranges) {
        out += r.low == r.high ? fmt::format("\\U{:08X}", r.low) : fmt::format("\\U{:08X}-\\U{:08X}", r.low, r.high);
    }
    return out + "]";
}

class RegexReader {
public:
    RegexReader(std::string_view pattern, RegexScope scope, RegexText text) : pattern_(pattern), scope_(scope), text_(text) {}

    Result<std::string> run() {
        if (pattern_.size() > kPatternBytesMax) {
            return fault(fmt::format("it takes {} bytes, more than {}", pattern_.size(), kPatternBytesMax), ErrorCode::LimitExceeded);
        }
        if (utf8_valid_length(pattern_) != pattern_.size()) {
            return fault("it is not UTF-8");
        }
        std::string out = TRY(read_choice());
        if (at_ < pattern_.size()) {
            return fault("this ')' closes nothing");
        }
        return out;
    }

private:
    Error fault(std::string_view what, ErrorCode code = ErrorCode::ParseFailed) const {
        return {code, fmt::format("the pattern '{}', at byte {}: {}", utf8_repaired(pattern_.substr(0, 80)), at_ + 1, what)};
    }
    Error refused(std::string_view what) const {
        return fault(fmt::format("{} is not supported", what), ErrorCode::Unsupported);
    }
    [[nodiscard]] bool sees(std::string_view what) const { return pattern_.substr(at_).starts_with(what); }
    bool take(std::string_view what) {
        const bool found = sees(what);
        at_ += found ? what.size() : 0;
        return found;
    }

    Result<std::string> read_choice() {
        if (++depth_ > kNestingMax) {
            return fault(fmt::format("groups nest deeper than {}", kNestingMax), ErrorCode::LimitExceeded);
        }
        std::string out = "(";
        do {
            out += (out.size() > 1 ? " | " : "") + TRY(read_sequence());
        } while (take("|"));
        --depth_;
        return out + ")";
    }

    Result<std::string> read_sequence() {
        const bool is_outermost = depth_ == 1;
        const bool searches = is_outermost && scope_ == RegexScope::Anywhere;
        const bool has_start = is_outermost && take("^");
        std::string out = searches && !has_start ? written({{0, kCodeMax}}) + "*" : "\"\"";
        bool has_end = false;
        while (at_ < pattern_.size() && !sees("|") && !sees(")")) {
            if (has_end) {
                --at_;
                return refused("'$' before the end of an alternative");
            }
            if (is_outermost && take("$")) {
                has_end = true;
                continue;
            }
            std::string atom = TRY(read_atom());
            const std::optional<std::string> quantifier = TRY(read_quantifier());
            out += " " + atom + quantifier.value_or("");
        }
        if (searches && !has_end) {
            out += " " + written({{0, kCodeMax}}) + "*";
        }
        return out;
    }

    /// "*", "{2,3}" in GBNF; the mark of a lazy one says nothing about which texts match.
    Result<std::optional<std::string>> read_quantifier() {
        std::optional<std::string> quantifier;
        for (const std::string_view mark : {"*", "+", "?"}) {
            if (!quantifier && take(mark)) {
                quantifier = mark;
            }
        }
        if (!quantifier) {
            quantifier = TRY(read_counts());
        }
        if (quantifier && sees("+")) {
            return refused("a possessive quantifier");
        }
        if (quantifier && !take("?")) {
            const std::optional<std::string> second = TRY(read_counts());
            if (second || sees("*")) {
                return refused("a quantifier of a quantifier");
            }
        }
        return quantifier;
    }
    /// "{m}", "{m,}", "{m,n}"; anything else in braces is text.
    Result<std::optional<std::string>> read_counts() {
        const std::size_t end = sees("{") ? pattern_.find('}', at_) : std::string_view::npos;
        if (end == std::string_view::npos) {
            return std::optional<std::string>();
        }
        const std::string_view inside = pattern_.substr(at_ + 1, end - at_ - 1);
        const std::size_t comma = inside.find(',');
        const std::string_view low = inside.substr(0, comma);
        const std::string_view high = comma == std::string_view::npos ? "" : inside.substr(comma + 1);
        const auto is_number = [](std::string_view t) { return std::ranges::all_of(t, [](char c) { return c >= '0' && c <= '9'; }); };
        if (low.empty() || !is_number(low) || !is_number(high)) {
            return std::optional<std::string>();
        }
        for (const std::string_view number : {low, high}) {
            std::uint32_t value = 0;
            const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
            if (!number.empty() && (error != std::errc{} || value > kRepeatsMax)) {
                return fault(fmt::format("a repeat of more than {}", kRepeatsMax), ErrorCode::LimitExceeded);
            }
        }
        at_ = end + 1;
        return std::optional(fmt::format("{{{}}}", inside));
    }

    Result<std::string> read_atom() {
        if (take("(")) {
            if (take("?")) {
                TRY(read_group_kind());
            }
            std::string inner = TRY(read_choice());
            if (!take(")")) {
                return fault("a ')' is missing");
            }
            return inner;
        }
        if (take("[")) {
            return written(TRY(read_class()));
        }
        if (take(".")) {
            return written(complement({{'\n', '\n'}}));
        }
        if (sees("^") || sees("$")) {
            return refused("an anchor inside the pattern");
        }
        if (sees("*") || sees("+") || sees("?")) {
            return fault("there is nothing to repeat");
        }
        return written(TRY(read_character()));
    }

    /// After "(?".
    Result<void> read_group_kind() {
        if (take(":")) {
            return {};
        }
        const bool is_named = (sees("P<") || sees("<")) && !sees("<=") && !sees("<!");
        if (is_named) {
            const std::size_t end = pattern_.find('>', at_);
            if (end == std::string_view::npos || end - at_ > 64) {
                return fault("a group's name has no '>'");
            }
            at_ = end + 1;
            return {};
        }
        return refused(sees("=") || sees("!") || sees("<") ? "look-around" : "this kind of group");
    }

    /// One character or a class such as \d.
    Result<Ranges> read_character() {
        if (at_ >= pattern_.size()) {
            return fault("it ends inside a class");
        }
        if (!take("\\")) {
            const std::size_t length = utf8_step(pattern_.substr(at_)).length;
            const std::uint32_t code = code_point_of(pattern_.substr(at_, length));
            at_ += length;
            return Ranges{{code, code}};
        }
        if (at_ >= pattern_.size()) {
            return fault("a '\\' stands at the end");
        }
        const char c = pattern_[at_++];
        switch (c) {
        case 'd': return kDigits;
        case 'D': return complement(kDigits);
        case 'w': return kWordCharacters;
        case 'W': return complement(kWordCharacters);
        case 's': return kSpaces;
        case 'S': return complement(kSpaces);
        case 'n': return Ranges{{'\n', '\n'}};
        case 't': return Ranges{{'\t', '\t'}};
        case 'r': return Ranges{{'\r', '\r'}};
        case 'f': return Ranges{{'\f', '\f'}};
        case 'v': return Ranges{{'\v', '\v'}};
        case 'x': return read_hex(sees("{") ? 0 : 2);
        case 'u': return read_hex(sees("{") ? 0 : 4);
        default: break;
        }
        if (static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0) {
            const auto code = static_cast<std::uint32_t>(c);
            return Ranges{{code, code}};
        }
        --at_;
        return refused(fmt::format("'\\{}'", c >= '1' && c <= '9' ? "1 and other back-references" : static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : "?"));
    }
    /// `digits` of them, or as many as stand in braces.
    Result<Ranges> read_hex(std::size_t digits) {
        if (digits == 0) {
            take("{");
            const std::size_t end = pattern_.find('}', at_);
            digits = end == std::string_view::npos ? 0 : end - at_;
        }
        std::uint32_t code = 0;
        const std::string_view text = pattern_.substr(at_, digits);
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), code, 16);
        if (digits == 0 || digits > 8 || text.size() != digits || error != std::errc{} || stop != text.data() + text.size() || code > kCodeMax ||
            (code >= 0xD800 && code <= 0xDFFF)) {
            return fault("these are not the hexadecimal digits of a character");
        }
        at_ += digits;
        take("}");
        return Ranges{{code, code}};
    }

    /// After "[".
    Result<Ranges> read_class() {
        const bool is_negated = take("^");
        Ranges ranges;
        bool is_first = true;
        while (is_first || !sees("]")) {
            if (at_ >= pattern_.size()) {
                return fault("a ']' is missing");
            }
            if (sees("[:") || sees("[.") || sees("[=")) {
                return refused("a POSIX class");
            }
            if (is_first && sees("]")) {
                return refused("']' as the first of a class");
            }
            is_first = false;
            if (take("\\b")) {
                ranges.push_back({'\b', '\b'});
                continue;
            }
            const Ranges low = TRY(read_character());
            const bool is_single = low.size() == 1 && low[0].low == low[0].high;
            if (is_single && sees("-") && !sees("-]")) {
                take("-");
                const Ranges high = TRY(read_character());
                if (high.size() != 1 || high[0].low != high[0].high || high[0].low < low[0].low) {
                    return fault("this range runs backwards or ends in a class");
                }
                ranges.push_back({low[0].low, high[0].low});
            } else {
                ranges.insert(ranges.end(), low.begin(), low.end());
            }
        }
        take("]");
        return is_negated ? complement(ranges) : normalized(std::move(ranges));
    }

    /// One character of these, as the text writes it.
    [[nodiscard]] std::string written(Ranges ranges) const {
        ranges = normalized(std::move(ranges));
        if (text_ == RegexText::Plain) {
            return ranges.empty() ? "[^\\x00-\\U0010FFFF]" : class_of(ranges); // the reader of grammars names what matches nothing
        }
        Ranges plain;
        for (const CodeRange r : complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}})) {
            for (const CodeRange mine : ranges) {
                if (std::max(r.low, mine.low) <= std::min(r.high, mine.high)) {
                    plain.push_back({std::max(r.low, mine.low), std::min(r.high, mine.high)});
                }
            }
        }
        std::vector<std::string> ways;
        if (!plain.empty()) {
            ways.push_back(class_of(normalized(plain)));
        }
        for (const JsonEscape& escape : kJsonEscapes) {
            if (holds(ranges, escape.code)) {
                ways.emplace_back(escape.written);
            }
        }
        return ways.empty() ? "[^\\x00-\\U0010FFFF]" : fmt::format("({})", fmt::join(ways, " | "));
    }

    std::string_view pattern_;
    RegexScope scope_;
    RegexText text_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

} // namespace

Result<std::string> regex_expression(std::string_view pattern_utf8, RegexScope scope, RegexText text) {
    return RegexReader(pattern_utf8, scope, text).run();
}

Result<std::string> regex_grammar(std::string_view pattern_utf8) {
    return fmt::format("root ::= {}\n", TRY(regex_expression(pattern_utf8, RegexScope::WholeText, RegexText::Plain)));
}

} // namespace handeye
