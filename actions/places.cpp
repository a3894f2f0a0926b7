// SPDX-License-Identifier: Apache-2.0
// Points and boxes in all the ways that models bracket them.
#include "actions/build.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kNumbersMax = 64;
constexpr double kThousand = 1000.0;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Numbers of a text such as "[[503,580]]", "<point>12 34</point>", "x=12, y=34"; tags are skipped. False: not a place.
bool collect_from_text(std::string_view text, std::vector<double>& numbers) {
    for (std::size_t i = 0; i < text.size() && numbers.size() <= kNumbersMax;) {
        if (text[i] == '<') {
            const std::size_t end = text.find('>', i);
            if (end == std::string_view::npos) {
                return false;
            }
            i = end + 1;
            continue;
        }
        const bool is_negative = text[i] == '-' && i + 1 < text.size() && is_digit(text[i + 1]);
        if (!is_digit(text[i]) && !is_negative && !(text[i] == '.' && i + 1 < text.size() && is_digit(text[i + 1]))) {
            ++i;
            continue;
        }
        if (i > 0 && std::isalpha(static_cast<unsigned char>(text[i - 1])) != 0) { // "x1=12": part of a name
            do {
                ++i;
            } while (i < text.size() && is_digit(text[i]));
            continue;
        }
        double value = 0;
        const auto [stop, error] = std::from_chars(text.data() + i, text.data() + text.size(), value, std::chars_format::fixed);
        if (error != std::errc{}) {
            return false;
        }
        numbers.push_back(value);
        i = static_cast<std::size_t>(stop - text.data());
    }
    return true;
}

bool collect(const Literal& value, std::vector<double>& numbers) {
    switch (value.kind) {
    case Literal::Kind::Number: numbers.push_back(value.number); return true;
    case Literal::Kind::String:
    case Literal::Kind::Word: return collect_from_text(value.text, numbers);
    case Literal::Kind::List:
    case Literal::Kind::Dict:
        return numbers.size() <= kNumbersMax &&
               std::ranges::all_of(value.items, [&](const Literal& item) { return collect(item, numbers); });
    case Literal::Kind::Null:
    case Literal::Kind::Bool: return true;
    }
    return false;
}

Spot spot_of(std::span<const double> numbers) {
    if (numbers.size() == 2) {
        return {Units::Thousandths, numbers[0], numbers[1], std::nullopt};
    }
    const auto [x0, x1] = std::minmax(numbers[0], numbers[2]);
    const auto [y0, y1] = std::minmax(numbers[1], numbers[3]);
    return {Units::Thousandths, (x0 + x1) / 2, (y0 + y1) / 2, Spot::Box{x0, y0, x1, y1}};
}

bool is_fractional(double value) {
    return value != static_cast<double>(static_cast<long long>(value));
}

Fault invalid(std::string message) {
    return {Fault::Kind::Invalid, std::move(message)};
}

} // namespace

Places read_places(const Literal& value, std::vector<std::string>& warnings) {
    std::vector<double> numbers;
    if (!collect(value, numbers) || numbers.size() > kNumbersMax) {
        return invalid("the coordinates cannot be read: write [x,y] or [[xmin,ymin,xmax,ymax]] with values 0-999");
    }
    if (numbers.empty()) {
        return std::vector<Spot>{};
    }
    if (numbers.size() % 2 != 0) {
        return invalid(fmt::format("{} numbers make neither a point [x,y] nor a box [[xmin,ymin,xmax,ymax]]", numbers.size()));
    }
    for (const double n : numbers) {
        if (!(n >= 0 && n <= kThousand)) {
            return invalid(fmt::format("the coordinate {:g} lies outside the screen: coordinates are 0-999, in thousandths", n));
        }
    }
    if (std::ranges::all_of(numbers, [](double n) { return n <= 1.0; }) && std::ranges::any_of(numbers, is_fractional)) {
        std::ranges::for_each(numbers, [](double& n) { n *= kThousand; });
        warnings.emplace_back("took coordinates between 0 and 1 for shares of the screen");
    }
    std::vector<Spot> spots;
    const std::size_t per_spot = numbers.size() == 2 ? 2 : 4;
    for (std::size_t i = 0; i + per_spot <= numbers.size(); i += per_spot) {
        spots.push_back(spot_of(std::span(numbers).subspan(i, per_spot)));
    }
    return spots;
}

} // namespace handeye
