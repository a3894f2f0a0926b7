// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/expression.h"

#include "agent/text_pattern.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye::taskfile {
namespace {

using nlohmann::json;
using Op = Expression::Op;

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool goes_on(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; }

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Expression> whole() {
        if (text_.size() > kExpressionBytesMax) {
            return fail(fmt::format("{} bytes; an expression has at most {}", text_.size(), kExpressionBytesMax));
        }
        Expression out = TRY(disjunction());
        skip_space();
        if (at_ != text_.size()) {
            return fail(fmt::format("\"{}\" does not belong here", text_.substr(at_, 20)));
        }
        return out;
    }
    [[nodiscard]] std::size_t at() const { return at_; }

private:
    struct Deeper {
        explicit Deeper(int& depth) : depth_(depth) { ++depth_; }
        ~Deeper() { --depth_; }
        Deeper(const Deeper&) = delete;
        Deeper& operator=(const Deeper&) = delete;
        int& depth_;
    };

    /// A long chain is a deep tree.
    Result<void> count_operator() {
        return ++operators_ <= kOperatorsMax ? Result<void>() : Result<void>(fail(fmt::format("more than {} operators", kOperatorsMax)));
    }

    static Error fail(std::string message) { return {ErrorCode::ParseFailed, std::move(message)}; }

    void skip_space() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
            ++at_;
        }
    }
    bool take(std::string_view sign) {
        skip_space();
        if (!text_.substr(at_).starts_with(sign)) {
            return false;
        }
        const std::size_t after = at_ + sign.size();
        if (starts_name(sign[0]) && after < text_.size() && goes_on(text_[after])) {
            return false; // "or" does not begin "order"
        }
        at_ = after;
        return true;
    }

    Result<Expression> disjunction() {
        const Deeper deeper(depth_);
        if (depth_ > kExpressionDepthMax) {
            return fail(fmt::format("nested more than {} deep", kExpressionDepthMax));
        }
        Expression left = TRY(conjunction());
        while (take("or")) {
            TRY(count_operator());
            Expression right = TRY(conjunction());
            left = both(Op::Or, std::move(left), std::move(right));
        }
        return left;
    }
    Result<Expression> conjunction() {
        Expression left = TRY(negation());
        while (take("and")) {
            TRY(count_operator());
            Expression right = TRY(negation());
            left = both(Op::And, std::move(left), std::move(right));
        }
        return left;
    }
    Result<Expression> negation() {
        const Deeper deeper(depth_);
        if (depth_ > kExpressionDepthMax) {
            return fail(fmt::format("nested more than {} deep", kExpressionDepthMax));
        }
        skip_space();
        const std::size_t start = at_;
        if (!take("not")) {
            return comparison();
        }
        Expression inner = TRY(negation());
        return one(Op::Not, std::move(inner), start);
    }
    Result<Expression> comparison() {
        constexpr std::array<std::pair<std::string_view, Op>, 8> kSigns{{{"==", Op::Equal}, {"!=", Op::Unequal}, {"<=", Op::LessEqual}, {">=", Op::GreaterEqual},
                                                                         {"<", Op::Less}, {">", Op::Greater}, {"in", Op::In}, {"matches", Op::Matches}}};
        Expression left = TRY(sum());
        for (const auto& [sign, op] : kSigns) {
            if (take(sign)) {
                Expression right = TRY(sum());
                TRY(check_pattern(op, right));
                return both(op, std::move(left), std::move(right));
            }
        }
        skip_space();
        if (at_ < text_.size() && text_[at_] == '=') {
            return fail("one \"=\" compares nothing; write \"==\"");
        }
        return left;
    }
    Result<void> check_pattern(Op op, const Expression& right) {
        if (const auto* pattern = std::get_if<std::string>(&right.literal); op == Op::Matches && right.op == Op::Literal && pattern != nullptr) {
            TRY(TextPattern::compile(*pattern));
        }
        return {};
    }
    Result<Expression> sum() {
        Expression left = TRY(term());
        while (true) {
            const Op op = take("+") ? Op::Add : take("-") ? Op::Subtract : Op::Literal;
            if (op == Op::Literal) {
                return left;
            }
            TRY(count_operator());
            Expression right = TRY(term());
            left = both(op, std::move(left), std::move(right));
        }
    }
    Result<Expression> term() {
        Expression left = TRY(factor());
        while (true) {
            const Op op = take("*") ? Op::Multiply : take("/") ? Op::Divide : Op::Literal;
            if (op == Op::Literal) {
                return left;
            }
            TRY(count_operator());
            Expression right = TRY(factor());
            left = both(op, std::move(left), std::move(right));
        }
    }
    Result<Expression> factor() {
        const Deeper deeper(depth_);
        if (depth_ > kExpressionDepthMax) {
            return fail(fmt::format("nested more than {} deep", kExpressionDepthMax));
        }
        skip_space();
        const std::size_t start = at_;
        if (at_ == text_.size()) {
            return fail("a value is missing at the end");
        }
        const char next = text_[at_];
        if (next == '\'' || next == '"') {
            return quoted(next);
        }
        if (std::isdigit(static_cast<unsigned char>(next)) != 0) {
            return number();
        }
        if (take("-")) {
            Expression inner = TRY(factor());
            return one(Op::Minus, std::move(inner), start);
        }
        if (take("(")) {
            Expression inner = TRY(disjunction());
            if (!take(")")) {
                return fail("\")\" is missing");
            }
            return inner;
        }
        if (take("[")) {
            return list(start);
        }
        return starts_name(next) ? word() : Result<Expression>(fail(fmt::format("\"{}\" begins no value", text_.substr(at_, 10))));
    }
    Result<Expression> quoted(char quote) {
        Expression out{.op = Op::Literal, .literal = {}, .path = {}, .arguments = {}, .offset = at_++};
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) {
            return fail(fmt::format("the text that begins with {} has no end", quote));
        }
        out.literal = std::string(text_.substr(at_, end - at_));
        at_ = end + 1;
        return out;
    }
    Result<Expression> number() {
        Expression out{.op = Op::Literal, .literal = {}, .path = {}, .arguments = {}, .offset = at_};
        double value = 0;
        const auto [end, failed] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (failed != std::errc{}) {
            return fail("this number is too large");
        }
        at_ = static_cast<std::size_t>(end - text_.data());
        if (at_ < text_.size() && goes_on(text_[at_]) && text_[at_] != '-') {
            return fail(fmt::format("\"{}\" is no number", text_.substr(out.offset, 20)));
        }
        out.literal = value;
        return out;
    }
    Result<Expression> list(std::size_t start) {
        Expression out{.op = Op::List, .literal = {}, .path = {}, .arguments = {}, .offset = start};
        if (take("]")) {
            return out;
        }
        do {
            Expression item = TRY(disjunction());
            out.arguments.push_back(std::move(item));
        } while (take(","));
        if (!take("]")) {
            return fail("\"]\" is missing");
        }
        return out;
    }
    Result<Expression> word() {
        Expression out{.op = Op::Name, .literal = {}, .path = {}, .arguments = {}, .offset = at_};
        out.path.push_back(name());
        const std::string first = out.path.front();
        if (first == "len" && take("(")) {
            Expression inner = TRY(disjunction());
            if (!take(")")) {
                return fail("\")\" is missing");
            }
            return one(Op::Len, std::move(inner), out.offset);
        }
        if (first == "true" || first == "false" || first == "null") {
            out.op = Op::Literal;
            out.path.clear();
            if (first != "null") {
                out.literal = first == "true";
            }
            return out;
        }
        while (at_ < text_.size() && text_[at_] == '.') {
            ++at_;
            if (at_ == text_.size() || !(starts_name(text_[at_]) || std::isdigit(static_cast<unsigned char>(text_[at_])) != 0)) {
                return fail("a name is missing after the dot");
            }
            out.path.push_back(name());
        }
        return out;
    }
    std::string name() {
        const std::size_t start = at_;
        while (at_ < text_.size() && goes_on(text_[at_])) {
            ++at_;
        }
        return std::string(text_.substr(start, at_ - start));
    }

    static Expression both(Op op, Expression left, Expression right) {
        Expression out{.op = op, .literal = {}, .path = {}, .arguments = {}, .offset = left.offset};
        out.arguments.push_back(std::move(left));
        out.arguments.push_back(std::move(right));
        return out;
    }
    static Expression one(Op op, Expression inner, std::size_t offset) {
        Expression out{.op = op, .literal = {}, .path = {}, .arguments = {}, .offset = offset};
        out.arguments.push_back(std::move(inner));
        return out;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
    int operators_ = 0;
};

