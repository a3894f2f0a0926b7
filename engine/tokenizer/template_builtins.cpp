// SPDX-License-Identifier: Apache-2.0
// Filters, tests and methods, as tables of names. Only values are reachable from here: no attribute of a host object, no file,
// no clock.
#include "engine/tokenizer/template_eval.h"
#include "engine/tokenizer/template_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

constexpr std::size_t kPiecesMax = 1U << 17U;
constexpr std::size_t kPieceCostBytes = 512; // an allocated piece of text takes as long as two steps

Error invalid(std::string what) { return {ErrorCode::InvalidArgument, std::move(what)}; }

std::int64_t integer_or(const Value* value, std::int64_t otherwise) {
    return value != nullptr && value->is_integer() ? value->integer() : otherwise;
}
std::string_view bytes_or(const Value* value, std::string_view otherwise) {
    return value != nullptr && value->as_text() ? std::string_view(value->as_text()->bytes()) : otherwise;
}
Value make_bool(bool value) { return Value::State(value); }
Value make_integer(std::size_t value) { return Value::State(static_cast<std::int64_t>(value)); }

struct Call {
    const Value& object;
    const Arguments& arguments;
    Budget& budget;
    [[nodiscard]] const Text& text() const { return *object.as_text(); }
    [[nodiscard]] const Value* get(std::size_t index, std::string_view name) const { return arguments.get(index, name); }
    [[nodiscard]] Result<Text> printed() const { return jinja::printed(object, {}, budget); }
};

using Function = Result<Value> (*)(const Call&);
struct Entry {
    std::string_view name;
    Function function;
};

template <std::size_t N>
Function find_in(const std::array<Entry, N>& table, std::string_view name) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const Entry& entry) { return entry.name == name; });
    return found == table.end() ? nullptr : found->function;
}

// ---- methods of strings

Result<Value> strip_ends(const Call& call, StripEnds ends) {
    return Value::text(stripped(call.text(), ends, bytes_or(call.get(0, "chars"), "")));
}

Result<Value> split_from(const Call& call, SplitFrom from) {
    TRY(call.budget.spend(call.text().bytes().size()));
    const Value* separator = call.get(0, "sep");
    if (separator && !separator->is_none() && bytes_or(separator, "").empty()) {
        return invalid("split: the separator is empty or not a string");
    }
    List pieces = TRY(split(call.text(), bytes_or(separator, ""), integer_or(call.get(1, "maxsplit"), -1), from, kPiecesMax));
    TRY(call.budget.spend(pieces.size() * kPieceCostBytes));
    return Value::list(std::move(pieces));
}

template <class Has>
Result<Value> has_end(const Call& call, Has has) {
    const Value* wanted = call.get(0, "prefix");
    if (wanted != nullptr && wanted->as_list()) {
        return make_bool(std::any_of(wanted->as_list()->begin(), wanted->as_list()->end(), [&](const Value& one) {
            return one.as_text() && has(call.text().bytes(), one.as_text()->bytes());
        }));
    }
    if (wanted == nullptr || !wanted->as_text()) {
        return invalid("startswith and endswith take a string or a list of strings");
    }
    return make_bool(has(call.text().bytes(), wanted->as_text()->bytes()));
}

Result<Value> replace(const Call& call) {
    const Value* from = call.get(0, "old");
    const Value* with = call.get(1, "new");
    if (!from || !with || !from->as_text() || !with->as_text()) {
        return invalid("replace takes two strings");
    }
    TRY(call.budget.spend(call.text().bytes().size()));
    const Text subject = TRY(call.printed());
    std::int64_t count = integer_or(call.get(2, "count"), -1);
    Text out = TRY(replaced(subject, from->as_text()->bytes(), *with->as_text(), count,
                            call.budget.limits().output_bytes_max));
    TRY(call.budget.spend(static_cast<std::size_t>(count) * kPieceCostBytes));
    TRY(call.budget.allow_text(out.bytes().size()));
    return Value::text(std::move(out));
}

Result<Value> find_text(const Call& call, bool from_left) {
    const std::string_view bytes = call.text().bytes();
    const std::string_view wanted = bytes_or(call.get(0, "sub"), "");
    const std::size_t at = from_left ? bytes.find(wanted) : bytes.rfind(wanted);
    return at == bytes.npos ? Value(Value::State(std::int64_t{-1}))
                            : make_integer(character_offsets(bytes.substr(0, at)).size() - 1);
}

