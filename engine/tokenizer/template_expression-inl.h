// SPDX-License-Identifier: Apache-2.0
// The expression half of the chat template parser; included by template_parser.cpp alone.
#pragma once

#include "engine/tokenizer/template_syntax.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

namespace handeye::jinja {

using Names = std::initializer_list<std::string_view>;

inline constexpr int kHeightMax = 200;
inline constexpr std::size_t kArgumentsMax = 64;

/// Tokens to expressions: one function per level of precedence.
class ExpressionParser {
protected:
    ExpressionParser(std::vector<Token> tokens, int depth_max) : tokens_(std::move(tokens)), depth_max_(depth_max) {}

    // ---- tokens

    [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
        return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
    }
    [[nodiscard]] bool is_operator(std::string_view text) const {
        return peek().kind == TokenKind::Operator && peek().text == text;
    }
    [[nodiscard]] bool is_name(std::string_view text) const {
        return peek().kind == TokenKind::Name && peek().text == text;
    }
    bool accept_operator(std::string_view text) { return is_operator(text) && (++at_, true); }
    bool accept_name(std::string_view text) { return is_name(text) && (++at_, true); }
    Token next() { return tokens_[std::min(at_++, tokens_.size() - 1)]; }

    [[nodiscard]] Error problem(std::string_view what) const {
        return {ErrorCode::ParseFailed, fmt::format("chat template, line {}: {}", peek().line, what)};
    }
    Result<void> expect_operator(std::string_view text) {
        return accept_operator(text) ? Result<void>() : problem(fmt::format("expected '{}', found '{}'", text, peek().text));
    }
    Result<void> expect(TokenKind kind, std::string_view what) {
        return next().kind == kind ? Result<void>() : problem(fmt::format("expected {}", what));
    }
    Result<std::string> expect_name() {
        if (peek().kind != TokenKind::Name) {
            return problem("expected a name");
        }
        return next().text;
    }

    /// Counts nesting for as long as it lives.
    struct Nesting {
        explicit Nesting(int& depth) : depth_(depth) { ++depth_; }
        ~Nesting() { --depth_; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
        int& depth_;
    };
    [[nodiscard]] Result<void> check_depth() const {
        return depth_ <= depth_max_ ? Result<void>() : problem(fmt::format("nested deeper than {} levels", depth_max_));
    }

    [[nodiscard]] Expr make(ExprKind kind) const {
        Expr expr;
        expr.kind = kind;
        expr.line = peek().line;
        return expr;
    }
    /// Every expression with operands passes here.
    [[nodiscard]] Result<Expr> bounded(Expr expr) const {
        for (const Expr& arg : expr.args) {
            expr.height = std::max(expr.height, arg.height + 1);
        }
        for (const NamedExpr& arg : expr.named) {
            expr.height = std::max(expr.height, arg.value.height + 1);
        }
        return expr.height <= kHeightMax
                   ? Result<Expr>(std::move(expr))
                   : problem(fmt::format("an expression of more than {} steps in a row", kHeightMax));
    }
    [[nodiscard]] Result<Expr> binary(ExprKind kind, std::string name, Expr left, Expr right) const {
        Expr expr = make(kind);
        expr.name = std::move(name);
        expr.args.push_back(std::move(left));
        expr.args.push_back(std::move(right));
        return bounded(std::move(expr));
    }

    // ---- expressions, weakest binding first

    Result<Expr> expression() {
        const Nesting nesting(depth_);
        TRY(check_depth());
        Expr value = TRY(disjunction());
        while (accept_name("if")) {
            Expr choice = make(ExprKind::Choice);
            choice.args.push_back(std::move(value));
            choice.args.push_back(TRY(disjunction()));
            if (accept_name("else")) {
                choice.args.push_back(TRY(expression()));
            }
            value = TRY(bounded(std::move(choice)));
        }
        return value;
    }

    Result<Expr> disjunction() {
        Expr left = TRY(conjunction());
        while (accept_name("or")) {
            Expr right = TRY(conjunction());
            left = TRY(binary(ExprKind::Or, "or", std::move(left), std::move(right)));
        }
        return left;
    }

    Result<Expr> conjunction() {
        Expr left = TRY(negation());
        while (accept_name("and")) {
            Expr right = TRY(negation());
            left = TRY(binary(ExprKind::And, "and", std::move(left), std::move(right)));
        }
        return left;
    }

    Result<Expr> negation() {
        if (!is_name("not")) {
            return comparison();
        }
        const Nesting nesting(depth_);
        TRY(check_depth());
        Expr expr = make(ExprKind::Not);
        next();
        expr.args.push_back(TRY(negation()));
        return bounded(std::move(expr));
    }

