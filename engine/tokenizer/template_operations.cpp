// SPDX-License-Identifier: Apache-2.0
// Arithmetic, comparison, subscripts and iteration of template values.
#include "engine/tokenizer/template_eval.h"
#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace handeye::jinja {

constexpr std::size_t kCharacterCostBytes = 512; // each becomes a text of its own

Result<void> Budget::spend(std::size_t bytes) {
    steps_ += 1 + bytes / 256;
    if (steps_ > limits_.steps_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("more than {} steps", limits_.steps_max)};
    }
    return {};
}

Result<void> Budget::allow_text(std::size_t bytes) {
    if (bytes > limits_.output_bytes_max) {
        return Error{ErrorCode::LimitExceeded,
                     fmt::format("a text of {} bytes passes the limit of {}", bytes, limits_.output_bytes_max)};
    }
    return spend(bytes);
}

Result<bool> Budget::equal(const Value& a, const Value& b) {
    constexpr std::size_t kPairsMax = 100'000;
    std::size_t left = kPairsMax;
    const bool same = jinja::equal(a, b, left);
    TRY(spend((kPairsMax - left) * 64 + (a.as_text() ? a.as_text()->bytes().size() : 0)));
    if (left == 0) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a comparison of more than {} values", kPairsMax)};
    }
    return same;
}

Result<Text> printed(const Value& value, WriteOptions options, Budget& budget) {
    constexpr std::size_t kStructureBytesMax = 4U << 20U;
    options.bytes_max = budget.limits().output_bytes_max;
    if (!value.as_text()) {
        options.bytes_max = std::min(options.bytes_max, kStructureBytesMax);
    }
    Text text = write(value, options);
    TRY(budget.spend(text.bytes().size()));
    if (text.bytes().size() > options.bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} prints as more than {} bytes", value.type_name(), options.bytes_max)};
    }
    return text;
}

Error bad_operand(std::string_view what, const Value& value) {
    const auto* undefined = std::get_if<Undefined>(&value.state());
    return {ErrorCode::InvalidArgument,
            undefined != nullptr ? fmt::format("{}: '{}' is undefined", what, undefined->name)
                                 : fmt::format("{}: {} does not work here", what, value.type_name())};
}

std::vector<std::size_t> character_offsets(std::string_view text) {
    std::vector<std::size_t> offsets;
    std::size_t at = 0;
    for (; at < text.size(); at += utf8_step(text.substr(at)).length) {
        offsets.push_back(at);
    }
    offsets.push_back(text.size());
    return offsets;
}

namespace {

Result<Value> concatenated(const Text& left, const Text& right, Budget& budget) {
    TRY(budget.allow_text(left.bytes().size() + right.bytes().size()));
    Text out = left;
    out.append(right);
    return Value::text(std::move(out));
}

Result<Value> repeated(const Text& text, std::int64_t count, Budget& budget) {
    const std::size_t times = count > 0 ? static_cast<std::size_t>(count) : 0;
    if (times > 0 && text.bytes().size() > budget.limits().output_bytes_max / times) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a text of {} bytes, {} times, passes the limit of {}",
                                                           text.bytes().size(), times, budget.limits().output_bytes_max)};
    }
    TRY(budget.spend(text.bytes().size() * times));
    Text out;
    for (std::size_t i = 0; i < times && !text.bytes().empty(); ++i) {
        out.append(text);
    }
    return Value::text(std::move(out));
}

Result<Value> integers(std::string_view name, std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    bool overflow = false;
    if (name == "+") {
        overflow = __builtin_add_overflow(a, b, &out);
    } else if (name == "-") {
        overflow = __builtin_sub_overflow(a, b, &out);
    } else if (name == "*") {
        overflow = __builtin_mul_overflow(a, b, &out);
    } else if (name == "**") {
        const double power = std::pow(static_cast<double>(a), static_cast<double>(b));
        if (b < 0) {
            return Value(Value::State(power));
        }
        overflow = !(std::abs(power) < 9e15); // exact in double up to there
        out = overflow ? 0 : static_cast<std::int64_t>(power);
    } else {
        if (b == 0) {
            return Error{ErrorCode::InvalidArgument, "division by zero"};
        }
        overflow = b == -1 && a == INT64_MIN;
        const std::int64_t quotient = overflow ? 0 : a / b, rest = overflow ? 0 : a % b;
        const bool rounds_down = rest != 0 && (rest < 0) != (b < 0); // Python floors
        out = name == "//" ? quotient - (rounds_down ? 1 : 0) : rest + (rounds_down ? b : 0);
    }
    if (overflow) {
        return Error{ErrorCode::OutOfBounds, fmt::format("{} {} {} does not fit 64 bits", a, name, b)};
    }
    return Value(Value::State(out));
}

