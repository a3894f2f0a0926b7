// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/template_interpreter.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

constexpr int kNestingPerLevel = 8; // statements and operators that one level of depth_max may hold
constexpr std::int64_t kRangeMax = 100'000;
constexpr std::array<std::string_view, 4> kBuiltins{"namespace", "range", "raise_exception", "dict"};

Error at_line(const Error& error, int line) {
    // The innermost line is the useful one; outer levels leave the message alone.
    return error.message.starts_with("chat template") ? error
                                                      : error.with_context(fmt::format("chat template, line {}", line));
}

} // namespace

/// Names of one level: the template, a loop's body or a macro's.
struct Interpreter::Scope {
    explicit Scope(Scope* outer) : parent(outer) {}
    Scope* parent;
    Dict names;

    [[nodiscard]] const Value* find(std::string_view name) const {
        const Value* found = names.find(name);
        return found != nullptr || parent == nullptr ? found : parent->find(name);
    }
};

Interpreter::Interpreter(const std::vector<Statement>& program, Dict variables, const TemplateLimits& limits)
    : program_(program), budget_(limits), globals_(std::make_unique<Scope>(nullptr)) {
    globals_->names = std::move(variables);
}

Interpreter::~Interpreter() {
    for (const auto& held : namespaces_) {
        held->fields = {};
    }
}

Result<Text> Interpreter::run() {
    Text out;
    TRY(execute(program_, *globals_, out));
    return out;
}

// ---- statements

Result<Interpreter::Flow> Interpreter::execute(const std::vector<Statement>& body, Scope& scope, Text& out) {
    for (const Statement& statement : body) {
        Result<void> spent = budget_.spend();
        if (!spent) {
            return at_line(spent.error(), statement.line);
        }
        Result<Flow> flow = execute_one(statement, scope, out);
        if (!flow) {
            return at_line(flow.error(), statement.line);
        }
        if (*flow != Flow::Next) {
            return *flow;
        }
    }
    return Flow::Next;
}

Result<Interpreter::Flow> Interpreter::execute_one(const Statement& statement, Scope& scope, Text& out) {
    switch (statement.kind) {
    case StatementKind::Text:
        TRY(budget_.allow_text(out.bytes().size() + statement.text.size() > budget_.limits().output_bytes_max
                                   ? out.bytes().size() + statement.text.size()
                                   : statement.text.size()));
        out.append(statement.text, false);
        return Flow::Next;
    case StatementKind::Print: {
        const Value value = TRY(evaluate(statement.exprs[0], scope));
        TRY(emit(value, out));
        return Flow::Next;
    }
    case StatementKind::If: return execute_if(statement, scope, out);
    case StatementKind::For: return execute_for(statement, scope, out);
    case StatementKind::Set: {
        Value value = TRY(evaluate(statement.exprs[0], scope));
        TRY(assign(statement, scope, std::move(value)));
        return Flow::Next;
    }
    case StatementKind::SetBlock: {
        Text text;
        const Flow flow = TRY(execute(statement.body, scope, text));
        TRY(assign(statement, scope, Value::text(std::move(text))));
        return flow;
    }
    case StatementKind::Macro: scope.names.set(statement.text, Value::State(Macro{&statement})); return Flow::Next;
    case StatementKind::Group: return execute(statement.body, scope, out);
    case StatementKind::Break: return Flow::Break;
    case StatementKind::Continue: return Flow::Continue;
    }
    return Flow::Next;
}

Result<void> Interpreter::emit(const Value& value, Text& out) {
    const Text text = TRY(printed(value, {}, budget_));
    if (out.bytes().size() + text.bytes().size() > budget_.limits().output_bytes_max) {
        return budget_.allow_text(out.bytes().size() + text.bytes().size());
    }
    out.append(text);
    return {};
}

Result<Interpreter::Flow> Interpreter::execute_if(const Statement& statement, Scope& scope, Text& out) {
    for (const Branch& branch : statement.branches) {
        const bool taken = branch.condition.kind == ExprKind::Missing || TRY(evaluate(branch.condition, scope)).is_true();
        if (taken) {
            return execute(branch.body, scope, out);
        }
    }
    return Flow::Next;
}

