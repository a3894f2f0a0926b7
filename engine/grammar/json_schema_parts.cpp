// SPDX-License-Identifier: Apache-2.0
// Numbers between bounds, strings of a format, keys that are not taken.
#include "engine/grammar/json_schema_parts.h"

#include "base/json.h"
#include "engine/grammar/grammar.h"

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::size_t kDigitsMax = 18; ///< of an integer without a bound

std::string digits(std::size_t count) {
    return count == 0 ? "" : count == 1 ? " [0-9]" : fmt::format(" [0-9]{{{}}}", count);
}

/// Numbers of one length from `low` to `high`, both digit strings of that length.
void same_length(const std::string& low, const std::string& high, std::string_view prefix, std::vector<std::string>& out) {
    if (low.empty()) {
        out.push_back(gbnf_literal(prefix));
        return;
    }
    const std::size_t rest = low.size() - 1;
    const auto add = [&](char from, char to) {
        out.push_back(fmt::format("{} {}{}", gbnf_literal(prefix), from == to ? fmt::format("\"{}\"", from) : fmt::format("[{}-{}]", from, to), digits(rest)));
    };
    const bool from_zeros = low.substr(1) == std::string(rest, '0');
    const bool to_nines = high.substr(1) == std::string(rest, '9');
    if (low[0] == high[0]) {
        if (from_zeros && to_nines) {
            add(low[0], low[0]);
        } else {
            same_length(low.substr(1), high.substr(1), std::string(prefix) + low[0], out);
        }
        return;
    }
    char first = low[0];
    char last = high[0];
    if (!from_zeros) {
        same_length(low.substr(1), std::string(rest, '9'), std::string(prefix) + low[0], out);
        ++first;
    }
    last = static_cast<char>(last - (to_nines ? 0 : 1));
    if (first <= last) {
        add(first, last);
    }
    if (!to_nines) {
        same_length(std::string(rest, '0'), high.substr(1), std::string(prefix) + high[0], out);
    }
}

/// Not negative, low <= high.
std::string magnitudes(std::uint64_t low, std::uint64_t high) {
    std::vector<std::string> out;
    const std::string bottom = std::to_string(low);
    const std::string top = std::to_string(high);
    for (std::size_t length = bottom.size(); length <= top.size(); ++length) {
        const std::string from = length == bottom.size() ? bottom : "1" + std::string(length - 1, '0');
        const std::string to = length == top.size() ? top : std::string(length, '9');
        same_length(from, to, "", out);
    }
    return fmt::format("({})", fmt::join(out, " | "));
}

std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

constexpr std::string_view kFraction = R"(("." [0-9]{1,6})?)";
constexpr std::string_view kNotNothing = R"("." [0-9]{0,5} [1-9])"; ///< a fraction above 0

/// Not negative numbers between bounds that are not negative; unset high: no bound. `low` is 0 or more.
std::vector<std::string> upward(std::uint64_t low, bool is_low_open, std::optional<std::uint64_t> high, bool is_high_open) {
    std::vector<std::string> ways;
    if (high && *high < low) {
        return ways;
    }
    if (high && *high == low) {
        if (!is_low_open && !is_high_open) {
            ways.push_back(fmt::format("\"{}\" (\".\" \"0\"{{1,6}})?", low));
        }
        return ways;
    }
    // From here on there is room above low: its own fractions, the whole numbers between with any, and high itself.
    ways.push_back(is_low_open ? fmt::format("\"{}\" {}", low, kNotNothing) : fmt::format("\"{}\" {}", low, kFraction));
    const std::string between = !high ? fmt::format("({})", integer_range(static_cast<std::int64_t>(low) + 1, std::nullopt))
                                : *high - low > 1 ? magnitudes(low + 1, *high - 1) : "";
    if (!between.empty()) {
        ways.push_back(fmt::format("{} {}", between, kFraction));
    }
    if (high && !is_high_open) {
        ways.push_back(fmt::format("\"{}\" (\".\" \"0\"{{1,6}})?", *high));
    }
    return ways;
}

/// Bytes of the escape or the character that begins here.
std::size_t unit_length(std::string_view written) {
    return written[0] == '\\' ? (written[1] == 'u' ? 6 : 2) : static_cast<std::size_t>(std::max(1, std::countl_one(static_cast<unsigned char>(written[0]))));
}

} // namespace