    std::string comparison_operator() {
        for (const std::string_view text : Names{"==", "!=", "<", "<=", ">", ">="}) {
            if (accept_operator(text)) {
                return std::string(text);
            }
        }
        if (is_name("not") && peek(1).kind == TokenKind::Name && peek(1).text == "in") {
            at_ += 2;
            return "not in";
        }
        return accept_name("in") ? "in" : "";
    }

    Result<Expr> comparison() {
        Expr first = TRY(sum());
        Expr chain = make(ExprKind::Compare);
        for (std::string text = comparison_operator(); !text.empty(); text = comparison_operator()) {
            chain.operators.push_back(std::move(text));
            chain.args.push_back(TRY(sum()));
        }
        if (chain.operators.empty()) {
            return first;
        }
        chain.args.insert(chain.args.begin(), std::move(first));
        return bounded(std::move(chain));
    }

    using Level = Result<Expr> (ExpressionParser::*)();
    Result<Expr> left_associative(Names operators, Level operand) {
        Expr left = TRY((this->*operand)());
        while (true) {
            const auto found = std::find_if(operators.begin(), operators.end(), [&](auto text) { return is_operator(text); });
            if (found == operators.end()) {
                return left;
            }
            next();
            Expr right = TRY((this->*operand)());
            left = TRY(binary(ExprKind::Binary, std::string(*found), std::move(left), std::move(right)));
        }
    }
    Result<Expr> sum() { return left_associative({"+", "-"}, &ExpressionParser::concatenation); }
    Result<Expr> concatenation() { return left_associative({"~"}, &ExpressionParser::product); }
    Result<Expr> product() { return left_associative({"*", "/", "//", "%"}, &ExpressionParser::power); }
    Result<Expr> power() { return left_associative({"**"}, &ExpressionParser::filtered); }

    Result<Expr> filtered() {
        Expr value = TRY(unary());
        while (true) {
            if (accept_operator("|")) {
                value = TRY(filter(std::move(value)));
            } else if (accept_name("is")) {
                value = TRY(test(std::move(value)));
            } else {
                return value;
            }
        }
    }

    Result<Expr> filter(Expr operand) {
        Expr expr = make(ExprKind::Filter);
        expr.name = TRY(expect_name());
        expr.args.push_back(std::move(operand));
        if (accept_operator("(")) {
            TRY(arguments(expr));
        }
        return bounded(std::move(expr));
    }

    // A test may have one argument without brackets: "is divisibleby 3".
    Result<Expr> test(Expr operand) {
        const bool negated = accept_name("not");
        Expr expr = make(ExprKind::Test);
        expr.name = TRY(expect_name());
        expr.args.push_back(std::move(operand));
        const TokenKind kind = peek().kind;
        const bool is_word = kind == TokenKind::Name && !is_name("else") && !is_name("or") && !is_name("and") &&
                             !is_name("is") && !is_name("if") && !is_name("in") && !is_name("not");
        if (accept_operator("(")) {
            TRY(arguments(expr));
        } else if (is_word || kind == TokenKind::String || kind == TokenKind::Integer || kind == TokenKind::Float ||
                   is_operator("[")) {
            expr.args.push_back(TRY(unary()));
        }
        if (!negated) {
            return bounded(std::move(expr));
        }
        Expr inverted = make(ExprKind::Not);
        inverted.args.push_back(TRY(bounded(std::move(expr))));
        return bounded(std::move(inverted));
    }

    Result<Expr> unary() {
        const bool minus = is_operator("-");
        if (!minus && !is_operator("+")) {
            return postfix(TRY(primary()));
        }
        const Nesting nesting(depth_);
        TRY(check_depth());
        Expr expr = make(minus ? ExprKind::Negate : ExprKind::Plus);
        next();
        expr.args.push_back(TRY(unary()));
        return bounded(std::move(expr));
    }

    Result<Expr> postfix(Expr value) {
        while (true) {
            if (accept_operator(".")) {
                Expr expr = make(ExprKind::Attribute);
                if (peek().kind != TokenKind::Name && peek().kind != TokenKind::Integer) {
                    return problem("expected a name after '.'");
                }
                expr.name = next().text;
                expr.args.push_back(std::move(value));
                value = TRY(bounded(std::move(expr)));
            } else if (accept_operator("[")) {
                value = TRY(subscript(std::move(value)));
            } else if (accept_operator("(")) {
                Expr expr = make(ExprKind::Call);
                expr.args.push_back(std::move(value));
                TRY(arguments(expr));
                value = TRY(bounded(std::move(expr)));
            } else {
                return value;
            }
        }
    }

