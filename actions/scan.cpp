// SPDX-License-Identifier: Apache-2.0
// One pass over the text that tries each notation where it can begin: "{", "(", a tool tag, the start of a line.
#include "actions/scan.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kNameBytesMax = 40;
constexpr std::size_t kPairsMax = 32;
constexpr int kNestingMax = 3;
constexpr std::size_t kCandidatesMax = 256;
constexpr std::size_t kWorkPerByte = 6; // a plain answer takes about three
constexpr std::size_t kWorkMin = 128U << 10U;
constexpr std::string_view kKeyOpen = "<arg_key>";
constexpr std::string_view kKeyClose = "</arg_key>";
constexpr std::string_view kValueOpen = "<arg_value>";
constexpr std::string_view kValueClose = "</arg_value>";

bool is_name_char(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

/// Where the longest known name of up to three words begins that ends right before `paren`; nullopt: none does.
std::optional<std::size_t> name_before(std::string_view text, std::size_t paren, std::size_t from) {
    std::size_t end = paren;
    while (end > from && end + 1 > paren && text[end - 1] == ' ') {
        --end;
    }
    std::optional<std::size_t> best;
    std::size_t at = end;
    for (int words = 0; words < 3 && end - at < kNameBytesMax; ++words) {
        const std::size_t word_end = at;
        while (at > from && end - at < kNameBytesMax && is_name_char(text[at - 1])) {
            --at;
        }
        if (at == word_end || (at > from && is_name_char(text[at - 1]))) {
            break;
        }
        if (find_intent(text.substr(at, end - at))) {
            best = at;
        }
        if (at == from || text[at - 1] != ' ') {
            break;
        }
        --at;
    }
    return best;
}

/// The value of the first of these keys; erased from `dict`.
std::optional<Literal> take_key(Literal& dict, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        for (std::size_t i = 0; i < dict.keys.size(); ++i) {
            std::string key = dict.keys[i];
            std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            if (key == name) {
                Literal value = std::move(dict.items[i]);
                dict.items.erase(dict.items.begin() + static_cast<std::ptrdiff_t>(i));
                dict.keys.erase(dict.keys.begin() + static_cast<std::ptrdiff_t>(i));
                return value;
            }
        }
    }
    return std::nullopt;
}

bool is_container(const Literal& value) {
    return value.kind == Literal::Kind::Dict || value.kind == Literal::Kind::List;
}

class Scanner {
public:
    Scanner(std::string_view text, TextSpan span, const ScanGuide& guide, Work& work, std::vector<Candidate>& out,
            int nesting)
        : text_(text), span_(span), guide_(guide), work_(work), out_(out), covered_(span.begin), nesting_(nesting) {}

    void run() {
        bool is_line_start = true;
        for (std::size_t at = span_.begin; at < span_.end && work_.spend(1);) {
            if (out_.size() > kCandidatesMax) {
                work_.left = 0;
            }
            const std::size_t next = try_at(at, is_line_start);
            if (next > at) {
                covered_ = at = next;
                is_line_start = false;
                continue;
            }
            const char c = text_[at];
            at += glyph_at(text_, at).bytes;
            is_line_start = c == '\n' || (is_line_start && (c == ' ' || c == '\t')) ||
                            std::ranges::binary_search(guide_.action_begins, at);
        }
    }

private:
    /// The end of what begins at `at`, or `at`.
    std::size_t try_at(std::size_t at, bool is_line_start) {
        if (is_line_start) {
            if (auto line = read_mark_line(text_, at, span_.end, work_)) {
                out_.push_back({{line->begin, line->end}, std::move(line->action), Dialect::GlmWebMarks, {}});
                return line->end;
            }
        }
        const Glyph g = glyph_at(text_, at);
        if (g.character == '{') {
            return read_json(at);
        }
        if (g.character == '(') {
            return read_call(at, g.bytes);
        }
        if (g.character == '<') {
            const std::string_view rest = text_.substr(at, span_.end - at);
            if (rest.starts_with(kKeyOpen) || rest.starts_with(kKeyClose)) {
                return read_tool_tags(at);
            }
        }
        return at;
    }

    void add(TextSpan span, const Call& call, Dialect dialect, bool was_repaired) {
        Candidate candidate{span, Fault{}, dialect, {}, was_repaired};
        if (was_repaired) {
            candidate.warnings.emplace_back("repaired quotes or brackets");
        }
        candidate.built = build_action(call, candidate.warnings);
        out_.push_back(std::move(candidate));
    }

