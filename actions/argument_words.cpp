// SPDX-License-Identifier: Apache-2.0
#include "actions/argument_words.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace handeye {

std::string lowered(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::optional<Direction> find_direction(std::string_view name) {
    const std::string word = lowered(name);
    return word == "up"      ? std::optional(Direction::Up)
           : word == "down"  ? std::optional(Direction::Down)
           : word == "left"  ? std::optional(Direction::Left)
           : word == "right" ? std::optional(Direction::Right)
                             : std::nullopt;
}

std::optional<double> number_in(const Literal& value) {
    if (value.kind == Literal::Kind::Number) {
        return value.number;
    }
    const std::size_t at = value.text.find_first_of("-0123456789");
    double number = 0;
    if (!value.is_text() || at == std::string::npos ||
        std::from_chars(value.text.data() + at, value.text.data() + value.text.size(), number).ec != std::errc{}) {
        return std::nullopt;
    }
    return number;
}

std::optional<bool> truth_of(std::string_view word) {
    for (const std::string_view good : {"complete", "completed", "success", "successful", "succeeded", "done", "finished", "true"}) {
        if (word == good) {
            return true;
        }
    }
    for (const std::string_view bad : {"infeasible", "fail", "failed", "failure", "impossible", "false"}) {
        if (word == bad) {
            return false;
        }
    }
    return std::nullopt;
}

} // namespace handeye