std::string json_rules(bool is_compact) {
    return fmt::format(R"G(ws ::= {}
json-char ::= [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" ([0-9abcefABCEF] [0-9a-fA-F]{{3}} | [dD] [0-7] [0-9a-fA-F]{{2}} | [dD] [89abAB] [0-9a-fA-F]{{2}} "\\u" [dD] [c-fC-F] [0-9a-fA-F]{{2}}))
json-string ::= "\"" json-char* "\""
json-integer ::= "-"? ("0" | [1-9] [0-9]{{0,17}})
json-number ::= "-"? ("0" | [1-9] [0-9]{{0,17}}) ("." [0-9]{{1,17}})? ([eE] [-+]? [0-9]{{1,2}})?
json-boolean ::= "true" | "false"
json-null ::= "null"
json-pair ::= json-string ":" ws json-value
json-object ::= "{{" ws (json-pair ("," ws json-pair)* ws)? "}}"
json-array ::= "[" ws (json-value ("," ws json-value)* ws)? "]"
json-value ::= json-object | json-array | json-string | json-number | json-boolean | json-null
)G",
                       is_compact ? "\"\"" : R"(" "? | "\n" [ \t]{0,40})");
}

std::string integer_range(std::optional<std::int64_t> low, std::optional<std::int64_t> high) {
    std::vector<std::string> ways;
    const auto any_longer = [](std::size_t length) { // whole numbers of at least so many digits
        return length > kDigitsMax ? std::string("[1-9] [0-9]{18}") : fmt::format("[1-9] [0-9]{{{},{}}}", length - 1, kDigitsMax - 1);
    };
    const auto from = [&](std::uint64_t bottom) { // bottom and above
        const std::size_t length = std::to_string(bottom).size();
        std::string nines(length, '9');
        std::vector<std::string> out;
        same_length(std::to_string(bottom), nines, "", out);
        if (length < kDigitsMax) {
            out.push_back(any_longer(length + 1));
        }
        return fmt::format("({})", fmt::join(out, " | "));
    };
    if (!low || *low < 0) { // below zero
        const std::uint64_t nearest = high && *high < 0 ? magnitude(*high) : 1;
        if (!low) {
            ways.push_back("\"-\" " + from(nearest));
        } else if (magnitude(*low) >= nearest) {
            ways.push_back("\"-\" " + magnitudes(nearest, magnitude(*low)));
        }
    }
    if (!high || *high >= 0) {
        const std::uint64_t nearest = low && *low > 0 ? static_cast<std::uint64_t>(*low) : 0;
        if (!high) {
            ways.push_back(nearest == 0 ? R"(("0" | [1-9] [0-9]{0,17}))" : from(nearest));
        } else if (nearest <= static_cast<std::uint64_t>(*high)) {
            ways.push_back(magnitudes(nearest, static_cast<std::uint64_t>(*high)));
        }
    }
    return fmt::format("{}", fmt::join(ways, " | "));
}

std::string number_range(std::optional<NumberBound> low, std::optional<NumberBound> high) {
    std::vector<std::string> ways;
    if (!high || high->value > 0 || (high->value == 0 && !high->is_exclusive)) { // zero and above
        const bool starts_above = low && low->value >= 0;
        const auto positive = upward(starts_above ? static_cast<std::uint64_t>(low->value) : 0, starts_above && low->is_exclusive,
                                     high ? std::optional(static_cast<std::uint64_t>(high->value)) : std::nullopt, high && high->is_exclusive);
        ways.insert(ways.end(), positive.begin(), positive.end());
    }
    if (!low || low->value < 0) { // below zero, mirrored; -0 is left to the other side
        const bool ends_below = high && high->value <= 0;
        const std::uint64_t nearest = ends_below ? magnitude(high->value) : 0;
        const bool is_open = nearest == 0 || high->is_exclusive;
        for (const std::string& way : upward(nearest, is_open, low ? std::optional(magnitude(low->value)) : std::nullopt, low && low->is_exclusive)) {
            ways.push_back("\"-\" " + way);
        }
    }
    return fmt::format("{}", fmt::join(ways, " | "));
}