    std::size_t read_call(std::size_t paren, std::size_t paren_bytes) {
        const auto name = name_before(text_, paren, covered_);
        if (!name || !work_.spend(kNameBytesMax)) {
            return paren;
        }
        LiteralReader reader(text_, paren + paren_bytes, span_.end, guide_.stops, work_);
        auto arguments = reader.read_arguments();
        if (!arguments) {
            return paren;
        }
        Call call{std::string(text_.substr(*name, paren - *name)), std::move(*arguments), Notation::Call};
        while (call.name.ends_with(' ')) {
            call.name.pop_back();
        }
        add({*name, reader.position()}, call, dialect_of_call(call.name), reader.was_repaired());
        return reader.position();
    }

    std::size_t read_json(std::size_t at) {
        LiteralReader reader(text_, at, span_.end, guide_.stops, work_);
        auto dict = reader.read_value();
        if (!dict) {
            return at;
        }
        span_now_ = {at, reader.position()};
        was_repaired_ = reader.was_repaired();
        collect(std::move(*dict), 0);
        return reader.position();
    }

    /// Actions of a value, and of the values inside one that is none itself.
    void collect(Literal value, int depth) {
        if (depth > 6) {
            return;
        }
        if (value.kind == Literal::Kind::Dict && collect_action(value, depth)) {
            return;
        }
        for (Literal& item : value.items) {
            if (is_container(item)) {
                collect(std::move(item), depth + 1);
            }
        }
    }

    /// False: this dict names no action.
    bool collect_action(Literal& dict, int depth) {
        if (std::ranges::find(dict.keys, "verb") != dict.keys.end()) {
            add_canonical();
            return true;
        }
        bool is_sure = true; // such a key can only name an action; a "name" or "type" may be anything
        auto name = take_key(dict, {"action_type", "action"});
        if (!name) {
            is_sure = false;
            name = take_key(dict, {"name", "function", "tool", "tool_name", "type"});
        }
        if (!name) {
            return false;
        }
        if (is_container(*name)) { // {"action":{"action_type":..}}, {"function":{"name":..,"arguments":..}}
            collect(std::move(*name), depth + 1);
            return true;
        }
        if (name->text.find(kKeyClose) != std::string::npos || name->text.find('(') != std::string::npos) {
            scan_inside(name->text);
            return true;
        }
        if (!is_sure && !find_intent(name->text)) {
            return false;
        }
        merge_arguments(dict);
        add(span_now_, {name->text, std::move(dict), Notation::Json}, Dialect::GlmMobile, was_repaired_);
        return true;
    }

    /// {"name":"click","arguments":{...}}: the arguments, written as an object or as its text, become the call's own.
    void merge_arguments(Literal& dict) {
        auto inner = take_key(dict, {"arguments", "parameters", "params", "args", "action_input"});
        if (inner && inner->is_text()) {
            LiteralReader reader(inner->text, 0, inner->text.size(), {}, work_);
            inner = reader.read_value();
        }
        if (inner && inner->kind == Literal::Kind::Dict) {
            std::ranges::move(inner->keys, std::back_inserter(dict.keys));
            std::ranges::move(inner->items, std::back_inserter(dict.items));
        }
    }

    void add_canonical() {
        const Result<Action> action = parse_canonical(text_.substr(span_now_.begin, span_now_.end - span_now_.begin));
        out_.push_back({span_now_, action ? Built(*action) : Built(Fault{Fault::Kind::Invalid, action.error().message}),
                        Dialect::Canonical, {}});
    }

    /// An action's name that is itself a call or a tool form.
    void scan_inside(const std::string& text) {
        if (nesting_ >= kNestingMax) {
            return;
        }
        std::vector<Candidate> inner;
        const ScanGuide guide;
        Scanner(text, {0, text.size()}, guide, work_, inner, nesting_ + 1).run();
        for (Candidate& candidate : inner) {
            candidate.span = span_now_;
            out_.push_back(std::move(candidate));
        }
    }

    /// name <arg_key>k</arg_key><arg_value>v</arg_value>..., the first <arg_key> perhaps missing.
    std::size_t read_tool_tags(std::size_t at) {
        std::size_t cursor = at;
        std::size_t name_end = at;
        Call call;
        call.arguments.kind = Literal::Kind::Dict;
        if (text_.substr(at).starts_with(kKeyClose)) { // "left_click start_box</arg_key>": the last word is the key
            std::size_t begin = trimmed_end(at);
            while (begin > covered_ && at - begin < kNameBytesMax && is_name_char(text_[begin - 1])) {
                --begin;
            }
            name_end = begin;
            cursor = begin;
        }
        while (call.arguments.keys.size() < kPairsMax && read_pair(cursor, call.arguments)) {
        }
        const auto name = name_before(text_, trimmed_end(name_end), covered_);
        if (!name || call.arguments.keys.empty()) {
            return at;
        }
        call.name = std::string(trim(text_.substr(*name, name_end - *name)));
        constexpr std::string_view kCallClose = "</tool_call>";
        if (text_.substr(cursor, span_.end - cursor).starts_with(kCallClose)) {
            cursor += kCallClose.size();
        }
        add({*name, cursor}, call, Dialect::GlmDesktop, false);
        return cursor;
    }
    [[nodiscard]] std::size_t trimmed_end(std::size_t end) const {
        while (end > covered_ && std::isspace(static_cast<unsigned char>(text_[end - 1])) != 0) {
            --end;
        }
        return end;
    }