    Result<Expr> slice_bound() { return is_operator(":") || is_operator("]") ? make(ExprKind::Missing) : expression(); }

    Result<Expr> subscript(Expr value) {
        Expr expr = make(ExprKind::Subscript);
        expr.args.push_back(std::move(value));
        expr.args.push_back(TRY(slice_bound()));
        if (is_operator(":")) {
            expr.kind = ExprKind::Slice;
            for (int i = 0; i < 2; ++i) {
                expr.args.push_back(accept_operator(":") ? TRY(slice_bound()) : make(ExprKind::Missing));
            }
        } else if (expr.args[1].kind == ExprKind::Missing) {
            return problem("an empty subscript");
        }
        TRY(expect_operator("]"));
        return bounded(std::move(expr));
    }

    /// After "(", up to and with ")".
    Result<void> arguments(Expr& call) {
        while (!accept_operator(")")) {
            if (is_operator("*") || is_operator("**")) {
                return problem("unpacking with * is not supported");
            }
            if (peek().kind == TokenKind::Name && peek(1).kind == TokenKind::Operator && peek(1).text == "=") {
                std::string name = next().text;
                next();
                call.named.push_back({std::move(name), TRY(expression())});
            } else {
                call.args.push_back(TRY(expression()));
            }
            if (call.args.size() + call.named.size() > kArgumentsMax) {
                return problem(fmt::format("more than {} arguments", kArgumentsMax));
            }
            if (!is_operator(")")) {
                TRY(expect_operator(","));
            }
        }
        return {};
    }

    Result<Expr> primary() {
        Expr expr = make(ExprKind::Constant);
        const Token token = peek();
        switch (token.kind) {
        case TokenKind::Name: return name();
        case TokenKind::String: {
            std::string text;
            while (peek().kind == TokenKind::String) {
                text += next().text;
            }
            expr.constant = Value::text(std::move(text));
            return expr;
        }
        case TokenKind::Integer: {
            next();
            std::int64_t number = 0;
            const char* end = token.text.data() + token.text.size();
            if (std::from_chars(token.text.data(), end, number).ec != std::errc()) {
                return problem(fmt::format("the number {} does not fit 64 bits", token.text));
            }
            expr.constant = Value::State(number);
            return expr;
        }
        case TokenKind::Float: {
            next();
            double number = 0;
            std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
            expr.constant = Value::State(number);
            return expr;
        }
        case TokenKind::Operator: return bracketed();
        case TokenKind::Text:
        case TokenKind::VariableBegin:
        case TokenKind::VariableEnd:
        case TokenKind::BlockBegin:
        case TokenKind::BlockEnd:
        case TokenKind::End: break;
        }
        return problem("expected an expression");
    }

    Result<Expr> name() {
        Expr expr = make(ExprKind::Constant);
        std::string text = next().text;
        if (text == "true" || text == "True" || text == "false" || text == "False") {
            expr.constant = Value::State(text == "true" || text == "True");
        } else if (text == "none" || text == "None") {
            expr.constant = Value::none();
        } else {
            expr.kind = ExprKind::Name;
            expr.name = std::move(text);
        }
        return expr;
    }

    Result<Expr> bracketed() {
        if (accept_operator("(")) {
            return tuple();
        }
        if (accept_operator("[")) {
            Expr list = make(ExprKind::Sequence);
            while (!accept_operator("]")) {
                list.args.push_back(TRY(expression()));
                if (!is_operator("]")) {
                    TRY(expect_operator(","));
                }
            }
            return bounded(std::move(list));
        }
        if (accept_operator("{")) {
            Expr dict = make(ExprKind::Mapping);
            while (!accept_operator("}")) {
                dict.args.push_back(TRY(expression()));
                TRY(expect_operator(":"));
                dict.args.push_back(TRY(expression()));
                if (!is_operator("}")) {
                    TRY(expect_operator(","));
                }
            }
            return bounded(std::move(dict));
        }
        return problem(fmt::format("'{}' cannot begin an expression", peek().text));
    }

    // "(x)" is x; with a comma it is a tuple, which is a list here.
    Result<Expr> tuple() {
        Expr list = make(ExprKind::Sequence);
        bool has_comma = false;
        while (!accept_operator(")")) {
            list.args.push_back(TRY(expression()));
            if (!is_operator(")")) {
                TRY(expect_operator(","));
                has_comma = true;
            }
        }
        if (list.args.size() == 1 && !has_comma) {
            Expr inner = std::move(list.args[0]);
            return inner;
        }
        return bounded(std::move(list));
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    int depth_max_;
    int depth_ = 0;
};

} // namespace handeye::jinja
