// SPDX-License-Identifier: Apache-2.0
// The reader of GBNF. A rule ends where the next "name ::=" begins, so that line breaks inside one need no brackets.
#include "engine/grammar/syntax.h"

#include "base/utf8_append.h"
#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kTextBytesMax = 4U << 20U;
constexpr std::size_t kExpressionsMax = 400'000;
constexpr std::size_t kRulesMax = 50'000;
constexpr std::size_t kTokensMax = 64;
constexpr std::size_t kNameBytesMax = 128;
constexpr int kNestingMax = 128;
constexpr int kRepeatsInARowMax = 4;
constexpr std::uint32_t kRepeatsMax = 1'000'000;

bool is_name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

class GbnfReader {
public:
    GbnfReader(std::string_view text, const GrammarOptions& options) : text_(text), options_(options) {}

    Result<Syntax> run() {
        if (text_.size() > kTextBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the grammar takes {} bytes, more than {}", text_.size(), kTextBytesMax)};
        }
        if (const std::size_t valid = utf8_valid_length(text_); valid != text_.size()) {
            at_ = valid;
            return fault("these bytes are not UTF-8");
        }
        for (skip(); at_ < text_.size(); skip()) {
            TRY(read_rule());
        }
        at_ = 0;
        const auto root = names_.find("root");
        if (root == names_.end() || !syntax_.rules[root->second].is_defined) {
            return fault("there is no rule 'root' to start with");
        }
        syntax_.root = root->second;
        for (const SyntaxRule& rule : syntax_.rules) {
            if (!rule.is_defined) {
                return Error{ErrorCode::ParseFailed, fmt::format("grammar, line {}, column {}: there is no rule '{}'", rule.line, rule.column, rule.name)};
            }
        }
        return std::move(syntax_);
    }

private:
    using Kind = Expression::Kind;

    Error fault(std::string_view what, ErrorCode code = ErrorCode::ParseFailed) const {
        const std::string_view before = text_.substr(0, at_);
        const auto line = std::ranges::count(before, '\n') + 1;
        const std::size_t start = before.rfind('\n');
        return {code, fmt::format("grammar, line {}, column {}: {}", line, at_ - (start == std::string_view::npos ? 0 : start + 1) + 1, what)};
    }

    void skip() {
        while (at_ < text_.size()) {
            if (text_[at_] == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
                ++at_;
            } else {
                return;
            }
        }
    }
    [[nodiscard]] bool sees(std::string_view what) const { return text_.substr(at_).starts_with(what); }
    bool take(char c) {
        const bool found = at_ < text_.size() && text_[at_] == c;
        at_ += found ? 1 : 0;
        return found;
    }