Error cannot(std::string message) { return {ErrorCode::InvalidArgument, std::move(message)}; }
std::string shown(const json& value) {
    const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

Result<json> look_up(const Expression& name, const json& names) {
    const json* at = &names;
    std::string so_far;
    for (const std::string& part : name.path) {
        so_far += so_far.empty() ? part : "." + part;
        const auto found = at->is_object() ? at->find(part) : at->end();
        if (!at->is_object() || found == at->end()) {
            return Error{ErrorCode::NotFound, fmt::format("there is no {}", so_far)};
        }
        at = &*found;
    }
    return *at;
}

Result<json> compare(Op op, const json& a, const json& b) {
    if (op == Op::Equal || op == Op::Unequal) {
        return json((a == b) == (op == Op::Equal));
    }
    const bool are_comparable = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
    if (!are_comparable) {
        return cannot(fmt::format("{} and {} have no order", shown(a), shown(b)));
    }
    const bool less = a < b;
    const bool greater = b < a;
    return json(op == Op::Less ? less : op == Op::LessEqual ? !greater : op == Op::Greater ? greater : !less);
}

Result<json> is_in(const json& a, const json& b) {
    if (b.is_array()) {
        return json(std::find(b.begin(), b.end(), a) != b.end());
    }
    if (a.is_string() && b.is_string()) {
        return json(b.get_ref<const std::string&>().find(a.get_ref<const std::string&>()) != std::string::npos);
    }
    if (a.is_string() && b.is_object()) {
        return json(b.contains(a.get_ref<const std::string&>()));
    }
    return cannot(fmt::format("{} cannot be in {}", shown(a), shown(b)));
}

Result<json> is_match(const json& a, const json& b) {
    if (!a.is_string() || !b.is_string()) {
        return cannot(fmt::format("{} matches {}: both must be texts", shown(a), shown(b)));
    }
    const TextPattern pattern = TRY(TextPattern::compile(b.get_ref<const std::string&>()));
    switch (pattern.find_in(a.get_ref<const std::string&>())) {
    case TextPattern::Found::Yes: return json(true);
    case TextPattern::Found::No: return json(false);
    case TextPattern::Found::Unknown: break;
    }
    return cannot(fmt::format("whether {} matches {} could not be told within the limits", shown(a), shown(b)));
}

Result<json> compute(Op op, const json& a, const json& b) {
    if (op == Op::Add && a.is_string() && b.is_string()) {
        const std::string text = a.get<std::string>() + b.get<std::string>();
        if (text.size() > (1U << 20)) {
            return cannot(fmt::format("a text of {} bytes; at most a mebibyte", text.size()));
        }
        return json(text);
    }
    if (!a.is_number() || !b.is_number()) {
        return cannot(fmt::format("{} and {} are not both numbers", shown(a), shown(b)));
    }
    const double x = a.get<double>();
    const double y = b.get<double>();
    if (op == Op::Divide && y == 0) {
        return cannot(fmt::format("{} divided by zero", shown(a)));
    }
    return json(op == Op::Add ? x + y : op == Op::Subtract ? x - y : op == Op::Multiply ? x * y : x / y);
}

Result<json> evaluate_both(Op op, const json& left, const json& right) {
    if (op == Op::In) {
        return is_in(left, right);
    }
    if (op == Op::Matches) {
        return is_match(left, right);
    }
    const bool is_arithmetic = op == Op::Add || op == Op::Subtract || op == Op::Multiply || op == Op::Divide;
    return is_arithmetic ? compute(op, left, right) : compare(op, left, right);
}

Result<json> length(const json& value) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        return json(static_cast<double>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; })));
    }
    if (value.is_array() || value.is_object()) {
        return json(static_cast<double>(value.size()));
    }
    return cannot(fmt::format("{} has no length", shown(value)));
}

} // namespace

