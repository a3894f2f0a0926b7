// SPDX-License-Identifier: Apache-2.0
// What makes a grammar safe to run: no rule begins with itself (its stacks would grow without an end), and every rule can end.
#include "engine/grammar/syntax.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

using Kind = Expression::Kind;

Error fault(const SyntaxRule& rule, std::string_view what) {
    return {ErrorCode::ParseFailed, fmt::format("grammar, line {}, column {}: the rule '{}' {}", rule.line, rule.column, rule.name, what)};
}

constexpr std::uint32_t kNever = 0xFFFFFFFF;

/// A property of expressions that follows from their parts' and rules': `missing` says of how many more an expression waits for it
/// (0: it has it; kNever: it cannot). Each expression is settled once, so the time is linear in the grammar.
std::vector<bool> settled(const Syntax& syntax, std::vector<std::uint32_t> missing) {
    std::vector<std::vector<ExpressionId>> waiting(syntax.expressions.size()); // by what they wait for
    for (ExpressionId id = 0; id < syntax.expressions.size(); ++id) {
        const Expression& e = syntax.expressions[id];
        if (e.kind == Kind::Rule) {
            waiting[syntax.rules[e.index].body].push_back(id);
        }
        for (const ExpressionId part : e.parts) {
            waiting[part].push_back(id);
        }
    }
    std::vector<bool> known(syntax.expressions.size(), false);
    std::vector<ExpressionId> work;
    const auto settle = [&](ExpressionId id) {
        known[id] = true;
        work.push_back(id);
    };
    for (ExpressionId id = 0; id < missing.size(); ++id) {
        if (missing[id] == 0) {
            settle(id);
        }
    }
    while (!work.empty()) {
        const ExpressionId id = work.back();
        work.pop_back();
        for (const ExpressionId waiter : waiting[id]) {
            if (!known[waiter] && missing[waiter] != kNever && --missing[waiter] == 0) {
                settle(waiter);
            }
        }
    }
    return known;
}

/// Of how many parts an expression waits, when literals wait as `literal` says.
template <class Literal>
std::vector<std::uint32_t> waits(const Syntax& syntax, std::uint32_t character, Literal literal) {
    std::vector<std::uint32_t> missing;
    for (const Expression& e : syntax.expressions) {
        switch (e.kind) {
        case Kind::Literal: missing.push_back(literal(e)); break;
        case Kind::Class:
        case Kind::Token: missing.push_back(character); break;
        case Kind::Sequence: missing.push_back(static_cast<std::uint32_t>(e.parts.size())); break;
        case Kind::Rule:
        case Kind::Choice: missing.push_back(1); break;
        case Kind::Repeat: missing.push_back(e.min == 0 ? 0 : 1); break;
        }
    }
    return missing;
}

/// The rules that an expression can begin with.
void collect_first(const Syntax& syntax, ExpressionId id, std::vector<std::uint32_t>& rules) {
    std::vector<ExpressionId> work{id};
    while (!work.empty()) {
        const Expression& e = syntax.expressions[work.back()];
        work.pop_back();
        if (e.kind == Kind::Rule) {
            rules.push_back(e.index);
        }
        if (e.kind == Kind::Repeat && e.max == 0) {
            continue;
        }
        for (const ExpressionId part : e.parts) {
            work.push_back(part);
            if (e.kind == Kind::Sequence && !syntax.is_nullable[part]) {
                break;
            }
        }
    }
}

/// Depth-first over "can begin with"; a rule met again while it is open begins with itself.
Result<void> refuse_left_recursion(const Syntax& syntax) {
    enum class Mark : std::uint8_t { New, Open, Done };
    struct Visit {
        std::uint32_t rule = 0;
        std::vector<std::uint32_t> next;
    };
    std::vector<Mark> marks(syntax.rules.size(), Mark::New);
    for (std::uint32_t start = 0; start < syntax.rules.size(); ++start) {
        std::vector<Visit> path;
        const auto open = [&](std::uint32_t rule) {
            marks[rule] = Mark::Open;
            path.push_back({rule, {}});
            collect_first(syntax, syntax.rules[rule].body, path.back().next);
        };
        if (marks[start] == Mark::New) {
            open(start);
        }
        while (!path.empty()) {
            if (path.back().next.empty()) {
                marks[path.back().rule] = Mark::Done;
                path.pop_back();
                continue;
            }
            const std::uint32_t rule = path.back().next.back();
            path.back().next.pop_back();
            if (marks[rule] == Mark::Open) {
                return fault(syntax.rules[rule], "begins with itself (left recursion): write it with * or +, or with itself at the end");
            }
            if (marks[rule] == Mark::New) {
                open(rule);
            }
        }
    }
    return {};
}

} // namespace

Result<void> check_syntax(Syntax& syntax) {
    syntax.is_nullable = settled(syntax, waits(syntax, kNever, [](const Expression& e) { return e.bytes.empty() ? 0 : kNever; }));
    const std::vector<bool> can_end = settled(syntax, waits(syntax, 0, [](const Expression&) { return 0; }));
    TRY(refuse_left_recursion(syntax));
    for (const SyntaxRule& rule : syntax.rules) {
        if (!can_end[rule.body]) {
            return fault(rule, "has no end: every way through it comes back to it");
        }
    }
    return {};
}

} // namespace handeye