Result<Interpreter::Flow> Interpreter::execute_for(const Statement& statement, Scope& scope, Text& out) {
    const Value source = TRY(evaluate(statement.exprs[0], scope));
    auto items = TRY(iterate(source, budget_));
    if (statement.exprs.size() > 1) {
        auto kept = std::make_shared<List>();
        for (const Value& item : *items) {
            Scope inner(&scope);
            TRY(bind(statement.targets, inner, item));
            if (TRY(evaluate(statement.exprs[1], inner)).is_true()) {
                kept->push_back(item);
            }
        }
        items = std::move(kept);
    }
    for (std::size_t i = 0; i < items->size(); ++i) {
        TRY(budget_.spend());
        Scope inner(&scope);
        inner.names.set("loop", Value::State(std::make_shared<const Loop>(Loop{i, items})));
        TRY(bind(statement.targets, inner, (*items)[i]));
        if (TRY(execute(statement.body, inner, out)) == Flow::Break) {
            break;
        }
    }
    return items->empty() ? execute(statement.otherwise, scope, out) : Result<Flow>(Flow::Next);
}

Result<void> Interpreter::bind(const std::vector<std::string>& targets, Scope& scope, const Value& value) {
    if (targets.size() == 1) {
        scope.names.set(targets[0], value);
        return {};
    }
    const auto items = TRY(iterate(value, budget_));
    if (items->size() != targets.size()) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("{} values cannot be given to {} names", items->size(), targets.size())};
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
        scope.names.set(targets[i], (*items)[i]);
    }
    return {};
}

Result<void> Interpreter::assign(const Statement& statement, Scope& scope, Value value) {
    if (!statement.to_field) {
        return bind(statement.targets, scope, value);
    }
    const Value* object = scope.find(statement.targets[0]);
    const auto* fields = object ? std::get_if<std::shared_ptr<Namespace>>(&object->state()) : nullptr;
    if (fields == nullptr) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("'{}' is not a namespace: its fields cannot be set", statement.targets[0])};
    }
    (*fields)->fields.set(statement.targets[1], std::move(value));
    return {};
}

// ---- expressions

Result<Value> Interpreter::evaluate(const Expr& expr, Scope& scope) {
    struct Nesting {
        int& depth;
        explicit Nesting(int& counter) : depth(++counter) {}
        ~Nesting() { --depth; }
        Nesting(const Nesting&) = delete;
        Nesting& operator=(const Nesting&) = delete;
    };
    const Nesting nesting(depth_);
    if (depth_ > budget_.limits().depth_max * kNestingPerLevel) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("evaluation is nested deeper than {}", budget_.limits().depth_max * kNestingPerLevel)};
    }
    TRY(budget_.spend());
    return evaluate_inner(expr, scope);
}

Result<Value> Interpreter::evaluate_inner(const Expr& expr, Scope& scope) {
    switch (expr.kind) {
    case ExprKind::Constant: return expr.constant;
    case ExprKind::Missing: return Value::undefined("bound");
    case ExprKind::Name: {
        if (const Value* found = scope.find(expr.name)) {
            return *found;
        }
        const auto builtin = std::find(kBuiltins.begin(), kBuiltins.end(), expr.name);
        return builtin != kBuiltins.end() ? Value(Value::State(Builtin{*builtin})) : Value::undefined(expr.name);
    }
    case ExprKind::Sequence: return evaluate_list(expr, scope);
    case ExprKind::Mapping: return evaluate_dict(expr, scope);
    case ExprKind::Attribute: return attribute(TRY(evaluate(expr.args[0], scope)), expr.name);
    case ExprKind::Subscript: {
        const Value object = TRY(evaluate(expr.args[0], scope));
        return subscript(object, TRY(evaluate(expr.args[1], scope)), budget_);
    }
    case ExprKind::Slice: return evaluate_slice(expr, scope);
    case ExprKind::Call: return evaluate_call(expr, scope);
    case ExprKind::Filter: {
        const Value operand = TRY(evaluate(expr.args[0], scope));
        return apply_filter(expr.name, operand, TRY(evaluate_arguments(expr, scope)), budget_);
    }
    case ExprKind::Test: {
        const Value operand = TRY(evaluate(expr.args[0], scope));
        const Arguments arguments = TRY(evaluate_arguments(expr, scope));
        return Value(Value::State(TRY(apply_test(expr.name, operand, arguments, budget_))));
    }
    case ExprKind::Not: return Value(Value::State(!TRY(evaluate(expr.args[0], scope)).is_true()));
    case ExprKind::Negate:
    case ExprKind::Plus: return evaluate_sign(expr, scope);
    case ExprKind::And:
    case ExprKind::Or: {
        Value left = TRY(evaluate(expr.args[0], scope));
        return left.is_true() == (expr.kind == ExprKind::Or) ? Result<Value>(std::move(left))
                                                             : evaluate(expr.args[1], scope);
    }
    case ExprKind::Compare: return evaluate_compare(expr, scope);
    case ExprKind::Binary: {
        const Value left = TRY(evaluate(expr.args[0], scope));
        return binary_operation(expr.name, left, TRY(evaluate(expr.args[1], scope)), budget_);
    }
    case ExprKind::Choice: return evaluate_choice(expr, scope);
    }
    return Value::undefined("expression");
}