Result<Expression> parse_expression(std::string_view text, std::size_t* offset) {
    Parser parser(text);
    auto parsed = parser.whole();
    if (!parsed && offset != nullptr) {
        *offset = parser.at();
    }
    return parsed;
}

Result<json> evaluate(const Expression& expression, const json& names) {
    const auto argument = [&](std::size_t i) { return evaluate(expression.arguments.at(i), names); };
    switch (expression.op) {
    case Op::Literal:
        return std::visit([](const auto& value) -> json {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
                return nullptr;
            } else {
                return value;
            }
        }, expression.literal);
    case Op::List: {
        json out = json::array();
        for (const Expression& item : expression.arguments) {
            out.push_back(TRY(evaluate(item, names)));
        }
        return out;
    }
    case Op::Name: return look_up(expression, names);
    case Op::Not: {
        const json value = TRY(argument(0));
        return json(!is_true(value));
    }
    case Op::Minus: {
        const json value = TRY(argument(0));
        return compute(Op::Subtract, 0.0, value);
    }
    case Op::Len: {
        const json value = TRY(argument(0));
        return length(value);
    }
    case Op::Or:
    case Op::And: {
        const json left = TRY(argument(0));
        if (is_true(left) == (expression.op == Op::Or)) {
            return json(expression.op == Op::Or);
        }
        const json right = TRY(argument(1));
        return json(is_true(right));
    }
    case Op::Equal:
    case Op::Unequal:
    case Op::Less:
    case Op::LessEqual:
    case Op::Greater:
    case Op::GreaterEqual:
    case Op::In:
    case Op::Matches:
    case Op::Add:
    case Op::Subtract:
    case Op::Multiply:
    case Op::Divide: break;
    }
    const json left = TRY(argument(0));
    const json right = TRY(argument(1));
    return evaluate_both(expression.op, left, right);
}

bool is_true(const json& value) {
    switch (value.type()) {
    case json::value_t::boolean: return value.get<bool>();
    case json::value_t::string: return !value.get_ref<const std::string&>().empty();
    case json::value_t::array:
    case json::value_t::object: return !value.empty();
    case json::value_t::number_float:
    case json::value_t::number_integer:
    case json::value_t::number_unsigned: return value.get<double>() != 0;
    case json::value_t::null:
    case json::value_t::binary:
    case json::value_t::discarded: break;
    }
    return false;
}

std::vector<const Expression*> names_in(const Expression& expression) {
    std::vector<const Expression*> out;
    if (expression.op == Op::Name) {
        out.push_back(&expression);
    }
    for (const Expression& argument : expression.arguments) {
        const auto inner = names_in(argument);
        out.insert(out.end(), inner.begin(), inner.end());
    }
    return out;
}

} // namespace handeye::taskfile
