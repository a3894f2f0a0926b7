// SPDX-License-Identifier: Apache-2.0
// Tokens to a tree: one function per statement; expressions are in template_expression-inl.h.
#include "engine/tokenizer/template_expression-inl.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

class Parser : ExpressionParser {
public:
    Parser(std::vector<Token> tokens, int depth_max) : ExpressionParser(std::move(tokens), depth_max) {}

    Result<std::vector<Statement>> run() {
        std::vector<Statement> body = TRY(statements({}));
        if (peek().kind != TokenKind::End) {
            return problem("a tag closes what was not opened");
        }
        return body;
    }

private:
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

    int loops_ = 0;
};

} // namespace

Result<std::vector<Statement>> parse_tokens(std::vector<Token> tokens, int depth_max) {
    return Parser(std::move(tokens), depth_max).run();
}

} // namespace handeye::jinja
