// SPDX-License-Identifier: Apache-2.0
#include "engine/tokenizer/template_value.h"

#include "engine/tokenizer/utf8.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace handeye::jinja {
namespace {

constexpr int kDepthMax = 64;

} // namespace

Text::Text(std::string bytes, bool from_content) : bytes_(std::move(bytes)) {
    if (!bytes_.empty()) {
        runs_.push_back({0, from_content});
    }
}

bool Text::has_content() const {
    return std::any_of(runs_.begin(), runs_.end(), [](const Run& run) { return run.from_content; });
}

void Text::append(std::string_view bytes, bool from_content) {
    if (bytes.empty()) {
        return;
    }
    if (runs_.empty() || runs_.back().from_content != from_content) {
        runs_.push_back({bytes_.size(), from_content});
    }
    bytes_ += bytes;
}

void Text::append(const Text& other) {
    for (std::size_t i = 0; i < other.runs_.size(); ++i) {
        const std::size_t begin = other.runs_[i].begin;
        const std::size_t end = i + 1 < other.runs_.size() ? other.runs_[i + 1].begin : other.bytes_.size();
        append(std::string_view(other.bytes_).substr(begin, end - begin), other.runs_[i].from_content);
    }
}

Text Text::slice(std::size_t begin, std::size_t length) const {
    Text out;
    const std::size_t end = begin + length;
    const auto after = std::upper_bound(runs_.begin(), runs_.end(), begin,
                                        [](std::size_t offset, const Run& run) { return offset < run.begin; });
    const auto first = static_cast<std::size_t>(std::max<std::ptrdiff_t>(after - runs_.begin() - 1, 0));
    for (std::size_t i = first; i < runs_.size() && runs_[i].begin < end; ++i) {
        const std::size_t run_end = i + 1 < runs_.size() ? runs_[i + 1].begin : bytes_.size();
        const std::size_t from = std::max(runs_[i].begin, begin), to = std::min(run_end, end);
        if (from < to) {
            out.append(std::string_view(bytes_).substr(from, to - from), runs_[i].from_content);
        }
    }
    return out;
}

std::vector<RenderedSegment> Text::segments() const {
    std::vector<RenderedSegment> out;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
        const std::size_t end = i + 1 < runs_.size() ? runs_[i + 1].begin : bytes_.size();
        out.push_back({bytes_.substr(runs_[i].begin, end - runs_[i].begin), runs_[i].from_content});
    }
    return out;
}

const Value* Dict::find(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    return found == entries.end() ? nullptr : &found->second;
}

void Dict::set(std::string_view key, Value value) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    if (found == entries.end()) {
        entries.emplace_back(std::string(key), std::move(value));
    } else {
        found->second = std::move(value);
    }
}

Value Value::text(std::string bytes, bool from_content) { return text(Text(std::move(bytes), from_content)); }
Value Value::text(Text text) { return State(std::make_shared<const Text>(std::move(text))); }
Value Value::list(List items) { return State(std::make_shared<const List>(std::move(items))); }
Value Value::dict(Dict dict) { return State(std::make_shared<const Dict>(std::move(dict))); }

bool Value::is_integer() const {
    return std::holds_alternative<bool>(state_) || std::holds_alternative<std::int64_t>(state_);
}
bool Value::is_number() const { return is_integer() || std::holds_alternative<double>(state_); }

std::int64_t Value::integer() const {
    const auto* flag = std::get_if<bool>(&state_);
    return flag ? static_cast<std::int64_t>(*flag) : std::get<std::int64_t>(state_);
}

double Value::number() const {
    const auto* real = std::get_if<double>(&state_);
    return real ? *real : static_cast<double>(integer());
}