Result<Value> Interpreter::evaluate_list(const Expr& expr, Scope& scope) {
    List items;
    for (const Expr& item : expr.args) {
        items.push_back(TRY(evaluate(item, scope)));
    }
    return Value::list(std::move(items));
}

Result<Value> Interpreter::evaluate_dict(const Expr& expr, Scope& scope) {
    Dict dict;
    for (std::size_t i = 0; i + 1 < expr.args.size(); i += 2) {
        const Value key = TRY(evaluate(expr.args[i], scope));
        if (!key.as_text()) {
            return bad_operand("a mapping's key", key);
        }
        dict.keys_from_content = dict.keys_from_content || key.as_text()->has_content();
        dict.set(key.as_text()->bytes(), TRY(evaluate(expr.args[i + 1], scope)));
    }
    return Value::dict(std::move(dict));
}

Result<Value> Interpreter::evaluate_compare(const Expr& expr, Scope& scope) {
    Value left = TRY(evaluate(expr.args[0], scope));
    for (std::size_t i = 0; i < expr.operators.size(); ++i) {
        Value right = TRY(evaluate(expr.args[i + 1], scope));
        if (!TRY(compare(expr.operators[i], left, right, budget_))) {
            return Value(Value::State(false));
        }
        left = std::move(right);
    }
    return Value(Value::State(true));
}

Result<Value> Interpreter::evaluate_choice(const Expr& expr, Scope& scope) {
    if (TRY(evaluate(expr.args[1], scope)).is_true()) {
        return evaluate(expr.args[0], scope);
    }
    return expr.args.size() > 2 ? evaluate(expr.args[2], scope) : Value::undefined("choice");
}

Result<Value> Interpreter::evaluate_sign(const Expr& expr, Scope& scope) {
    const Value value = TRY(evaluate(expr.args[0], scope));
    if (!value.is_number()) {
        return bad_operand("a sign", value);
    }
    const Value zero = Value::State(std::int64_t{0});
    // 0 - x keeps the overflow check; the float -0.0 that it loses prints alike.
    return binary_operation(expr.kind == ExprKind::Negate ? "-" : "+", zero, value, budget_);
}

Result<Value> Interpreter::evaluate_slice(const Expr& expr, Scope& scope) {
    const Value object = TRY(evaluate(expr.args[0], scope));
    const Value begin = TRY(evaluate(expr.args[1], scope));
    const Value end = TRY(evaluate(expr.args[2], scope));
    const Value step = TRY(evaluate(expr.args[3], scope));
    return slice(object, begin, end, step, budget_);
}

Result<Value> Interpreter::attribute(const Value& object, const std::string& name) {
    const auto* loop = std::get_if<std::shared_ptr<const Loop>>(&object.state());
    if (loop == nullptr) {
        const bool is_index = !name.empty() && name.find_first_not_of("0123456789") == name.npos && name.size() < 10;
        return subscript(object, is_index ? Value(Value::State(std::int64_t{std::stoi(name)})) : Value::text(name), budget_);
    }
    const auto index = static_cast<std::int64_t>((*loop)->index0);
    const auto count = static_cast<std::int64_t>((*loop)->items->size());
    const auto item = [&](std::int64_t at) {
        return at >= 0 && at < count ? (*(*loop)->items)[static_cast<std::size_t>(at)] : Value::undefined(name);
    };
    const std::array<std::pair<std::string_view, Value>, 9> fields{{
        {"index", Value::State(index + 1)},
        {"index0", Value::State(index)},
        {"revindex", Value::State(count - index)},
        {"revindex0", Value::State(count - index - 1)},
        {"first", Value::State(index == 0)},
        {"last", Value::State(index + 1 == count)},
        {"length", Value::State(count)},
        {"previtem", item(index - 1)},
        {"nextitem", item(index + 1)},
    }};
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
    return found != fields.end() ? found->second : Value::undefined("loop." + name);
}

