// SPDX-License-Identifier: Apache-2.0
// The values a chat template computes with: Python's, as far as templates use them, over text that remembers who wrote it.
#pragma once

#include "engine/tokenizer/rendered.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace handeye::jinja {

/// UTF-8 text in runs of template text and message content.
class Text {
public:
    Text() = default;
    explicit Text(std::string bytes, bool from_content = false);

    [[nodiscard]] const std::string& bytes() const { return bytes_; }
    [[nodiscard]] bool has_content() const;
    void append(const Text& other);
    void append(std::string_view bytes, bool from_content);
    /// Byte offsets; must lie inside.
    [[nodiscard]] Text slice(std::size_t begin, std::size_t length) const;
    [[nodiscard]] std::vector<RenderedSegment> segments() const;

private:
    struct Run {
        std::size_t begin = 0;
        bool from_content = false;
    };
    std::string bytes_;
    std::vector<Run> runs_; ///< ascending; neighbours differ; covers all of bytes_
};

class Value;
struct Statement;
using List = std::vector<Value>;
using Entries = std::vector<std::pair<std::string, Value>>; ///< in order of insertion; keys are unique

struct Undefined {
    std::string name; ///< for the message of an error
};
struct None {};
struct Dict {
    Entries entries;
    bool keys_from_content = false; ///< one of the keys is; then all count as such
    [[nodiscard]] const Value* find(std::string_view key) const;
    void set(std::string_view key, Value value);
};
/// namespace(...): the one value that a template can change.
struct Namespace {
    Dict fields;
};
/// The variable `loop`.
struct Loop {
    std::size_t index0 = 0;
    std::shared_ptr<const List> items;
};
struct Macro {
    const Statement* definition = nullptr; ///< owned by the program
};
struct Builtin {
    std::string_view name; ///< static
};

class Value {
public:
    using State = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const Text>,
                               std::shared_ptr<const List>, std::shared_ptr<const Dict>, std::shared_ptr<Namespace>,
                               std::shared_ptr<const Loop>, Macro, Builtin>;
    Value() = default;
    Value(State state) : state_(std::move(state)) {} // NOLINT(google-explicit-constructor)
    static Value text(std::string bytes, bool from_content = false);
    static Value text(Text text);
    static Value list(List items);
    static Value dict(Dict dict);
    static Value undefined(std::string name) { return State(Undefined{std::move(name)}); }
    static Value none() { return State(None{}); }

    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] const Text* as_text() const { return pointer<Text>(); }
    [[nodiscard]] const List* as_list() const { return pointer<List>(); }
    [[nodiscard]] const Dict* as_dict() const { return pointer<Dict>(); }
    [[nodiscard]] bool is_undefined() const { return std::holds_alternative<Undefined>(state_); }
    [[nodiscard]] bool is_none() const { return std::holds_alternative<None>(state_); }
    /// A bool counts as 0 or 1, as in Python.
    [[nodiscard]] bool is_integer() const;
    [[nodiscard]] bool is_number() const;
    [[nodiscard]] std::int64_t integer() const; ///< of a bool or an integer
    [[nodiscard]] double number() const;        ///< of a bool, an integer or a float
    [[nodiscard]] bool is_true() const;
    [[nodiscard]] std::string_view type_name() const;

private:
    template <class T>
    [[nodiscard]] const T* pointer() const {
        const auto* held = std::get_if<std::shared_ptr<const T>>(&state_);
        return held ? held->get() : nullptr;
    }
    State state_;
};

/// Python's == . Each compared pair takes one off `pairs_left`; at 0, and deeper than a fixed nesting, values are unequal.
bool equal(const Value& a, const Value& b, std::size_t& pairs_left);

enum class Notation { Print, Python, Json };
struct WriteOptions {
    Notation notation = Notation::Print;
    int indent = -1;           ///< Json: spaces per level; negative: one line
    bool ascii_only = false;   ///< Json: \uXXXX for everything above U+007E
    std::size_t bytes_max = 0; ///< writing stops once this is passed
};
/// Text of a value. Print gives a string as it is; inside a list it is quoted as Python does.
Text write(const Value& value, const WriteOptions& options);

} // namespace handeye::jinja