Result<Value> count_text(const Call& call) {
    const std::string_view wanted = bytes_or(call.get(0, "sub"), "");
    if (wanted.empty()) {
        return invalid("count takes a string that is not empty");
    }
    const auto pieces = TRY(split(call.text(), wanted, -1, SplitFrom::Left, kPiecesMax));
    TRY(call.budget.spend(pieces.size() * kPieceCostBytes));
    return make_integer(pieces.size() - 1);
}

Result<Value> join_values(const Call& call, const Value& items, const Text& separator, const Value* attribute) {
    const auto list = TRY(iterate(items, call.budget));
    Text out;
    for (std::size_t i = 0; i < list->size(); ++i) {
        const Value item = attribute ? TRY(subscript((*list)[i], *attribute, call.budget)) : (*list)[i];
        const Text text = TRY(printed(item, {}, call.budget));
        out.append(i == 0 ? Text() : separator);
        out.append(text);
        TRY(call.budget.spend(text.bytes().size() + separator.bytes().size()));
        if (out.bytes().size() > call.budget.limits().output_bytes_max) {
            return Error{ErrorCode::LimitExceeded,
                         fmt::format("join: the result passes {} bytes", call.budget.limits().output_bytes_max)};
        }
    }
    return Value::text(std::move(out));
}

Result<Value> remove_end(const Call& call, bool prefix) {
    const std::string_view wanted = bytes_or(call.get(0, "prefix"), "");
    const std::string& bytes = call.text().bytes();
    if (wanted.empty() || !(prefix ? bytes.starts_with(wanted) : bytes.ends_with(wanted))) {
        return call.object;
    }
    return Value::text(call.text().slice(prefix ? wanted.size() : 0, bytes.size() - wanted.size()));
}

template <class Is>
Result<Value> all_of(const Call& call, Is is) {
    const std::string& bytes = call.text().bytes();
    return make_bool(!bytes.empty() && std::all_of(bytes.begin(), bytes.end(), is));
}

constexpr std::array<Entry, 20> kTextMethods{{
    {"strip", [](const Call& call) { return strip_ends(call, StripEnds::Both); }},
    {"lstrip", [](const Call& call) { return strip_ends(call, StripEnds::Left); }},
    {"rstrip", [](const Call& call) { return strip_ends(call, StripEnds::Right); }},
    {"split", [](const Call& call) { return split_from(call, SplitFrom::Left); }},
    {"rsplit", [](const Call& call) { return split_from(call, SplitFrom::Right); }},
    {"splitlines",
     [](const Call& call) -> Result<Value> {
         List lines = TRY(split_lines(call.text(), kPiecesMax));
         TRY(call.budget.spend(lines.size() * kPieceCostBytes));
         return Value::list(std::move(lines));
     }},
    {"startswith",
     [](const Call& call) {
         return has_end(call, [](const std::string& text, const std::string& end) { return text.starts_with(end); });
     }},
    {"endswith",
     [](const Call& call) {
         return has_end(call, [](const std::string& text, const std::string& end) { return text.ends_with(end); });
     }},
    {"replace", replace},
    {"upper", [](const Call& call) -> Result<Value> { return Value::text(with_case(call.text(), LetterCase::Upper)); }},
    {"lower", [](const Call& call) -> Result<Value> { return Value::text(with_case(call.text(), LetterCase::Lower)); }},
    {"title", [](const Call& call) -> Result<Value> { return Value::text(with_case(call.text(), LetterCase::Title)); }},
    {"capitalize",
     [](const Call& call) -> Result<Value> { return Value::text(with_case(call.text(), LetterCase::Capitalized)); }},
    {"find", [](const Call& call) { return find_text(call, true); }},
    {"rfind", [](const Call& call) { return find_text(call, false); }},
    {"count", count_text},
    {"join",
     [](const Call& call) -> Result<Value> {
         const Value* items = call.get(0, "iterable");
         return items ? join_values(call, *items, call.text(), nullptr) : invalid("join takes a list");
     }},
    {"removeprefix", [](const Call& call) { return remove_end(call, true); }},
    {"removesuffix", [](const Call& call) { return remove_end(call, false); }},
    {"isdigit", [](const Call& call) { return all_of(call, [](char c) { return c >= '0' && c <= '9'; }); }},
}};

// ---- methods of mappings

List pairs_of(const Dict& dict) {
    List pairs;
    for (const auto& [key, value] : dict.entries) {
        pairs.push_back(Value::list({Value::text(key, dict.keys_from_content), value}));
    }
    return pairs;
}

