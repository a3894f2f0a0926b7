// SPDX-License-Identifier: Apache-2.0
// What an interpreter of chat templates needs from its parts: limits, arguments, and the built-in names.
#pragma once

#include "base/result.h"
#include "engine/tokenizer/chat_template.h"
#include "engine/tokenizer/template_syntax.h"

#include <string_view>

namespace handeye::jinja {

/// Work done so far in one rendering. Every node costs one step, and every 256 bytes of text that are looked at or written
/// cost another, so that neither long loops nor doubling strings outlive the limit.
class Budget {
public:
    explicit Budget(const TemplateLimits& limits) : limits_(limits) {}
    Result<void> spend(std::size_t bytes = 0);
    /// A string of this size may be made. Also spends.
    Result<void> allow_text(std::size_t bytes);
    /// Compares, and spends for every pair of values that it took.
    Result<bool> equal(const Value& a, const Value& b);
    [[nodiscard]] const TemplateLimits& limits() const { return limits_; }

private:
    TemplateLimits limits_;
    std::size_t steps_ = 0;
};

struct Arguments {
    List positional;
    Entries named;
    /// By position or name; null when it was not given.
    [[nodiscard]] const Value* get(std::size_t index, std::string_view name) const;
};

/// write() within the budget: a string up to the output limit, anything else up to 4 MiB of text.
Result<Text> printed(const Value& value, WriteOptions options, Budget& budget);

/// Errors: InvalidArgument with what was wrong; the caller adds the line.
Result<Value> apply_filter(std::string_view name, const Value& operand, const Arguments& arguments, Budget& budget);
Result<bool> apply_test(std::string_view name, const Value& operand, const Arguments& arguments, Budget& budget);
/// A method of a string or mapping.
Result<Value> call_method(const Value& object, std::string_view name, const Arguments& arguments, Budget& budget);
[[nodiscard]] bool has_method(const Value& object, std::string_view name);

Result<Value> binary_operation(std::string_view name, const Value& left, const Value& right, Budget& budget);
Result<bool> compare(std::string_view operator_name, const Value& left, const Value& right, Budget& budget);
Result<Value> subscript(const Value& object, const Value& key, Budget& budget);
/// `step` and the bounds may be undefined.
Result<Value> slice(const Value& object, const Value& begin, const Value& end, const Value& step, Budget& budget);
/// The items of a list, the characters of a string, the keys of a mapping; nothing for undefined.
Result<std::shared_ptr<const List>> iterate(const Value& value, Budget& budget);

/// Offsets of the characters of UTF-8 text, and its size as the last one.
std::vector<std::size_t> character_offsets(std::string_view text);
Error bad_operand(std::string_view what, const Value& value);

} // namespace handeye::jinja