bool Value::is_true() const {
    struct Truth {
        bool operator()(const Undefined&) const { return false; }
        bool operator()(const None&) const { return false; }
        bool operator()(bool value) const { return value; }
        bool operator()(std::int64_t value) const { return value != 0; }
        bool operator()(double value) const { return value != 0.0; }
        bool operator()(const std::shared_ptr<const Text>& value) const { return !value->bytes().empty(); }
        bool operator()(const std::shared_ptr<const List>& value) const { return !value->empty(); }
        bool operator()(const std::shared_ptr<const Dict>& value) const { return !value->entries.empty(); }
        bool operator()(const std::shared_ptr<Namespace>&) const { return true; }
        bool operator()(const std::shared_ptr<const Loop>&) const { return true; }
        bool operator()(const Macro&) const { return true; }
        bool operator()(const Builtin&) const { return true; }
    };
    return std::visit(Truth{}, state_);
}

std::string_view Value::type_name() const {
    struct Name {
        std::string_view operator()(const Undefined&) const { return "undefined"; }
        std::string_view operator()(const None&) const { return "none"; }
        std::string_view operator()(bool) const { return "a boolean"; }
        std::string_view operator()(std::int64_t) const { return "an integer"; }
        std::string_view operator()(double) const { return "a float"; }
        std::string_view operator()(const std::shared_ptr<const Text>&) const { return "a string"; }
        std::string_view operator()(const std::shared_ptr<const List>&) const { return "a list"; }
        std::string_view operator()(const std::shared_ptr<const Dict>&) const { return "a mapping"; }
        std::string_view operator()(const std::shared_ptr<Namespace>&) const { return "a namespace"; }
        std::string_view operator()(const std::shared_ptr<const Loop>&) const { return "a loop"; }
        std::string_view operator()(const Macro&) const { return "a macro"; }
        std::string_view operator()(const Builtin&) const { return "a function"; }
    };
    return std::visit(Name{}, state_);
}

namespace {

bool equal_at(const Value& a, const Value& b, int depth, std::size_t& pairs_left) {
    if (depth > kDepthMax || pairs_left == 0) {
        return false;
    }
    --pairs_left;
    if (a.is_number() && b.is_number()) {
        return a.is_integer() && b.is_integer() ? a.integer() == b.integer() : a.number() == b.number();
    }
    if (const Text *left = a.as_text(), *right = b.as_text(); left && right) {
        return left->bytes() == right->bytes();
    }
    if (const List *left = a.as_list(), *right = b.as_list(); left && right) {
        return std::equal(left->begin(), left->end(), right->begin(), right->end(),
                          [&](const Value& x, const Value& y) { return equal_at(x, y, depth + 1, pairs_left); });
    }
    if (const Dict *left = a.as_dict(), *right = b.as_dict(); left && right) {
        return left->entries.size() == right->entries.size() &&
               std::all_of(left->entries.begin(), left->entries.end(), [&](const auto& entry) {
                   const Value* other = right->find(entry.first);
                   return other != nullptr && equal_at(entry.second, *other, depth + 1, pairs_left);
               });
    }
    return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::uint32_t code_point(std::string_view c) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<std::uint8_t>(c[i])); };
    switch (c.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1FU) << 6U | (byte(1) & 0x3FU);
    case 3: return (byte(0) & 0x0FU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    default: return (byte(0) & 0x07U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U | (byte(3) & 0x3FU);
    }
}

std::string json_escape(std::uint32_t code) {
    if (code < 0x10000) {
        return fmt::format("\\u{:04x}", code);
    }
    const std::uint32_t rest = code - 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
}

class Writer {
public:
    explicit Writer(const WriteOptions& options) : options_(options) {}

    Text take() { return std::move(out_); }

    void write(const Value& value, int depth) {
        if (full() || depth > kDepthMax) {
            return;
        }
        std::visit([&](const auto& held) { put(held, depth); }, value.state());
    }

private:
    [[nodiscard]] bool full() const { return out_.bytes().size() > options_.bytes_max; }
    [[nodiscard]] bool is_json() const { return options_.notation == Notation::Json; }
    void raw(std::string_view bytes) { out_.append(bytes, false); }