    bool read_pair(std::size_t& cursor, Literal& arguments) {
        const std::string_view rest = text_.substr(cursor, span_.end - cursor);
        std::size_t at = skip_space(rest, 0);
        at += rest.substr(at).starts_with(kKeyOpen) ? kKeyOpen.size() : 0;
        const std::size_t key_end = rest.substr(at, 2 * kNameBytesMax).find(kKeyClose);
        if (key_end == std::string_view::npos) {
            return false;
        }
        Literal value;
        value.kind = Literal::Kind::String;
        std::string key(trim(rest.substr(at, key_end)));
        at = skip_space(rest, at + key_end + kKeyClose.size());
        at += rest.substr(at).starts_with(kValueOpen) ? kValueOpen.size() : 0;
        const std::size_t value_end = std::min({rest.find(kValueClose, at), rest.find(kKeyOpen, at), rest.size()});
        if (!work_.spend(rest.size() - at)) {
            return false;
        }
        value.text = std::string(trim(rest.substr(at, value_end - at)));
        arguments.keys.push_back(std::move(key));
        arguments.items.push_back(std::move(value));
        at = value_end + (rest.substr(value_end).starts_with(kValueClose) ? kValueClose.size() : 0);
        cursor += skip_space(rest, at);
        return true;
    }
    static std::size_t skip_space(std::string_view text, std::size_t at) {
        while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) {
            ++at;
        }
        return at;
    }

    std::string_view text_;
    TextSpan span_;
    const ScanGuide& guide_;
    Work& work_;
    std::vector<Candidate>& out_;
    std::size_t covered_; ///< nothing before this is looked at again
    int nesting_;
    TextSpan span_now_;   ///< of the JSON value being collected
    bool was_repaired_ = false;
};

} // namespace

Work work_for(std::string_view text) {
    return {text.size() * kWorkPerByte + kWorkMin};
}

ScanGuide find_guide(std::string_view text, const std::vector<FieldLabel>& labels) {
    ScanGuide guide;
    std::vector<std::size_t>& stops = guide.stops;
    for (const FieldLabel& label : labels) {
        stops.push_back(label.begin);
        if (label.name == FieldName::Act) {
            guide.action_begins.push_back(label.value);
        }
    }
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '(' || c == '\xEF') {
            const Glyph g = glyph_at(text, at);
            const auto name = g.character == '(' ? name_before(text, at, 0) : std::nullopt;
            if (name) {
                stops.push_back(*name);
            }
        }
    }
    std::ranges::sort(stops);
    return guide;
}

void scan_actions(std::string_view text, TextSpan span, const ScanGuide& guide, Work& work, std::vector<Candidate>& candidates) {
    Scanner(text, span, guide, work, candidates, 0).run();
}

std::optional<Candidate> find_bare_word(std::string_view text, TextSpan span) {
    std::string_view region = text.substr(span.begin, span.end - span.begin);
    while (!region.empty() && std::isspace(static_cast<unsigned char>(region.back())) != 0) {
        region.remove_suffix(1);
    }
    const std::size_t region_end = region.size();
    while (!region.empty() && std::string_view(".!*`\"'() ").find(region.back()) != std::string_view::npos) {
        region.remove_suffix(1);
    }
    std::size_t begin = region.size();
    while (begin > 0 && std::isalpha(static_cast<unsigned char>(region[begin - 1])) != 0) {
        --begin;
    }
    const std::string_view word = region.substr(begin);
    std::string_view before = region.substr(0, begin);
    while (!before.empty() && std::string_view(" \t*`\"'").find(before.back()) != std::string_view::npos) {
        before.remove_suffix(1);
    }
    const bool is_alone = trim(before).empty() || before.back() == '\n';
    const bool closes_sentence = is_alone || std::string_view(".:;!?").find(before.back()) != std::string_view::npos;
    const bool is_shouted = std::ranges::all_of(word, [](char c) { return c >= 'A' && c <= 'Z'; });
    const auto intent = find_intent(word);
    if (!intent || !(is_alone || (is_shouted && closes_sentence)) ||
        (*intent != Intent::Finish && *intent != Intent::Fail && *intent != Intent::Wait)) {
        return std::nullopt;
    }
    Candidate candidate{{span.begin + begin, span.begin + region_end}, Fault{}, Dialect::GlmDesktop, {"took a bare word for an action"}};
    Call call{std::string(word), {}, Notation::Call};
    call.arguments.kind = Literal::Kind::Dict;
    candidate.built = build_action(call, candidate.warnings);
    return candidate;
}

} // namespace handeye