constexpr std::array<Entry, 4> kDictMethods{{
    {"get",
     [](const Call& call) -> Result<Value> {
         const Value* found = call.object.as_dict()->find(bytes_or(call.get(0, "key"), ""));
         const Value* otherwise = call.get(1, "default");
         return found ? *found : otherwise ? *otherwise : Value::none();
     }},
    {"items", [](const Call& call) -> Result<Value> { return Value::list(pairs_of(*call.object.as_dict())); }},
    {"keys", [](const Call& call) -> Result<Value> { return Value::list(*TRY(iterate(call.object, call.budget))); }},
    {"values",
     [](const Call& call) -> Result<Value> {
         List values;
         for (const auto& [key, value] : call.object.as_dict()->entries) {
             values.push_back(value);
         }
         return Value::list(std::move(values));
     }},
}};

// ---- filters

Result<Value> length(const Call& call) {
    if (call.object.as_text()) {
        return make_integer(character_offsets(call.text().bytes()).size() - 1);
    }
    if (call.object.as_dict()) {
        return make_integer(call.object.as_dict()->entries.size());
    }
    return make_integer(TRY(iterate(call.object, call.budget))->size());
}

Result<Value> to_json(const Call& call) {
    const Value* ascii = call.get(99, "ensure_ascii");
    const Value* indent = call.get(0, "indent");
    if (indent != nullptr && indent->is_integer() && (indent->integer() < 0 || indent->integer() > 64)) {
        return invalid(fmt::format("tojson: an indent of {} lies outside 0 to 64", indent->integer()));
    }
    const WriteOptions options{.notation = Notation::Json,
                               .indent = static_cast<int>(integer_or(indent, -1)),
                               .ascii_only = ascii != nullptr && ascii->is_true()};
    return Value::text(TRY(printed(call.object, options, call.budget)));
}

Result<Value> first_or_last(const Call& call, bool first) {
    const auto items = TRY(iterate(call.object, call.budget));
    if (items->empty()) {
        return Value::undefined(first ? "first" : "last");
    }
    return first ? items->front() : items->back();
}

Result<Value> to_integer(const Call& call) {
    if (call.object.is_integer()) {
        return Value(Value::State(call.object.integer()));
    }
    if (call.object.is_number() && std::abs(call.object.number()) < 9e18) {
        return Value(Value::State(static_cast<std::int64_t>(call.object.number())));
    }
    std::int64_t number = integer_or(call.get(0, "default"), 0);
    if (call.object.as_text()) {
        const Text text = stripped(call.text(), StripEnds::Both, "");
        const char* end = text.bytes().data() + text.bytes().size();
        std::int64_t read = 0;
        if (const auto result = std::from_chars(text.bytes().data(), end, read); result.ec == std::errc() && result.ptr == end) {
            number = read;
        }
    }
    return Value(Value::State(number));
}

Result<Value> indent_lines(const Call& call) {
    const std::int64_t width = integer_or(call.get(0, "width"), 4);
    if (width < 0 || width > 64) {
        return invalid(fmt::format("indent: {} lies outside 0 to 64", width));
    }
    const bool first = call.get(1, "first") != nullptr && call.get(1, "first")->is_true();
    const std::string space(static_cast<std::size_t>(width), ' ');
    Text out(first ? space : "");
    const Text all = TRY(call.printed());
    const auto lines = TRY(split(all, "\n", -1, SplitFrom::Left, kPiecesMax));
    TRY(call.budget.spend(lines.size() * kPieceCostBytes));
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const Text& line = *lines[i].as_text();
        out.append(i == 0 ? "" : "\n", false);
        out.append(i == 0 || line.bytes().empty() ? "" : space, false);
        out.append(line);
    }
    TRY(call.budget.allow_text(out.bytes().size()));
    return Value::text(std::move(out));
}

/// map(attribute=...), map("filter", ...).
Result<Value> map_items(const Call& call) {
    const auto items = TRY(iterate(call.object, call.budget));
    const Value* attribute = call.get(99, "attribute");
    const Value* filter = call.get(0, "name");
    if (!attribute && (!filter || !filter->as_text())) {
        return invalid("map takes attribute=NAME or the name of a filter");
    }
    Arguments rest;
    if (!attribute) {
        rest.positional.assign(call.arguments.positional.begin() + 1, call.arguments.positional.end());
        rest.named = call.arguments.named;
    }
    List out;
    for (const Value& item : *items) {
        TRY(call.budget.spend());
        out.push_back(attribute ? TRY(subscript(item, *attribute, call.budget))
                                : TRY(apply_filter(filter->as_text()->bytes(), item, rest, call.budget)));
    }
    return Value::list(std::move(out));
}