    void put(const Undefined&, int) { raw(is_json() ? "null" : ""); }
    void put(const None&, int) { raw(is_json() ? "null" : "None"); }
    void put(bool value, int) { raw(is_json() ? (value ? "true" : "false") : (value ? "True" : "False")); }
    void put(std::int64_t value, int) { raw(fmt::format("{}", value)); }
    void put(double value, int) {
        const bool whole = std::isfinite(value) && value == std::floor(value) && std::abs(value) < 1e16;
        raw(whole ? fmt::format("{:.1f}", value) : fmt::format("{}", value));
    }
    void put(const std::shared_ptr<Namespace>&, int) { raw("<namespace>"); }
    void put(const std::shared_ptr<const Loop>&, int) { raw("<loop>"); }
    void put(const Macro&, int) { raw("<macro>"); }
    void put(const Builtin& value, int) { raw(value.name); }

    void put(const std::shared_ptr<const Text>& text, int depth) {
        if (options_.notation == Notation::Print && depth == 0) {
            out_.append(*text);
        } else if (is_json()) {
            quote(*text, '"');
        } else {
            const bool has_single = text->bytes().find('\'') != std::string::npos;
            quote(*text, has_single && text->bytes().find('"') == std::string::npos ? '"' : '\'');
        }
    }

    void put(const std::shared_ptr<const List>& list, int depth) {
        raw("[");
        for (std::size_t i = 0; i < list->size() && !full(); ++i) {
            separate(i == 0, depth + 1);
            write((*list)[i], depth + 1);
        }
        close(list->empty(), depth, "]");
    }

    void put(const std::shared_ptr<const Dict>& dict, int depth) {
        raw("{");
        for (std::size_t i = 0; i < dict->entries.size() && !full(); ++i) {
            separate(i == 0, depth + 1);
            write(Value::text(dict->entries[i].first, dict->keys_from_content), depth + 1);
            raw(": ");
            write(dict->entries[i].second, depth + 1);
        }
        close(dict->entries.empty(), depth, "}");
    }

    void line_break(int depth) {
        raw("\n");
        raw(std::string(static_cast<std::size_t>(depth) * static_cast<std::size_t>(options_.indent), ' '));
    }
    void separate(bool first, int depth) {
        const bool in_lines = is_json() && options_.indent >= 0;
        raw(first ? "" : in_lines ? "," : ", ");
        if (in_lines) {
            line_break(depth);
        }
    }
    void close(bool empty, int depth, std::string_view bracket) {
        if (!empty && is_json() && options_.indent >= 0) {
            line_break(depth);
        }
        raw(bracket);
    }

    void quote(const Text& text, char mark) {
        std::string out(1, mark);
        const std::string clean = utf8_repaired(text.bytes());
        for (std::string_view rest = clean; !rest.empty();) {
            const std::string_view c = rest.substr(0, utf8_step(rest).length);
            out += escaped(c, mark);
            rest.remove_prefix(c.size());
        }
        out += mark;
        out_.append(out, text.has_content());
    }

    [[nodiscard]] std::string escaped(std::string_view c, char mark) const {
        const std::uint32_t code = code_point(c);
        switch (code) {
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        case '\\': return "\\\\";
        default: break;
        }
        if (c[0] == mark) {
            return {'\\', mark};
        }
        if (is_json()) {
            if (code == '\b' || code == '\f') {
                return code == '\b' ? "\\b" : "\\f";
            }
            return code < 0x20 || (options_.ascii_only && code > 0x7E) ? json_escape(code) : std::string(c);
        }
        return code < 0x20 || code == 0x7F ? fmt::format("\\x{:02x}", code) : std::string(c);
    }

    const WriteOptions options_;
    Text out_;
};

} // namespace

bool equal(const Value& a, const Value& b, std::size_t& pairs_left) { return equal_at(a, b, 0, pairs_left); }

Text write(const Value& value, const WriteOptions& options) {
    Writer writer(options);
    writer.write(value, 0);
    return writer.take();
}

} // namespace handeye::jinja
