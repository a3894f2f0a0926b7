// SPDX-License-Identifier: Apache-2.0
#include "agent/click_confidence.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace handeye {
namespace {

struct Written {
    int value = 0;
    const NumberSpread* spread = nullptr;
};

std::vector<Written> written_numbers(const Completion& reply) {
    std::vector<Written> out;
    for (const NumberSpread& spread : reply.numbers) {
        Written number{.value = -1, .spread = &spread};
        const std::size_t from = std::min(spread.text_offset, reply.text_utf8.size());
        std::from_chars(reply.text_utf8.data() + from, reply.text_utf8.data() + std::min(from + 3, reply.text_utf8.size()), number.value);
        out.push_back(number);
    }
    return out;
}

double mass_near(const Written& number) {
    double mass = 0;
    for (const NumberSpread::Chance& chance : number.spread->chances) {
        mass += std::abs(chance.value - number.value) <= kSamePlace ? chance.probability : 0;
    }
    return std::min(1.0, mass);
}

const Target* first_target(const Action& action) {
    if (const auto* const click = std::get_if<Click>(&action)) {
        return &click->at;
    }
    if (const auto* const hover = std::get_if<Hover>(&action)) {
        return &hover->at;
    }
    if (const auto* const drag = std::get_if<Drag>(&action)) {
        return &drag->from;
    }
    if (const auto* const scroll = std::get_if<Scroll>(&action); scroll != nullptr && scroll->at) {
        return &*scroll->at;
    }
    if (const auto* const swipe = std::get_if<Swipe>(&action); swipe != nullptr && swipe->at) {
        return &*swipe->at;
    }
    if (const auto* const typed = std::get_if<TypeText>(&action); typed != nullptr && typed->into) {
        return &*typed->into;
    }
    return nullptr;
}

/// As the model wrote them, in the order of its dialects.
std::vector<double> coordinates_of(const Spot& spot) {
    return spot.box ? std::vector{spot.box->x0, spot.box->y0, spot.box->x1, spot.box->y1} : std::vector{spot.x, spot.y};
}

/// Of the numbers of the answer those that are the coordinates; null: they are not all there. The last ones, as the last action counts.
const Written* find_run(const std::vector<Written>& numbers, const std::vector<double>& coordinates) {
    const auto is_written = [](const Written& number, double coordinate) { return std::abs(number.value - coordinate) < 0.5; };
    const auto found = std::find_end(numbers.begin(), numbers.end(), coordinates.begin(), coordinates.end(), is_written);
    return found == numbers.end() ? nullptr : &*found;
}

bool is_number(std::string_view bytes) { return bytes.find_first_not_of("0123456789") == std::string_view::npos; }

/// The least probability among the words before the byte at `offset`, in the newest kDecidingTokens. Of a number nobody expects that it is
/// the only one.
std::optional<double> least_certain_before(const Completion& reply, std::size_t offset) {
    std::size_t end = 0;
    std::size_t bytes = 0;
    while (end < reply.logprobs.size() && bytes < offset) {
        bytes += reply.logprobs[end++].token.bytes.size();
    }
    if (bytes < offset) {
        return std::nullopt;
    }
    double least = 0;
    for (std::size_t i = end - std::min(end, kDecidingTokens); i < end; ++i) {
        const TokenChance& token = reply.logprobs[i].token;
        least = is_number(token.bytes) ? least : std::min(least, token.logprob);
    }
    return std::exp(least);
}

} // namespace

const Spot* first_spot(const Action& action) {
    const Target* const target = first_target(action);
    return target == nullptr ? nullptr : std::get_if<Spot>(target);
}

std::optional<double> click_confidence(const Completion& reply, const Action& action) {
    const Spot* const spot = first_spot(action);
    if (spot == nullptr || spot->units != Units::Thousandths) {
        return std::nullopt;
    }
    const std::vector<double> coordinates = coordinates_of(*spot);
    const std::vector<Written> numbers = written_numbers(reply);
    const Written* const run = find_run(numbers, coordinates);
    if (run == nullptr) {
        return std::nullopt;
    }
    const std::optional<double> decided = least_certain_before(reply, run->spread->text_offset);
    if (!decided) {
        return std::nullopt;
    }
    double product = 1;
    for (std::size_t i = 0; i < coordinates.size(); ++i) {
        product *= mass_near(run[i]);
    }
    return *decided * (coordinates.size() == 4 ? std::sqrt(product) : product);
}

} // namespace handeye