    std::string_view take_name() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && is_name_char(text_[at_])) {
            ++at_;
        }
        return text_.substr(begin, at_ - begin);
    }
    /// Whether "name ::=" stands here.
    bool is_rule_start() {
        const std::size_t begin = at_;
        const bool is_named = !take_name().empty();
        skip();
        const bool found = is_named && sees("::=");
        at_ = begin;
        return found;
    }

    Result<std::uint32_t> rule_called(std::string_view name) {
        if (name.size() > kNameBytesMax) {
            return fault(fmt::format("a rule's name takes {} bytes, more than {}", name.size(), kNameBytesMax), ErrorCode::LimitExceeded);
        }
        const auto [place, is_new] = names_.emplace(std::string(name), static_cast<std::uint32_t>(syntax_.rules.size()));
        if (is_new) {
            if (syntax_.rules.size() >= kRulesMax) {
                return fault(fmt::format("more than {} rules", kRulesMax), ErrorCode::LimitExceeded);
            }
            const auto [line, column] = here();
            syntax_.rules.push_back({std::string(name), 0, line, column - static_cast<int>(name.size()) + 1, false});
        }
        return place->second;
    }
    /// Line and column of the name just read; lines are counted from where they were counted last.
    std::pair<int, int> here() {
        for (; counted_ < at_; ++counted_) {
            if (text_[counted_] == '\n') {
                ++line_;
                line_begin_ = counted_ + 1;
            }
        }
        return {line_, static_cast<int>(at_ - line_begin_)};
    }

    Result<void> read_rule() {
        const std::string_view name = take_name();
        if (name.empty()) {
            return fault("a rule begins with its name, such as root ::= \"yes\" | \"no\"");
        }
        const std::uint32_t index = TRY(rule_called(name));
        if (syntax_.rules[index].is_defined) {
            return fault(fmt::format("the rule '{}' is defined twice", name));
        }
        skip();
        if (!sees("::=")) {
            return fault(fmt::format("'::=' must follow the name '{}'", name));
        }
        at_ += 3;
        const ExpressionId body = TRY(read_choice());
        syntax_.rules[index].body = body;
        syntax_.rules[index].is_defined = true;
        skip();
        if (at_ < text_.size() && !is_rule_start()) {
            return fault(text_[at_] == ')' ? "this ')' closes nothing" : "nothing of a grammar begins so");
        }
        return {};
    }

    Result<ExpressionId> add(Expression expression) {
        if (syntax_.expressions.size() >= kExpressionsMax) {
            return fault(fmt::format("more than {} parts", kExpressionsMax), ErrorCode::LimitExceeded);
        }
        syntax_.expressions.push_back(std::move(expression));
        return static_cast<ExpressionId>(syntax_.expressions.size() - 1);
    }

    Result<ExpressionId> read_choice() {
        if (++depth_ > kNestingMax) {
            return fault(fmt::format("brackets nest deeper than {}", kNestingMax), ErrorCode::LimitExceeded);
        }
        std::vector<ExpressionId> choices;
        do {
            choices.push_back(TRY(read_sequence()));
        } while (take('|'));
        --depth_;
        if (choices.size() == 1) {
            return choices[0];
        }
        return add({.kind = Kind::Choice, .parts = std::move(choices)});
    }

    /// Up to "|", ")", the next rule or the end; leaves the position there.
    Result<ExpressionId> read_sequence() {
        std::vector<ExpressionId> parts;
        for (skip(); at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')' && !is_rule_start(); skip()) {
            ExpressionId item = TRY(read_item());
            int repeats = 0;
            for (skip(); at_ < text_.size() && std::string_view("*+?{").find(text_[at_]) != std::string_view::npos; skip()) {
                if (++repeats > kRepeatsInARowMax) {
                    return fault(fmt::format("more than {} repeats of repeats", kRepeatsInARowMax), ErrorCode::LimitExceeded);
                }
                item = TRY(read_repeat(item));
            }
            parts.push_back(item);
        }
        if (parts.size() == 1) {
            return parts[0];
        }
        return add({.kind = Kind::Sequence, .parts = std::move(parts)});
    }

    Result<ExpressionId> read_item() {
        const char c = text_[at_];
        if (c == '"') {
            return read_literal();
        }
        if (c == '[') {
            return read_class();
        }
        if (c == '.') {
            ++at_;
            return add({.kind = Kind::Class, .ranges = complement({})});
        }
        if (c == '<') {
            return read_token();
        }
        if (c == '(') {
            ++at_;
            const ExpressionId inner = TRY(read_choice());
            if (!take(')')) {
                return fault("a ')' is missing here");
            }
            return inner;
        }
        const std::string_view name = take_name();
        if (name.empty()) {
            return fault("nothing of a grammar begins so");
        }
        const std::uint32_t rule = TRY(rule_called(name));
        return add({.kind = Kind::Rule, .index = rule});
    }

    Result<ExpressionId> read_repeat(ExpressionId item) {
        Expression repeat{.kind = Kind::Repeat, .max = Expression::kForever, .parts = {item}};
        if (take('*')) {
            return add(std::move(repeat));
        }
        if (take('+')) {
            repeat.min = 1;
            return add(std::move(repeat));
        }
        if (take('?')) {
            repeat.max = 1;
            return add(std::move(repeat));
        }
        ++at_;
        skip();
        repeat.min = TRY(read_count());
        skip();
        repeat.max = repeat.min;
        if (take(',')) {
            skip();
            repeat.max = Expression::kForever;
            if (at_ < text_.size() && text_[at_] != '}') {
                repeat.max = TRY(read_count());
            }
            skip();
        }
        if (!take('}')) {
            return fault("a '}' is missing here: repeats are written {m}, {m,} or {m,n}");
        }
        if (repeat.max < repeat.min) {
            return fault(fmt::format("a repeat of at least {} and at most {} is empty", repeat.min, repeat.max));
        }
        return add(std::move(repeat));
    }
    Result<std::uint32_t> read_count() {
        std::uint32_t count = 0;
        const std::size_t begin = at_;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            count = count * 10 + static_cast<std::uint32_t>(text_[at_] - '0');
            if (count > kRepeatsMax) {
                return fault(fmt::format("a repeat of more than {}", kRepeatsMax), ErrorCode::LimitExceeded);
            }
        }
        if (at_ == begin) {
            return fault("a number must stand here: repeats are written {m}, {m,} or {m,n}");
        }
        return count;
    }

    Result<ExpressionId> read_literal() {
        ++at_;
        Expression literal{.kind = Kind::Literal};
        while (!take('"')) {
            append_utf8(literal.bytes, TRY(read_character("a literal", "\"")));
        }
        return add(std::move(literal));
    }

    Result<ExpressionId> read_class() {
        ++at_;
        const bool is_negated = take('^');
        std::vector<CodeRange> ranges;
        while (!take(']')) {
            const std::uint32_t low = TRY(read_character("a class", "]"));
            std::uint32_t high = low;
            if (sees("-") && !sees("-]")) {
                ++at_;
                high = TRY(read_character("a class", "]"));
            }
            if (high < low) {
                return fault(fmt::format("the range U+{:04X} to U+{:04X} runs backwards", low, high));
            }
            ranges.push_back({low, high});
        }
        ranges = is_negated ? complement(ranges) : normalized(std::move(ranges));
        if (ranges.empty()) {
            return fault("this class matches no character");
        }
        return add({.kind = Kind::Class, .ranges = std::move(ranges)});
    }

    /// One character, escapes resolved.
    Result<std::uint32_t> read_character(std::string_view where, std::string_view closer) {
        if (at_ >= text_.size()) {
            return fault(fmt::format("the text ends inside {}: a {} is missing", where, closer));
        }
        if (text_[at_] != '\\') {
            const Utf8Step step = utf8_step(text_.substr(at_));
            at_ += step.length;
            return code_point_of(text_.substr(at_ - step.length, step.length));
        }
        ++at_;
        const char c = at_ < text_.size() ? text_[at_++] : '\0';
        switch (c) {
        case 'n': return std::uint32_t{'\n'};
        case 'r': return std::uint32_t{'\r'};
        case 't': return std::uint32_t{'\t'};
        case 'x': return read_hex(2);
        case 'u': return read_hex(4);
        case 'U': return read_hex(8);
        case '\\': case '"': case '[': case ']': case '-': case '^': return static_cast<std::uint32_t>(c);
        default:
            --at_;
            return fault("this escape is unknown; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\xHH \\uHHHH \\UHHHHHHHH");
        }
    }
    Result<std::uint32_t> read_hex(std::size_t digits) {
        std::uint32_t code = 0;
        for (std::size_t i = 0; i < digits; ++i, ++at_) {
            const char c = at_ < text_.size() ? static_cast<char>(std::tolower(static_cast<unsigned char>(text_[at_]))) : '\0';
            const std::size_t value = std::string_view("0123456789abcdef").find(c);
            if (value == std::string_view::npos || c == '\0') {
                return fault(fmt::format("this escape takes {} hexadecimal digits", digits));
            }
            code = code << 4U | static_cast<std::uint32_t>(value);
        }
        if (code > kCodeMax || (code >= 0xD800 && code <= 0xDFFF)) {
            return fault(fmt::format("U+{:04X} is no character", code));
        }
        return code;
    }

    /// <name>: an added token, or the bytes of its text where the vocabulary has none.
    Result<ExpressionId> read_token() {
        const std::size_t end = text_.substr(at_, kNameBytesMax).find('>');
        if (end == std::string_view::npos || text_.substr(at_, end).find('\n') != std::string_view::npos) {
            return fault(fmt::format("a token is written <name>, within {} bytes", kNameBytesMax));
        }
        const std::string name(text_.substr(at_, end + 1));
        at_ += end + 1;
        if (std::ranges::find(options_.added_tokens, name) == options_.added_tokens.end()) {
            return add({.kind = Kind::Literal, .bytes = name});
        }
        auto known = std::ranges::find(syntax_.tokens, name);
        if (known == syntax_.tokens.end()) {
            if (syntax_.tokens.size() >= kTokensMax) {
                return fault(fmt::format("more than {} different tokens", kTokensMax), ErrorCode::LimitExceeded);
            }
            syntax_.tokens.push_back(name);
            known = std::prev(syntax_.tokens.end());
        }
        return add({.kind = Kind::Token, .index = static_cast<std::uint32_t>(known - syntax_.tokens.begin())});
    }

    std::string_view text_;
    const GrammarOptions& options_;
    std::size_t at_ = 0;
    std::size_t counted_ = 0;
    std::size_t line_begin_ = 0;
    int line_ = 1;
    int depth_ = 0;
    Syntax syntax_;
    std::unordered_map<std::string, std::uint32_t> names_;
};

} // namespace

