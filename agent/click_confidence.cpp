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

constexpr std::string_view kThinkEnd = "</think>";

struct Written {
    int value = 0;
    const NumberSpread* spread = nullptr;
};

/// Those of the answer; what was thought is no answer.
std::vector<Written> written_numbers(const Completion& reply) {
    const std::size_t thought = reply.text_utf8.find(kThinkEnd);
    std::vector<Written> out;
    for (const NumberSpread& spread : reply.numbers) {
        if (thought != std::string::npos && spread.text_offset < thought) {
            continue;
        }
        Written number{.value = -1, .spread = &spread};
        const std::size_t from = std::min(spread.text_offset, reply.text_utf8.size());
        std::from_chars(reply.text_utf8.data() + from, reply.text_utf8.data() + std::min(from + 3, reply.text_utf8.size()), number.value);
        out.push_back(number);
    }
    return out;
}

/// Of the numbers that are told: a server tells the best 20 tokens alone.
double mass_near(const Written& number) {
    double mass = 0;
    double told = 0;
    for (const NumberSpread::Chance& chance : number.spread->chances) {
        told += chance.probability;
        mass += std::abs(chance.value - number.value) <= kSamePlace ? chance.probability : 0;
    }
    return told > 0 ? mass / told : 0;
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
    for (std::size_t i = end; i > end - std::min(end, kDecidingTokens); --i) {
        const TokenChance& token = reply.logprobs[i - 1].token;
        const bool is_untold = token.logprob > 0; // no probability: a server said nothing of it
        if (is_untold && token.bytes.find(kThinkEnd) == std::string::npos) {
            return std::nullopt; // a part of the answer
        }
        if (is_untold) {
            break; // thinking, which some servers do not tell of
        }
        least = is_number(token.bytes) ? least : std::min(least, token.logprob);
    }
    return std::exp(least);
}

/// How certain the coordinates are that stand from `run` on.
std::optional<double> certainty_of(const Completion& reply, const Written* run, std::size_t count) {
    const std::optional<double> decided = least_certain_before(reply, run->spread->text_offset);
    if (!decided) {
        return std::nullopt;
    }
    double product = 1;
    for (std::size_t i = 0; i < count; ++i) {
        product *= mass_near(run[i]);
    }
    return *decided * (count == 4 ? std::sqrt(product) : product);
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
    const auto is_written = [](const Written& number, double coordinate) { return std::abs(number.value - coordinate) < 0.5; };
    std::optional<double> least; // a copy of the numbers, in a label or so, is certain of itself and says nothing
    for (auto at = numbers.begin(); (at = std::search(at, numbers.end(), coordinates.begin(), coordinates.end(), is_written)) != numbers.end(); ++at) {
        const std::optional<double> certainty = certainty_of(reply, &*at, coordinates.size());
        if (!certainty) {
            return std::nullopt;
        }
        least = std::min(least.value_or(1.0), *certainty);
    }
    return least;
}

} // namespace handeye
