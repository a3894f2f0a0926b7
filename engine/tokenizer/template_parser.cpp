// SPDX-License-Identifier: Apache-2.0
// Tokens to a tree: one function per level of precedence, one per statement.
#include "engine/tokenizer/template_syntax.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr int kHeightMax = 200;
constexpr std::size_t kArgumentsMax = 64;

class Parser {
public:
    Parser(std::vector<Token> tokens, int depth_max) : tokens_(std::move(tokens)), depth_max_(depth_max) {}

    Result<std::vector<Statement>> run() {
        std::vector<Statement> body = TRY(statements({}));
        if (peek().kind != TokenKind::End) {
            return problem("a tag closes what was not opened");
        }
        return body;
    }

private:
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

    using Level = Result<Expr> (Parser::*)();
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
    Result<Expr> sum() { return left_associative({"+", "-"}, &Parser::concatenation); }
    Result<Expr> concatenation() { return left_associative({"~"}, &Parser::product); }
    Result<Expr> product() { return left_associative({"*", "/", "//", "%"}, &Parser::power); }
    Result<Expr> power() { return left_associative({"**"}, &Parser::filtered); }

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

    // ---- statements

    /// Up to a block tag whose name is one of `ends`; that tag's name is left as the next token.
    Result<std::vector<Statement>> statements(Names ends) {
        const Nesting nesting(depth_);
        TRY(check_depth());
        std::vector<Statement> body;
        while (true) {
            Statement statement;
            statement.line = peek().line;
            if (peek().kind == TokenKind::Text) {
                statement.text = next().text;
            } else if (peek().kind == TokenKind::VariableBegin) {
                next();
                statement.kind = StatementKind::Print;
                statement.exprs.push_back(TRY(expression()));
                TRY(expect(TokenKind::VariableEnd, "'}}'"));
            } else if (peek().kind == TokenKind::BlockBegin) {
                next();
                if (std::find(ends.begin(), ends.end(), peek().text) != ends.end()) {
                    return body;
                }
                TRY(block(statement));
            } else {
                return ends.size() == 0 ? Result<std::vector<Statement>>(std::move(body))
                                        : problem(fmt::format("'{}' is missing", *(ends.end() - 1)));
            }
            body.push_back(std::move(statement));
        }
    }

    Result<void> end_of_block() { return expect(TokenKind::BlockEnd, "'%}'"); }
    Result<void> end_of_block(std::string_view name) {
        if (!accept_name(name)) {
            return problem(fmt::format("expected '{}'", name));
        }
        return end_of_block();
    }

    Result<void> block(Statement& statement) {
        const std::string word = TRY(expect_name());
        if (word == "if") {
            return if_block(statement);
        }
        if (word == "for") {
            return for_block(statement);
        }
        if (word == "set") {
            return set_block(statement);
        }
        if (word == "macro") {
            return macro_block(statement);
        }
        if (word == "generation") { // marks what is trained on; no effect on the text
            statement.kind = StatementKind::Group;
            TRY(end_of_block());
            statement.body = TRY(statements({"endgeneration"}));
            return end_of_block("endgeneration");
        }
        if (word == "break" || word == "continue") {
            statement.kind = word == "break" ? StatementKind::Break : StatementKind::Continue;
            if (loops_ == 0) {
                return problem(fmt::format("'{}' outside a loop", word));
            }
            return end_of_block();
        }
        --at_;
        return problem(fmt::format("the tag '{}' is not supported here", word));
    }

    Result<void> if_block(Statement& statement) {
        statement.kind = StatementKind::If;
        Branch first{TRY(expression()), {}};
        TRY(end_of_block());
        first.body = TRY(statements({"elif", "else", "endif"}));
        statement.branches.push_back(std::move(first));
        while (!is_name("endif")) {
            Branch branch{make(ExprKind::Missing), {}};
            if (accept_name("elif")) {
                branch.condition = TRY(expression());
                TRY(end_of_block());
                branch.body = TRY(statements({"elif", "else", "endif"}));
            } else {
                TRY(end_of_block("else"));
                branch.body = TRY(statements({"endif"}));
            }
            statement.branches.push_back(std::move(branch));
        }
        return end_of_block("endif");
    }

    Result<void> name_list(std::vector<std::string>& names) {
        const bool bracket = accept_operator("(");
        do {
            names.push_back(TRY(expect_name()));
        } while (accept_operator(","));
        return bracket ? expect_operator(")") : Result<void>();
    }

    Result<void> for_block(Statement& statement) {
        statement.kind = StatementKind::For;
        TRY(name_list(statement.targets));
        if (!accept_name("in")) {
            return problem("expected 'in'");
        }
        // Not expression(): its "if" would take the loop's condition for a choice.
        statement.exprs.push_back(TRY(disjunction()));
        if (accept_name("if")) {
            statement.exprs.push_back(TRY(disjunction()));
        }
        if (is_name("recursive")) {
            return problem("recursive loops are not supported");
        }
        TRY(end_of_block());
        ++loops_;
        statement.body = TRY(statements({"else", "endfor"}));
        --loops_;
        if (accept_name("else")) {
            TRY(end_of_block());
            statement.otherwise = TRY(statements({"endfor"}));
        }
        return end_of_block("endfor");
    }

    Result<void> set_block(Statement& statement) {
        statement.kind = StatementKind::Set;
        TRY(name_list(statement.targets));
        if (statement.targets.size() == 1 && accept_operator(".")) {
            statement.targets.push_back(TRY(expect_name()));
            statement.to_field = true;
        }
        if (accept_operator("=")) {
            statement.exprs.push_back(TRY(expression()));
            if (is_operator(",")) { // "set a = 1, 2" is a tuple
                Expr list = make(ExprKind::Sequence);
                list.args.push_back(std::move(statement.exprs[0]));
                while (accept_operator(",")) {
                    list.args.push_back(TRY(expression()));
                }
                statement.exprs[0] = TRY(bounded(std::move(list)));
            }
            return end_of_block();
        }
        if (statement.targets.size() != 1) {
            return problem("a set block binds one name");
        }
        statement.kind = StatementKind::SetBlock;
        TRY(end_of_block());
        statement.body = TRY(statements({"endset"}));
        return end_of_block("endset");
    }

    Result<void> macro_block(Statement& statement) {
        statement.kind = StatementKind::Macro;
        statement.text = TRY(expect_name());
        TRY(expect_operator("("));
        while (!accept_operator(")")) {
            NamedExpr parameter{TRY(expect_name()), make(ExprKind::Missing)};
            if (accept_operator("=")) {
                parameter.value = TRY(expression());
            }
            statement.parameters.push_back(std::move(parameter));
            if (!is_operator(")")) {
                TRY(expect_operator(","));
            }
        }
        TRY(end_of_block());
        const int outer_loops = std::exchange(loops_, 0);
        statement.body = TRY(statements({"endmacro"}));
        loops_ = outer_loops;
        return end_of_block("endmacro");
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    int depth_max_;
    int depth_ = 0;
    int loops_ = 0;
};

} // namespace

Result<std::vector<Statement>> parse_tokens(std::vector<Token> tokens, int depth_max) {
    return Parser(std::move(tokens), depth_max).run();
}

} // namespace handeye::jinja
