// SPDX-License-Identifier: Apache-2.0
#include "agent/taskrun/values.h"

#include "agent/secrets.h"
#include "agent/taskfile/expression.h"
#include "agent/taskfile/names.h"
#include "agent/taskfile/scalars.h"
#include "agent/text_pattern.h"
#include "base/json.h"
#include "base/suggest.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace handeye::taskrun {
namespace {

using nlohmann::json;
using taskfile::Entry;
using taskfile::Node;
using taskfile::text_of;

constexpr std::size_t kTextBytesMax = 1 << 20;

Error wrong(const std::string& name, const std::string& what) {
    return {ErrorCode::InvalidArgument, fmt::format("the variable \"{}\" {}", name, what)};
}

Result<double> number_of(const std::string& text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !std::isfinite(value)) {
        return Error{ErrorCode::ParseFailed, fmt::format("\"{}\" is no number", text.substr(0, 60))};
    }
    return value;
}

// A scalar without references as JSON: what is quoted is a text.
json plain(const Node& scalar) {
    if (!scalar.is_quoted) {
        if (scalar.scalar == "true" || scalar.scalar == "false") {
            return scalar.scalar == "true";
        }
        if (scalar.scalar == "null") {
            return nullptr;
        }
        if (const Result<double> number = number_of(scalar.scalar)) {
            return *number;
        }
    }
    return scalar.scalar;
}

// Command lines give texts only: the declared type says what they are.
Result<json> typed(const std::string& name, const std::string& type, const json& given) {
    if (type == "string") {
        return given.is_string() ? Result<json>(given) : given.is_number() || given.is_boolean() ? Result<json>(to_text(given)) : wrong(name, "is a string, and was given " + given.dump().substr(0, 80));
    }
    if (!given.is_string()) {
        const bool fits = type == "number" ? given.is_number() : type == "boolean" ? given.is_boolean() : given.is_array();
        return fits ? Result<json>(given) : wrong(name, fmt::format("is a {}, and was given {}", type, given.dump().substr(0, 80)));
    }
    const std::string text = given.get<std::string>();
    if (type == "number") {
        const Result<double> number = number_of(text);
        return number ? Result<json>(*number) : wrong(name, fmt::format("is a number, and was given \"{}\"", text.substr(0, 60)));
    }
    if (type == "boolean") {
        return text == "true" || text == "false" ? Result<json>(text == "true") : wrong(name, fmt::format("is true or false, and was given \"{}\"", text.substr(0, 60)));
    }
    Result<json> list = parse_json(text);
    return list && list->is_array() ? list : wrong(name, R"(is a list: give it as JSON, ["a","b"])");
}

Result<void> check_bounds(const std::string& name, const Node& row, const json& value) {
    if (value.is_string()) {
        if (const Node* const pattern = row.find("pattern")) {
            const TextPattern compiled = TRY(TextPattern::compile(pattern->scalar));
            if (compiled.find_in(value.get_ref<const std::string&>()) != TextPattern::Found::Yes) {
                return wrong(name, fmt::format("was given \"{}\", in which the pattern {} is not found", value.get<std::string>().substr(0, 60), pattern->scalar));
            }
        }
        if (const Node* const choices = row.find("choices")) {
            std::vector<std::string_view> known;
            for (const Node& choice : choices->items) {
                known.push_back(choice.scalar);
            }
            if (std::find(known.begin(), known.end(), value.get_ref<const std::string&>()) == known.end()) {
                return wrong(name, fmt::format("was given \"{}\"; {}", value.get<std::string>().substr(0, 60), suggestion(value.get<std::string>(), "choices", known)));
            }
        }
    }
    for (const auto& [key, is_least] : {std::pair{"min", true}, std::pair{"max", false}}) {
        const Node* const bound = value.is_number() ? row.find(key) : nullptr;
        const Result<double> limit = bound != nullptr ? number_of(bound->scalar) : Result<double>(value.is_number() ? value.get<double>() : 0);
        if (bound != nullptr && limit && (is_least ? value.get<double>() < *limit : value.get<double>() > *limit)) {
            return wrong(name, fmt::format("was given {}, the {} is {}", to_text(value), is_least ? "least" : "most", bound->scalar));
        }
    }
    return {};
}

Result<void> check_names(const Given& given, const Node* vars) {
    std::vector<std::string_view> known;
    for (const Entry& entry : vars != nullptr ? vars->entries : std::vector<Entry>()) {
        known.push_back(entry.key);
    }
    for (const auto& [name, value] : given) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return Error{ErrorCode::NotFound, fmt::format("there is no variable \"{}\"; {}", name, suggestion(name, "variables", known))};
        }
    }
    return {};
}

// Whether none of the references to secrets in `text` was made by a value, wholly or in part.
bool names_no_secret(const std::string& text, const std::vector<std::pair<std::size_t, std::size_t>>& values) {
    constexpr std::string_view kOpening = "{{secret:";
    for (std::size_t at = text.find(kOpening); at != std::string::npos; at = text.find(kOpening, at + 1)) {
        const std::size_t close = text.find("}}", at);
        const std::size_t end = close == std::string::npos ? text.size() : close + 2;
        if (std::any_of(values.begin(), values.end(), [&](const auto& value) { return value.first < end && value.second > at; })) {
            return false;
        }
    }
    return true;
}

} // namespace