Result<Value> reals(std::string_view name, double a, double b) {
    const bool divides = name == "/" || name == "//" || name == "%";
    if (divides && b == 0.0) {
        return Error{ErrorCode::InvalidArgument, "division by zero"};
    }
    double out = 0.0;
    if (name == "+") {
        out = a + b;
    } else if (name == "-") {
        out = a - b;
    } else if (name == "*") {
        out = a * b;
    } else if (name == "**") {
        out = std::pow(a, b);
    } else if (name == "/") {
        out = a / b;
    } else {
        out = name == "//" ? std::floor(a / b) : a - std::floor(a / b) * b;
    }
    return Value(Value::State(out));
}

} // namespace

Result<Value> binary_operation(std::string_view name, const Value& left, const Value& right, Budget& budget) {
    if (name == "~") {
        const Text left_text = TRY(printed(left, {}, budget));
        return concatenated(left_text, TRY(printed(right, {}, budget)), budget);
    }
    const std::string what = fmt::format("operator {}", name);
    if (name == "+" && left.as_text() && right.as_text()) {
        return concatenated(*left.as_text(), *right.as_text(), budget);
    }
    if (name == "+" && left.as_list() && right.as_list()) {
        TRY(budget.spend((left.as_list()->size() + right.as_list()->size()) * sizeof(Value)));
        List all = *left.as_list();
        all.insert(all.end(), right.as_list()->begin(), right.as_list()->end());
        return Value::list(std::move(all));
    }
    if (name == "*" && left.as_text() && right.is_integer()) {
        return repeated(*left.as_text(), right.integer(), budget);
    }
    if (name == "*" && right.as_text() && left.is_integer()) {
        return repeated(*right.as_text(), left.integer(), budget);
    }
    if (!left.is_number() || !right.is_number()) {
        return bad_operand(what, left.is_number() ? right : left);
    }
    return left.is_integer() && right.is_integer() && name != "/" ? integers(name, left.integer(), right.integer())
                                                                  : reals(name, left.number(), right.number());
}

namespace {

Result<bool> contains(const Value& container, const Value& item, Budget& budget) {
    if (const Text* text = container.as_text()) {
        if (!item.as_text()) {
            return bad_operand("'in' a string", item);
        }
        TRY(budget.spend(text->bytes().size()));
        return text->bytes().find(item.as_text()->bytes()) != std::string::npos;
    }
    if (const Dict* dict = container.as_dict()) {
        return item.as_text() != nullptr && dict->find(item.as_text()->bytes()) != nullptr;
    }
    if (const List* list = container.as_list()) {
        TRY(budget.spend(list->size() * sizeof(Value)));
        for (const Value& value : *list) {
            if (TRY(budget.equal(value, item))) {
                return true;
            }
        }
        return false;
    }
    return container.is_undefined() ? Result<bool>(false) : bad_operand("'in'", container);
}

} // namespace

Result<bool> compare(std::string_view name, const Value& left, const Value& right, Budget& budget) {
    if (name == "in" || name == "not in") {
        return TRY(contains(right, left, budget)) == (name == "in");
    }
    if (name == "==" || name == "!=") {
        return TRY(budget.equal(left, right)) == (name == "==");
    }
    double order = 0;
    if (left.is_number() && right.is_number()) {
        const double a = left.number(), b = right.number();
        order = a < b ? -1 : a > b ? 1 : 0;
    } else if (left.as_text() && right.as_text()) {
        order = left.as_text()->bytes().compare(right.as_text()->bytes());
    } else {
        return bad_operand(fmt::format("operator {}", name), left.is_number() || left.as_text() ? right : left);
    }
    return name == "<" ? order < 0 : name == "<=" ? order <= 0 : name == ">" ? order > 0 : order >= 0;
}

namespace {

std::optional<std::size_t> index_in(std::int64_t index, std::size_t size) {
    const auto count = static_cast<std::int64_t>(size);
    const std::int64_t from_start = index < 0 ? index + count : index;
    return from_start >= 0 && from_start < count ? std::optional(static_cast<std::size_t>(from_start)) : std::nullopt;
}

} // namespace

