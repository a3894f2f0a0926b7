// SPDX-License-Identifier: Apache-2.0
#include "agent/taskfile/check.h"

#include "actions/keys.h"
#include "agent/taskfile/expression.h"
#include "agent/taskfile/scalars.h"
#include "agent/text_pattern.h"
#include "base/suggest.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace handeye::taskfile {
namespace {

constexpr std::size_t kNameBytesMax = 64;

std::string_view kind_name(Node::Kind kind) {
    switch (kind) {
    case Node::Kind::Null: return "nothing";
    case Node::Kind::Scalar: return "a value";
    case Node::Kind::List: return "a list";
    case Node::Kind::Map: return "a map";
    }
    return "";
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_whole = failed == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
    return is_whole ? std::optional(value) : std::nullopt;
}

bool is_name(std::string_view text) {
    const auto goes_on = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), goes_on) &&
           (text[0] == '_' || (text[0] != '-' && !(text[0] >= '0' && text[0] <= '9')));
}

std::optional<std::string> within_limits(double value, const ValueType& type, std::string_view shown) {
    if (value < type.from || value > type.to) {
        return fmt::format("is {}, it must be from {:.15g} to {:.15g}", shown, type.from, type.to);
    }
    return std::nullopt;
}

std::optional<std::string> whole_number_mistake(const Node& node, const ValueType& type) {
    const auto value = node.is_quoted ? std::nullopt : number_of(node.scalar);
    if (!value || *value != std::floor(*value)) {
        return fmt::format("is \"{}\", it must be a whole number", node.scalar.substr(0, 40));
    }
    return within_limits(*value, type, node.scalar);
}

/// References stand for values, which are found as they are: for the check any word will do.
std::optional<std::string> search_mistake(const std::string& text) {
    const Result<std::vector<TextPiece>> pieces = parse_text(text);
    std::string pattern;
    for (const TextPiece& piece : pieces ? *pieces : std::vector<TextPiece>()) {
        pattern += piece.is_reference ? "x" : piece.text;
    }
    const Result<TextPattern> compiled = TextPattern::compile(pattern);
    if (pieces && compiled) {
        return std::nullopt;
    }
    return fmt::format(": {}", pieces ? compiled.error().message : pieces.error().message);
}

/// What is wrong with a scalar, to be read after its key: "must be ...".
std::optional<std::string> scalar_mistake(const Node& node, const ValueType& type) {
    const std::string& text = node.scalar;
    const auto told = [](const Error& error) { return fmt::format(": {}", error.message); };
    switch (type.kind) {
    case Kind::Text:
        if (const auto parsed = parse_text(text); !parsed) {
            return told(parsed.error());
        }
        return std::nullopt;
    case Kind::Plain:
        return text.find("${") != std::string::npos ? std::optional<std::string>("must be a plain text: references are not understood here") : std::nullopt;
    case Kind::Name:
        return is_name(text) ? std::nullopt
                             : std::optional(fmt::format("is \"{}\", it must be a name of letters, digits, _ and -, a letter first, at most {}", text.substr(0, 40), kNameBytesMax));
    case Kind::Integer: return whole_number_mistake(node, type);
    case Kind::Number:
        if (const auto value = node.is_quoted ? std::nullopt : number_of(text); value) {
            return within_limits(*value, type, text);
        }
        return fmt::format("is \"{}\", it must be a number", text.substr(0, 40));
    case Kind::Truth:
        return !node.is_quoted && (text == "true" || text == "false") ? std::nullopt
                                                                        : std::optional(fmt::format("is \"{}\", it must be true or false", text.substr(0, 40)));
    case Kind::Duration: {
        const auto value = parse_duration(text);
        return value ? within_limits(std::chrono::duration<double>(*value).count(), type, text) : std::optional(told(value.error()));
    }
    case Kind::Count: {
        const auto value = parse_count(text);
        return value ? within_limits(static_cast<double>(*value), type, text) : std::optional(told(value.error()));
    }
    case Kind::Choice:
        if (std::find(type.choices.begin(), type.choices.end(), text) == type.choices.end()) {
            return fmt::format("is \"{}\"; {}", text.substr(0, 40), suggestion(text, "choices", type.choices));
        }
        return std::nullopt;
    case Kind::Search: return search_mistake(text);
    case Kind::Pattern:
        if (text.find("${") != std::string::npos) {
            return "must be a plain pattern: references are not understood here";
        }
        if (const auto pattern = TextPattern::compile(text); !pattern) {
            return told(pattern.error());
        }
        return std::nullopt;
    case Kind::Expression:
        if (const auto expression = parse_expression(text); !expression) {
            return told(expression.error());
        }
        return std::nullopt;
    case Kind::Chord:
        if (const auto chord = parse_chord(text); !chord) {
            return told(chord.error());
        }
        return std::nullopt;
    case Kind::Numbers:
    case Kind::Value:
    case Kind::Object:
    case Kind::Names: break;
    }
    return std::nullopt;
}