std::string to_text(const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_number()) {
        const double number = value.get<double>();
        return number == std::floor(number) && std::abs(number) < 1e15 ? fmt::format("{}", static_cast<std::int64_t>(number)) : fmt::format("{}", number);
    }
    return value.is_null() ? "" : dump_json(value);
}

Result<Values> Values::of(const Node& file, const Given& given, const std::function<std::string(const std::string&)>& secret_name) {
    Values out;
    const Node* const vars = file.find("vars");
    for (const Entry& entry : vars != nullptr ? vars->entries : std::vector<Entry>()) {
        const std::string type = text_of(entry.value, "type");
        const auto found = given.find(entry.key);
        if (type == "secret") {
            if (found != given.end()) {
                return wrong(entry.key, "is a secret: its value comes from where the file says, and from nowhere else");
            }
            out.secrets_[entry.key] = secret_name(entry.key);
            continue;
        }
        const Node* const standard = entry.value.find("default");
        if (found == given.end() && standard == nullptr && taskfile::is_set(entry.value, "required")) {
            TRY(check_names(given, vars)); // rather than what is missing: what is there and misspelt
            return Error{ErrorCode::NotFound, fmt::format("the variable \"{0}\" is needed: --var {0}=VALUE", entry.key)};
        }
        json value;
        if (found != given.end()) {
            value = TRY(typed(entry.key, type, found->second));
            TRY(check_bounds(entry.key, entry.value, value));
        } else if (standard != nullptr) {
            const json own = TRY(out.json_of(*standard));
            value = TRY(typed(entry.key, type, own));
        }
        out.names_["vars"][entry.key] = std::move(value);
    }
    TRY(check_names(given, vars));
    return out;
}

Result<json> Values::value(std::string_view expression) const {
    const taskfile::Expression parsed = TRY(taskfile::parse_expression(expression));
    return taskfile::evaluate(parsed, names_);
}

Result<std::string> Values::text(std::string_view raw) const {
    std::string out;
    for (const taskfile::TextPiece& piece : TRY(taskfile::parse_text(raw))) {
        out += piece.is_reference ? to_text(TRY(value(piece.text))) : piece.text;
        if (out.size() > kTextBytesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("a text with its references put in has more than {} bytes", kTextBytesMax)};
        }
    }
    return out;
}

Result<TextPattern> Values::pattern(std::string_view raw) const {
    std::string out;
    for (const taskfile::TextPiece& piece : TRY(taskfile::parse_text(raw))) {
        if (!piece.is_reference) {
            out += piece.text;
            continue;
        }
        for (const char c : to_text(TRY(value(piece.text)))) {
            const bool is_sign = static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0; // PCRE2: after a backslash it is itself
            out += is_sign ? std::string{'\\', c} : std::string{c};
        }
    }
    return TextPattern::compile(out);
}

Result<std::string> Values::typed_text(std::string_view raw) const {
    std::string out;
    std::vector<std::pair<std::size_t, std::size_t>> put_in; // from and to, of values
    for (const taskfile::TextPiece& piece : TRY(taskfile::parse_text(raw))) {
        if (!piece.is_reference) {
            out += piece.text;
            continue;
        }
        const auto secret = piece.text.starts_with("vars.") ? secrets_.find(std::string_view(piece.text).substr(5)) : secrets_.end();
        if (secret != secrets_.end()) {
            out += secret_reference(secret->second);
            continue;
        }
        const std::size_t from = out.size();
        out += to_text(TRY(value(piece.text)));
        put_in.emplace_back(from, out.size());
    }
    return names_no_secret(out, put_in) ? Result<std::string>(out)
                                        : Error{ErrorCode::PermissionDenied, "a value in the text to type names a secret: only the file itself may"};
}

Result<json> Values::json_of(const Node& node) const {
    switch (node.kind) {
    case Node::Kind::Null: return json();
    case Node::Kind::List: {
        json out = json::array();
        for (const Node& item : node.items) {
            out.push_back(TRY(json_of(item)));
        }
        return out;
    }
    case Node::Kind::Map: {
        json out = json::object();
        for (const Entry& entry : node.entries) {
            out[entry.key] = TRY(json_of(entry.value));
        }
        return out;
    }
    case Node::Kind::Scalar: break;
    }
    const std::vector<taskfile::TextPiece> pieces = TRY(taskfile::parse_text(node.scalar));
    if (pieces.size() == 1 && pieces.front().is_reference) {
        return value(pieces.front().text);
    }
    const bool has_reference = std::any_of(pieces.begin(), pieces.end(), [](const taskfile::TextPiece& piece) { return piece.is_reference; });
    return has_reference ? Result<json>(json(TRY(text(node.scalar)))) : Result<json>(plain(node));
}

} // namespace handeye::taskrun