std::uint32_t code_point_of(std::string_view character) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
    switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1FU) << 6U | (byte(1) & 0x3FU);
    case 3: return (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    default: return (byte(0) & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U | (byte(3) & 0x3FU);
    }
}

std::vector<CodeRange> normalized(std::vector<CodeRange> ranges) {
    std::ranges::sort(ranges, {}, &CodeRange::low);
    std::vector<CodeRange> merged;
    for (const CodeRange range : ranges) {
        if (!merged.empty() && range.low <= merged.back().high + 1) {
            merged.back().high = std::max(merged.back().high, range.high);
        } else {
            merged.push_back(range);
        }
    }
    std::vector<CodeRange> out;
    for (const CodeRange range : merged) { // surrogates are no characters
        if (range.low < 0xD800) {
            out.push_back({range.low, std::min(range.high, std::uint32_t{0xD7FF})});
        }
        if (range.high > 0xDFFF) {
            out.push_back({std::max(range.low, std::uint32_t{0xE000}), range.high});
        }
    }
    return out;
}

std::vector<CodeRange> complement(const std::vector<CodeRange>& ranges) {
    std::vector<CodeRange> out;
    std::uint32_t next = 0;
    for (const CodeRange range : normalized(ranges)) {
        if (range.low > next) {
            out.push_back({next, range.low - 1});
        }
        next = range.high + 1;
    }
    if (next <= kCodeMax) {
        out.push_back({next, kCodeMax});
    }
    return normalized(std::move(out));
}

Result<Syntax> parse_gbnf(std::string_view text, const GrammarOptions& options) {
    return GbnfReader(text, options).run();
}

std::string gbnf_literal(std::string_view text_utf8) {
    std::string out = "\"";
    for (const char c : utf8_repaired(text_utf8)) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += fmt::format("\\x{:02X}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    return out + "\"";
}

} // namespace handeye
