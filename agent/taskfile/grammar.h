// SPDX-License-Identifier: Apache-2.0
// What a task file may say, as one table: the reader, the published JSON Schema and the reference in docs/task-files.md all come
// from it. A new step verb is one shape and one field of the shape Step.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace handeye::taskfile {

enum class Kind {
    Text,       ///< may hold ${references}
    Plain,      ///< a text without references
    Name,       ///< letters, digits, "_" and "-", a letter first
    Integer,
    Number,
    Truth,
    Duration,   ///< 250ms, 15s, 10m, 2h
    Count,      ///< 200, 200k, 2M
    Choice,
    Pattern,    ///< PCRE2
    Search,     ///< PCRE2, may hold ${references}
    Expression, ///< expression.h
    Chord,      ///< ctrl+shift+t
    Numbers,    ///< a list of `from`..`to` whole numbers: [x, y, width, height]
    Value,      ///< anything: a default, a list to go through
    Object,     ///< of a shape
    Names,      ///< a map from names to objects of a shape
};

enum class ShapeId {
    File, Platform, Variable, Policy, Rule, Budget, Interstitial, Retry,
    Step, Target, Near, Landmark, Region, Condition,
    Launch, OpenUrl, Focus, Click, Hover, Drag, Type, Key, Scroll, WaitUntil, Sleep, Extract, Assert, Capture, Run, Goal, Ask, Set,
    ForEach, Repeat,
};

struct ValueType {
    Kind kind = Kind::Text;
    bool is_list = false;             ///< one value alone is a list of one
    ShapeId shape = ShapeId::File;    ///< of Object and Names
    double from = 0;                  ///< of Integer, Number, Count, Duration (seconds), Numbers (how many)
    double to = 0;
    std::vector<std::string_view> choices = {};
};

struct Field {
    std::string_view name;
    ValueType type;
    std::string_view help;            ///< one line for a person
    bool is_required = false;
    std::string_view beside = {};     ///< stands only beside one of these fields: "goal|for_each"
};

struct Shape {
    std::string_view name;            ///< in the schema's $defs
    std::string_view help;
    std::vector<Field> fields;
    std::string_view shorthand = {};  ///< what is no map stands for this field alone: `click: Save` is `click: {text: Save}`
    std::vector<std::string_view> exactly_one_of = {};
    std::vector<std::string_view> at_least_one_of = {};

    [[nodiscard]] const Field* find(std::string_view field) const;
};

const Shape& shape_of(ShapeId id);
std::span<const ShapeId> all_shapes();
/// The fields of Step that are a verb.
std::span<const std::string_view> step_verbs();

} // namespace handeye::taskfile