class Checker {
public:
    explicit Checker(std::vector<Mistake>& mistakes) : mistakes_(mistakes) {}

    // `key` is how messages call this place.
    Node object(const Node& node, ShapeId id, const std::string& key) {
        const Shape& shape = shape_of(id);
        if (node.kind == Node::Kind::Map) {
            return fields_of(node, shape, key);
        }
        const Field* const only = shape.shorthand.empty() ? nullptr : shape.find(shape.shorthand);
        const bool may_stand = only != nullptr && node.kind != Node::Kind::Null;
        if (!may_stand) {
            tell(node.place, fmt::format("{} must be a map{}, not {}", key, only == nullptr ? "" : fmt::format(" or its {} alone", shape.shorthand), kind_name(node.kind)), hidden_by(shape));
            return Node{.kind = Node::Kind::Map, .place = node.place};
        }
        Node out{.kind = Node::Kind::Map, .place = node.place};
        out.entries.push_back({std::string(only->name), node.place, value(node, only->type, key)});
        return out;
    }

private:
    void tell(Place place, std::string message, Mistake::Hides hides = Mistake::Hides::Nothing) {
        if (mistakes_.size() < kMistakesMax) {
            mistakes_.push_back({place, std::move(message), hides});
        }
    }
    /// What an object that was not understood may have been meant to define.
    static Mistake::Hides hidden_by(const Shape& shape) {
        return &shape == &shape_of(ShapeId::File) ? Mistake::Hides::Everything : Mistake::Hides::Outputs;
    }

    Node fields_of(const Node& node, const Shape& shape, const std::string& key) {
        Node out{.kind = Node::Kind::Map, .place = node.place};
        for (const Entry& entry : node.entries) {
            const Field* const field = shape.find(entry.key);
            if (field == nullptr) {
                std::vector<std::string_view> names;
                std::transform(shape.fields.begin(), shape.fields.end(), std::back_inserter(names), [](const Field& row) { return row.name; });
                // What looks like no key is not shown: the file may be none of ours, and messages go to logs.
                const std::string shown = is_name(entry.key) ? fmt::format("\"{}\"", entry.key) : "of this form";
                tell(entry.place, fmt::format("there is no key {} in {}; {}", shown, key, suggestion(is_name(entry.key) ? entry.key : "", "keys", names)), hidden_by(shape));
                continue;
            }
            if (!field->beside.empty() && !has_one_of(node, field->beside)) {
                tell(entry.place, fmt::format("\"{}\" stands only beside {}", entry.key, in_words(field->beside)));
            }
            out.entries.push_back({entry.key, entry.place, value(entry.value, field->type, entry.key)});
        }
        check_presence(node, shape, key);
        return out;
    }

    /// The names that misspelt keys stand for: they have been told already.
    static std::vector<std::string_view> meant_names(const Node& node, const Shape& shape) {
        std::vector<std::string_view> names;
        std::transform(shape.fields.begin(), shape.fields.end(), std::back_inserter(names), [](const Field& row) { return row.name; });
        std::vector<std::string_view> out;
        for (const Entry& entry : node.entries) {
            if (shape.find(entry.key) == nullptr && is_name(entry.key)) {
                out.push_back(nearest_name(entry.key, names));
            }
        }
        return out;
    }

    void check_presence(const Node& node, const Shape& shape, const std::string& key) {
        const std::vector<std::string_view> meant = meant_names(node, shape);
        const auto is_there = [&](std::string_view name) { return node.find(name) != nullptr || std::find(meant.begin(), meant.end(), name) != meant.end(); };
        for (const Field& field : shape.fields) {
            if (field.is_required && !is_there(field.name)) {
                tell(node.place, fmt::format("{} needs \"{}\": {}", key, field.name, field.help));
            }
        }
        if (const auto& names = shape.at_least_one_of; !names.empty() && std::none_of(names.begin(), names.end(), is_there)) {
            tell(node.place, fmt::format("{} needs one of {}", key, fmt::join(names, ", ")));
        }
        if (shape.exactly_one_of.empty()) {
            return;
        }
        std::vector<std::string_view> found;
        for (const Entry& entry : node.entries) {
            if (std::find(shape.exactly_one_of.begin(), shape.exactly_one_of.end(), entry.key) != shape.exactly_one_of.end()) {
                found.push_back(entry.key);
                if (found.size() == 2) {
                    tell(entry.place, fmt::format("{} is either {} or {}, not both", key, found[0], found[1]), hidden_by(shape));
                }
            }
        }
        const bool is_misspelt = std::any_of(node.entries.begin(), node.entries.end(), [&](const Entry& entry) { return shape.find(entry.key) == nullptr; });
        if (found.empty() && !is_misspelt) { // a misspelt verb has been told already
            tell(node.place, fmt::format("{} needs one of {}", key, fmt::join(shape.exactly_one_of, ", ")), hidden_by(shape));
        }
    }