Result<Arguments> Interpreter::evaluate_arguments(const Expr& expr, Scope& scope) {
    Arguments arguments;
    for (std::size_t i = 1; i < expr.args.size(); ++i) { // args[0] is what is called or filtered
        arguments.positional.push_back(TRY(evaluate(expr.args[i], scope)));
    }
    for (const NamedExpr& named : expr.named) {
        arguments.named.emplace_back(named.name, TRY(evaluate(named.value, scope)));
    }
    return arguments;
}

Result<Value> Interpreter::evaluate_call(const Expr& expr, Scope& scope) {
    const Expr& callee = expr.args[0];
    if (callee.kind == ExprKind::Attribute) {
        const Value object = TRY(evaluate(callee.args[0], scope));
        if (has_method(object, callee.name)) {
            return call_method(object, callee.name, TRY(evaluate_arguments(expr, scope)), budget_);
        }
        if (object.is_undefined()) {
            return bad_operand(fmt::format("calling .{}()", callee.name), object);
        }
        return Error{ErrorCode::InvalidArgument, fmt::format("{} has no method '{}'", object.type_name(), callee.name)};
    }
    const Value function = TRY(evaluate(callee, scope));
    const Arguments arguments = TRY(evaluate_arguments(expr, scope));
    if (const auto* macro = std::get_if<Macro>(&function.state())) {
        return call_macro(*macro->definition, arguments);
    }
    if (const auto* builtin = std::get_if<Builtin>(&function.state())) {
        return call_builtin(builtin->name, arguments);
    }
    return bad_operand("a call", function);
}

Result<Value> Interpreter::call_macro(const Statement& macro, const Arguments& arguments) {
    if (macro_depth_ >= budget_.limits().depth_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("macro '{}': calls are nested deeper than {}", macro.text, budget_.limits().depth_max)};
    }
    if (arguments.positional.size() > macro.parameters.size()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("macro '{}' takes {} arguments, got {}", macro.text,
                                                             macro.parameters.size(), arguments.positional.size())};
    }
    Scope inner(globals_.get());
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
        const NamedExpr& parameter = macro.parameters[i];
        const Value* given = arguments.get(i, parameter.name);
        const bool has_default = parameter.value.kind != ExprKind::Missing;
        inner.names.set(parameter.name, given         ? *given
                                        : has_default ? TRY(evaluate(parameter.value, inner))
                                                      : Value::undefined(parameter.name));
    }
    ++macro_depth_;
    Text out;
    const Result<Flow> flow = execute(macro.body, inner, out);
    --macro_depth_;
    if (!flow) {
        return flow.error();
    }
    return Value::text(std::move(out));
}

Result<Value> Interpreter::call_builtin(std::string_view name, const Arguments& arguments) {
    if (name == "raise_exception") {
        const Value* message = arguments.get(0, "message");
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("the template refuses these messages: {}",
                                 write(message ? *message : Value::text(""), {.bytes_max = 1000}).bytes())};
    }
    if (name == "range") {
        std::int64_t bounds[3] = {0, 0, 1};
        const List& given = arguments.positional;
        for (std::size_t i = 0; i < given.size() && i < 3; ++i) {
            if (!given[i].is_integer()) {
                return bad_operand("range", given[i]);
            }
            bounds[given.size() == 1 ? 1 : i] = std::clamp<std::int64_t>(given[i].integer(), -(1LL << 40), 1LL << 40);
        }
        const auto [begin, end, step] = std::tuple(bounds[0], bounds[1], bounds[2]);
        const std::int64_t span = step > 0 ? end - begin : begin - end;
        const std::int64_t stride = step > 0 ? step : -step;
        if (given.empty() || step == 0 || (span > 0 && (span - 1) / stride + 1 > kRangeMax)) {
            return Error{ErrorCode::LimitExceeded, fmt::format("range({}, {}, {}): it must have 0 to {} items", begin, end,
                                                               step, kRangeMax)};
        }
        List items;
        for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
            items.push_back(Value::State(i));
        }
        TRY(budget_.spend(items.size() * sizeof(Value)));
        return Value::list(std::move(items));
    }
    Dict fields;
    for (const auto& [key, value] : arguments.named) {
        fields.set(key, value);
    }
    if (name == "dict") {
        return Value::dict(std::move(fields));
    }
    namespaces_.push_back(std::make_shared<Namespace>(Namespace{std::move(fields)}));
    return Value(Value::State(namespaces_.back()));
}

} // namespace handeye::jinja