Result<Value> subscript(const Value& object, const Value& key, Budget& budget) {
    if (const auto* fields = std::get_if<std::shared_ptr<Namespace>>(&object.state()); fields && key.as_text()) {
        const Value* found = (*fields)->fields.find(key.as_text()->bytes());
        return found ? *found : Value::undefined(key.as_text()->bytes());
    }
    if (object.as_dict()) {
        const Value* found = key.as_text() ? object.as_dict()->find(key.as_text()->bytes()) : nullptr;
        return found ? *found : Value::undefined(key.as_text() ? key.as_text()->bytes() : "key");
    }
    if (object.as_list() && key.is_integer()) {
        const auto index = index_in(key.integer(), object.as_list()->size());
        return index ? (*object.as_list())[*index] : Value::undefined("item");
    }
    if (object.as_text() && key.is_integer()) {
        TRY(budget.spend(object.as_text()->bytes().size() * 16));
        const std::vector<std::size_t> offsets = character_offsets(object.as_text()->bytes());
        const auto index = index_in(key.integer(), offsets.size() - 1);
        return index ? Value::text(object.as_text()->slice(offsets[*index], offsets[*index + 1] - offsets[*index]))
                     : Value::undefined("character");
    }
    if (object.is_undefined()) {
        return bad_operand("access", object);
    }
    return Value::undefined(key.as_text() ? key.as_text()->bytes() : "item");
}

namespace {

// Python's rules for missing and negative bounds.
std::vector<std::size_t> sliced_indices(std::size_t size, std::optional<std::int64_t> begin, std::optional<std::int64_t> end,
                                        std::int64_t step) {
    const auto count = static_cast<std::int64_t>(size);
    const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
    const auto bound = [&](std::optional<std::int64_t> given, std::int64_t missing) {
        return given ? std::clamp(*given < 0 ? *given + count : *given, low, high) : missing;
    };
    std::vector<std::size_t> indices;
    const std::int64_t stop = bound(end, step > 0 ? high : low);
    for (std::int64_t i = bound(begin, step > 0 ? low : high); step > 0 ? i < stop : i > stop; i += step) {
        indices.push_back(static_cast<std::size_t>(i));
    }
    return indices;
}

} // namespace

Result<Value> slice(const Value& object, const Value& begin, const Value& end, const Value& step, Budget& budget) {
    std::optional<std::int64_t> bounds[3];
    const Value* given[3] = {&begin, &end, &step};
    for (std::size_t i = 0; i < 3; ++i) {
        if (given[i]->is_integer()) {
            bounds[i] = std::clamp<std::int64_t>(given[i]->integer(), -(1LL << 40), 1LL << 40);
        } else if (!given[i]->is_undefined() && !given[i]->is_none()) {
            return bad_operand("a slice's bound", *given[i]);
        }
    }
    if (bounds[2] == 0) {
        return Error{ErrorCode::InvalidArgument, "a slice's step is 0"};
    }
    if (const List* list = object.as_list()) {
        TRY(budget.spend(list->size() * sizeof(Value)));
        List out;
        for (const std::size_t index : sliced_indices(list->size(), bounds[0], bounds[1], bounds[2].value_or(1))) {
            out.push_back((*list)[index]);
        }
        return Value::list(std::move(out));
    }
    if (const Text* text = object.as_text()) {
        TRY(budget.spend(text->bytes().size() * 16));
        const std::vector<std::size_t> offsets = character_offsets(text->bytes());
        const auto indices = sliced_indices(offsets.size() - 1, bounds[0], bounds[1], bounds[2].value_or(1));
        if (bounds[2].value_or(1) == 1) {
            const std::size_t from = indices.empty() ? 0 : offsets[indices.front()];
            return Value::text(text->slice(from, indices.empty() ? 0 : offsets[indices.back() + 1] - from));
        }
        std::string out;
        for (const std::size_t index : indices) {
            out += std::string_view(text->bytes()).substr(offsets[index], offsets[index + 1] - offsets[index]);
        }
        return Value::text(std::move(out), text->has_content());
    }
    return bad_operand("a slice", object);
}

Result<std::shared_ptr<const List>> iterate(const Value& value, Budget& budget) {
    if (const auto* list = std::get_if<std::shared_ptr<const List>>(&value.state())) {
        return *list;
    }
    auto items = std::make_shared<List>();
    if (const Text* text = value.as_text()) {
        TRY(budget.spend(text->bytes().size() * kCharacterCostBytes));
        const std::vector<std::size_t> offsets = character_offsets(text->bytes());
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
            items->push_back(Value::text(text->slice(offsets[i], offsets[i + 1] - offsets[i])));
        }
    } else if (const Dict* dict = value.as_dict()) {
        for (const auto& [key, unused] : dict->entries) {
            items->push_back(Value::text(key, dict->keys_from_content));
        }
    } else if (!value.is_undefined()) {
        return bad_operand("a loop", value);
    }
    return std::shared_ptr<const List>(std::move(items));
}

} // namespace handeye::jinja