std::optional<std::string> format_expression(std::string_view format) {
    constexpr std::string_view kMonthAndDay =
        R"((("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]) | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])))";
    constexpr std::string_view kClock = R"(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,9})? ("Z" | [+-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]))";
    constexpr std::string_view kLabel = R"([a-zA-Z0-9] ("-"? [a-zA-Z0-9]){0,31})";
    if (format == "date") {
        return fmt::format("[0-9]{{4}} \"-\" {}", kMonthAndDay);
    }
    if (format == "time") {
        return std::string(kClock);
    }
    if (format == "date-time") {
        return fmt::format("[0-9]{{4}} \"-\" {} \"T\" {}", kMonthAndDay, kClock);
    }
    if (format == "uuid") {
        return R"([0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12})";
    }
    if (format == "ipv4") {
        constexpr std::string_view kByte = R"(([0-9] | [1-9] [0-9] | "1" [0-9] [0-9] | "2" [0-4] [0-9] | "25" [0-5]))";
        return fmt::format("{0} \".\" {0} \".\" {0} \".\" {0}", kByte);
    }
    if (format == "hostname") {
        return fmt::format("{0} (\".\" {0}){{0,6}}", kLabel);
    }
    if (format == "email") {
        return fmt::format(R"([a-zA-Z0-9_+\-]{{1,32}} ("." [a-zA-Z0-9_+\-]{{1,16}}){{0,1}} "@" {0} ("." {0}){{1,5}})", kLabel);
    }
    if (format == "uri") {
        return fmt::format(R"([a-z] [a-z0-9+.\-]{{0,15}} "://" {0} ("." {0}){{0,6}} (":" [1-9] [0-9]{{0,3}})? ("/" [a-zA-Z0-9_.~\-]*)* ("?" [a-zA-Z0-9_.~=&\-]*)? ("#" [a-zA-Z0-9_.~\-]*)?)",
                           kLabel);
    }
    return std::nullopt;
}

std::string other_key_rules(std::string_view rule, const std::vector<std::string>& names) {
    struct Node {
        std::map<std::string, std::size_t> next; ///< by escape or character
        bool is_name = false;
    };
    std::vector<Node> tree(1); // of the names, as JSON writes them without the quotes
    for (const std::string& name : names) {
        const std::string dumped = dump_json(nlohmann::json(name));
        std::size_t at = 0;
        for (std::string_view left = std::string_view(dumped).substr(1, dumped.size() - 2); !left.empty();) {
            const std::string unit(left.substr(0, unit_length(left)));
            const auto [place, is_new] = tree[at].next.emplace(unit, tree.size());
            at = place->second;
            if (is_new) {
                tree.emplace_back();
            }
            left.remove_prefix(unit.size());
        }
        tree[at].is_name = true;
    }
    // One rule for each beginning: on along the names, or away from all of them.
    std::string rules = fmt::format("{0} ::= \"\\\"\" {0}-0 \"\\\"\"\n{0}-free ::= ([^\"\\\\\\x00-\\x1F] | \"\\\\\" [\"\\\\bfnrt])*\n", rule);
    for (std::size_t i = 0; i < tree.size(); ++i) {
        std::string taken;
        std::string escapes = "\"\\bfnrt";
        std::string ways = tree[i].is_name ? "" : "\"\" | ";
        for (const auto& [unit, next] : tree[i].next) {
            ways += fmt::format("{} {}-{} | ", gbnf_literal(unit), rule, next);
            if (unit[0] != '\\') {
                taken += std::string_view("]^-[").find(unit[0]) != std::string_view::npos ? "\\" + unit : unit;
            } else if (unit.size() == 2) {
                std::erase(escapes, unit[1]);
            }
        }
        std::string written_escapes;
        for (const char c : escapes) {
            written_escapes += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        }
        ways += fmt::format("[^\"\\\\\\x00-\\x1F{}] {}-free", taken, rule);
        ways += written_escapes.empty() ? "" : fmt::format(" | \"\\\\\" [{}] {}-free", written_escapes, rule);
        rules += fmt::format("{}-{} ::= {}\n", rule, i, ways);
    }
    return rules;
}

} // namespace handeye
