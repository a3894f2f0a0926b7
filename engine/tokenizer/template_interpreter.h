// SPDX-License-Identifier: Apache-2.0
// Runs a parsed chat template once.
#pragma once

#include "engine/tokenizer/template_eval.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye::jinja {

class Interpreter {
public:
    /// `program` must outlive the interpreter.
    Interpreter(const std::vector<Statement>& program, Dict variables, const TemplateLimits& limits);
    ~Interpreter();
    Interpreter(const Interpreter&) = delete;
    Interpreter& operator=(const Interpreter&) = delete;

    Result<Text> run();

private:
    struct Scope;
    enum class Flow { Next, Break, Continue };

    Result<Flow> execute(const std::vector<Statement>& body, Scope& scope, Text& out);
    Result<Flow> execute_one(const Statement& statement, Scope& scope, Text& out);
    Result<Flow> execute_if(const Statement& statement, Scope& scope, Text& out);
    Result<Flow> execute_for(const Statement& statement, Scope& scope, Text& out);
    Result<void> assign(const Statement& statement, Scope& scope, Value value);
    Result<void> bind(const std::vector<std::string>& targets, Scope& scope, const Value& value);
    Result<void> emit(const Value& value, Text& out);

    Result<Value> evaluate(const Expr& expr, Scope& scope);
    Result<Value> evaluate_inner(const Expr& expr, Scope& scope);
    Result<Value> evaluate_list(const Expr& expr, Scope& scope);
    Result<Value> evaluate_dict(const Expr& expr, Scope& scope);
    Result<Value> evaluate_compare(const Expr& expr, Scope& scope);
    Result<Value> evaluate_choice(const Expr& expr, Scope& scope);
    Result<Value> evaluate_sign(const Expr& expr, Scope& scope);
    Result<Value> evaluate_call(const Expr& expr, Scope& scope);
    Result<Value> evaluate_slice(const Expr& expr, Scope& scope);
    Result<Value> attribute(const Value& object, const std::string& name);
    Result<Arguments> evaluate_arguments(const Expr& expr, Scope& scope);
    Result<Value> call_macro(const Statement& macro, const Arguments& arguments);
    Result<Value> call_builtin(std::string_view name, const Arguments& arguments);

    const std::vector<Statement>& program_;
    Budget budget_;
    int depth_ = 0;
    int macro_depth_ = 0;
    std::unique_ptr<Scope> globals_;
    std::vector<std::shared_ptr<Namespace>> namespaces_; ///< emptied at the end: one may hold itself
};

} // namespace handeye::jinja