struct Selection {
    bool by_attribute = false;
    bool keep = true;
};

Result<Value> select_items(const Call& call, Selection selection) {
    const auto items = TRY(iterate(call.object, call.budget));
    const std::size_t first = selection.by_attribute ? 1 : 0;
    const List& given = call.arguments.positional;
    if (given.size() < first || (selection.by_attribute && !given[0].as_text())) {
        return invalid("selectattr and rejectattr take the name of an attribute");
    }
    Arguments rest;
    for (std::size_t i = first + 1; i < given.size(); ++i) {
        rest.positional.push_back(given[i]);
    }
    List out;
    for (const Value& item : *items) {
        const Value tested = selection.by_attribute ? TRY(subscript(item, given[0], call.budget)) : item;
        const bool passes = given.size() > first
                                ? TRY(apply_test(bytes_or(&given[first], ""), tested, rest, call.budget))
                                : tested.is_true();
        if (passes == selection.keep) {
            out.push_back(item);
        }
    }
    return Value::list(std::move(out));
}

Result<Value> reverse(const Call& call) {
    const auto items = TRY(iterate(call.object, call.budget));
    List reversed(items->rbegin(), items->rend());
    if (!call.object.as_text()) {
        return Value::list(std::move(reversed));
    }
    Text out;
    for (const Value& character : reversed) {
        out.append(*character.as_text());
    }
    return Value::text(std::move(out));
}

Result<Value> default_value(const Call& call) {
    const Value* otherwise = call.get(0, "default_value");
    const bool or_false = call.get(1, "boolean") != nullptr && call.get(1, "boolean")->is_true();
    const bool missing = call.object.is_undefined() || (or_false && !call.object.is_true());
    return !missing ? call.object : otherwise ? *otherwise : Value::text("");
}

Result<Value> join_filter(const Call& call) {
    const Value* separator = call.get(0, "d");
    return join_values(call, call.object, separator && separator->as_text() ? *separator->as_text() : Text(),
                       call.get(1, "attribute"));
}

Result<Value> round_number(const Call& call) {
    if (!call.object.is_number()) {
        return bad_operand("round", call.object);
    }
    const double scale = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(integer_or(call.get(0, "precision"), 0), 0, 15)));
    return Value(Value::State(std::nearbyint(call.object.number() * scale) / scale));
}

constexpr std::array<Entry, 22> kFilters{{
    {"length", length},
    {"count", length},
    {"tojson", to_json},
    {"trim", [](const Call& call) -> Result<Value> {
         return Value::text(stripped(TRY(call.printed()), StripEnds::Both, bytes_or(call.get(0, "chars"), "")));
     }},
    {"string", [](const Call& call) -> Result<Value> { return Value::text(TRY(call.printed())); }},
    {"safe", [](const Call& call) -> Result<Value> { return call.object; }},
    {"first", [](const Call& call) { return first_or_last(call, true); }},
    {"last", [](const Call& call) { return first_or_last(call, false); }},
    {"list", [](const Call& call) -> Result<Value> { return Value::list(*TRY(iterate(call.object, call.budget))); }},
    {"items",
     [](const Call& call) -> Result<Value> {
         return call.object.as_dict() ? Value::list(pairs_of(*call.object.as_dict())) : Value::list({});
     }},
    {"int", to_integer},
    {"indent", indent_lines},
    {"map", map_items},
    {"select", [](const Call& call) { return select_items(call, {false, true}); }},
    {"reject", [](const Call& call) { return select_items(call, {false, false}); }},
    {"selectattr", [](const Call& call) { return select_items(call, {true, true}); }},
    {"rejectattr", [](const Call& call) { return select_items(call, {true, false}); }},
    {"reverse", reverse},
    {"default", default_value},
    {"d", default_value},
    {"join", join_filter},
    {"round", round_number},
}};

// Filters that are the string method of the same name.
constexpr std::array<std::string_view, 5> kMethodFilters{"upper", "lower", "title", "capitalize", "replace"};

} // namespace