    static bool has_one_of(const Node& node, std::string_view names) {
        while (!names.empty()) {
            const std::size_t bar = names.find('|');
            if (node.find(names.substr(0, bar)) != nullptr) {
                return true;
            }
            names = bar == std::string_view::npos ? std::string_view() : names.substr(bar + 1);
        }
        return false;
    }
    static std::string in_words(std::string_view names) {
        std::string out(names);
        for (std::size_t at = out.find('|'); at != std::string::npos; at = out.find('|')) {
            out.replace(at, 1, " or ");
        }
        return out;
    }

    Node value(const Node& node, const ValueType& type, const std::string& key) {
        if (!type.is_list) {
            return single(node, type, key);
        }
        const bool is_lone = node.kind != Node::Kind::List || (type.kind == Kind::Numbers && (node.items.empty() || node.items[0].kind != Node::Kind::List));
        Node out{.kind = Node::Kind::List, .place = node.place};
        const bool needs_maps = type.kind == Kind::Object && shape_of(type.shape).shorthand.empty();
        if (is_lone && needs_maps && node.kind != Node::Kind::Map) {
            tell(node.place, fmt::format("{} must be a list of maps, not {}", key, kind_name(node.kind)), Mistake::Hides::Outputs);
            return out;
        }
        if (is_lone) {
            out.items.push_back(single(node, type, key));
            return out;
        }
        if (node.items.empty() && type.kind == Kind::Object) {
            tell(node.place, fmt::format("{} is empty", key));
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            out.items.push_back(single(node.items[i], type, type.kind == Kind::Object && type.shape == ShapeId::Step ? fmt::format("step {}", i + 1) : key));
        }
        return out;
    }

    Node single(const Node& node, const ValueType& type, const std::string& key) {
        switch (type.kind) {
        case Kind::Object: return object(node, type.shape, key);
        case Kind::Names: return names(node, type, key);
        case Kind::Numbers: return numbers(node, type, key);
        case Kind::Value: return node;
        case Kind::Text:
        case Kind::Plain:
        case Kind::Name:
        case Kind::Integer:
        case Kind::Number:
        case Kind::Truth:
        case Kind::Duration:
        case Kind::Count:
        case Kind::Choice:
        case Kind::Pattern:
        case Kind::Search:
        case Kind::Expression:
        case Kind::Chord: break;
        }
        if (node.kind != Node::Kind::Scalar) {
            tell(node.place, fmt::format("{} must be one value, not {}", key, kind_name(node.kind)), type.kind == Kind::Name ? Mistake::Hides::Outputs : Mistake::Hides::Nothing);
            return node;
        }
        return scalar(node, type, key);
    }
    Node scalar(const Node& node, const ValueType& type, const std::string& key) {
        if (const auto mistake = scalar_mistake(node, type)) {
            const auto hides = type.kind == Kind::Name ? Mistake::Hides::Outputs : Mistake::Hides::Nothing;
            tell(node.place, mistake->starts_with(':') ? key + *mistake : fmt::format("{} {}", key, *mistake), hides);
        }
        return node;
    }

    Node names(const Node& node, const ValueType& type, const std::string& key) {
        Node out{.kind = Node::Kind::Map, .place = node.place};
        if (node.kind != Node::Kind::Map) {
            tell(node.place, fmt::format("{} must be a map of names, not {}", key, kind_name(node.kind)), Mistake::Hides::Everything);
            return out;
        }
        for (const Entry& entry : node.entries) {
            if (!is_name(entry.key)) {
                tell(entry.place, fmt::format("\"{}\" is no name: letters, digits, _ and -, a letter first, at most {}", entry.key.substr(0, 40), kNameBytesMax), Mistake::Hides::Everything);
            }
            out.entries.push_back({entry.key, entry.place, object(entry.value, type.shape, entry.key)});
        }
        return out;
    }

    Node numbers(const Node& node, const ValueType& type, const std::string& key) {
        const auto want = static_cast<std::size_t>(type.from);
        const bool fits = node.kind == Node::Kind::List && node.items.size() == want && std::all_of(node.items.begin(), node.items.end(), [](const Node& item) {
            const auto value = item.kind == Node::Kind::Scalar && !item.is_quoted ? number_of(item.scalar) : std::nullopt;
            return value && *value == std::floor(*value) && std::abs(*value) <= 1e6;
        });
        if (!fits) {
            tell(node.place, fmt::format("{} must be a list of {} whole numbers of at most a million", key, want));
        }
        return node;
    }

    std::vector<Mistake>& mistakes_;
};

} // namespace

Node checked(const Node& node, ShapeId shape, std::vector<Mistake>& mistakes) {
    return Checker(mistakes).object(node, shape, shape == ShapeId::File ? "the file" : std::string(shape_of(shape).name));
}

} // namespace handeye::taskfile