const Value* Arguments::get(std::size_t index, std::string_view name) const {
    if (index < positional.size()) {
        return &positional[index];
    }
    const auto found = std::find_if(named.begin(), named.end(), [&](const auto& entry) { return entry.first == name; });
    return found == named.end() ? nullptr : &found->second;
}

Result<Value> apply_filter(std::string_view name, const Value& operand, const Arguments& arguments, Budget& budget) {
    TRY(budget.spend(operand.as_text() ? operand.as_text()->bytes().size() : 0));
    if (const Function function = find_in(kFilters, name)) {
        return function({operand, arguments, budget});
    }
    if (std::find(kMethodFilters.begin(), kMethodFilters.end(), name) != kMethodFilters.end()) {
        const Value text = Value::text(TRY(printed(operand, {}, budget)));
        return find_in(kTextMethods, name)({text, arguments, budget});
    }
    return invalid(fmt::format("there is no filter '{}'", name));
}

bool has_method(const Value& object, std::string_view name) {
    return (object.as_text() && find_in(kTextMethods, name)) || (object.as_dict() && find_in(kDictMethods, name));
}

Result<Value> call_method(const Value& object, std::string_view name, const Arguments& arguments, Budget& budget) {
    TRY(budget.spend(object.as_text() ? object.as_text()->bytes().size() : 0));
    return (object.as_text() ? find_in(kTextMethods, name) : find_in(kDictMethods, name))({object, arguments, budget});
}

Result<bool> apply_test(std::string_view name, const Value& operand, const Arguments& arguments, Budget& budget) {
    TRY(budget.spend());
    const Value* other = arguments.get(0, "other");
    struct Simple {
        std::string_view name;
        bool (*holds)(const Value&);
    };
    static constexpr std::array<Simple, 17> kSimple{{
        {"defined", [](const Value& v) { return !v.is_undefined(); }},
        {"undefined", [](const Value& v) { return v.is_undefined(); }},
        {"none", [](const Value& v) { return v.is_none(); }},
        {"string", [](const Value& v) { return v.as_text() != nullptr; }},
        {"mapping", [](const Value& v) { return v.as_dict() != nullptr; }},
        {"sequence", [](const Value& v) { return v.as_list() || v.as_text() || v.as_dict(); }},
        {"iterable", [](const Value& v) { return v.as_list() || v.as_text() || v.as_dict() || v.is_undefined(); }},
        {"boolean", [](const Value& v) { return std::holds_alternative<bool>(v.state()); }},
        {"integer", [](const Value& v) { return std::holds_alternative<std::int64_t>(v.state()); }},
        {"float", [](const Value& v) { return std::holds_alternative<double>(v.state()); }},
        {"number", [](const Value& v) { return v.is_number(); }},
        {"true", [](const Value& v) { return std::holds_alternative<bool>(v.state()) && v.is_true(); }},
        {"false", [](const Value& v) { return std::holds_alternative<bool>(v.state()) && !v.is_true(); }},
        {"odd", [](const Value& v) { return v.is_integer() && v.integer() % 2 != 0; }},
        {"even", [](const Value& v) { return v.is_integer() && v.integer() % 2 == 0; }},
        {"callable",
         [](const Value& v) { return std::holds_alternative<Macro>(v.state()) || std::holds_alternative<Builtin>(v.state()); }},
        {"lower",
         [](const Value& v) { return v.as_text() && with_case(*v.as_text(), LetterCase::Lower).bytes() == v.as_text()->bytes(); }},
    }};
    for (const Simple& test : kSimple) {
        if (test.name == name) {
            return test.holds(operand);
        }
    }
    struct Spelling {
        std::string_view name;
        std::string_view operator_name;
    };
    static constexpr std::array<Spelling, 9> kComparisons{{{"eq", "=="}, {"equalto", "=="}, {"ne", "!="}, {"lt", "<"},
                                                           {"le", "<="}, {"gt", ">"}, {"ge", ">="}, {"in", "in"},
                                                           {"sameas", "=="}}};
    for (const Spelling& spelling : kComparisons) {
        if (spelling.name == name && other != nullptr) {
            return compare(spelling.operator_name, operand, *other, budget);
        }
    }
    if (name == "divisibleby" && other && other->is_integer() && other->integer() != 0 && operand.is_integer()) {
        return other->integer() == -1 || operand.integer() % other->integer() == 0; // INT64_MIN % -1 overflows
    }
    return invalid(fmt::format("there is no test '{}' for these values", name));
}

} // namespace handeye::jinja
