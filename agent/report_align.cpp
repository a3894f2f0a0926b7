// SPDX-License-Identifier: Apache-2.0
#include "agent/report_align.h"

#include "agent/report_html.h"
#include "agent/report_words.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace handeye::report {
namespace {

constexpr std::size_t kCellsMax = 16U << 20U; // of the table of pairings: 4,096 steps on both sides
constexpr double kSamePlace = 0.05;           // of the screen's width and height

std::string info_of(const StepRecord& step) {
    const json& proposal = proposal_of(step);
    const std::string info = text_of(field_of(proposal, "action"), "element_info");
    return info.empty() ? text_of(field_of(proposal, "found"), "what") : info;
}

const json& first_target(const StepRecord& step) {
    const json& points = field_of(step.executed, "points");
    return field_of(points.is_array() && !points.empty() ? points.front() : points, "target");
}

// As shares of the frame, so that another size of the window is no other place.
std::optional<std::pair<double, double>> place_of(const StepRecord& step) {
    const json& target = first_target(step);
    if (!target.is_object()) {
        return std::nullopt;
    }
    const PictureSize frame = picture_size({{"size", field_of(target, "frame")}});
    return std::pair(number_of(target, "x") / frame.width, number_of(target, "y") / frame.height);
}

Likeness alike(const std::string& mine, const std::string& other) { return mine.empty() || other.empty() ? Likeness::Unknown : mine == other ? Likeness::Same : Likeness::Different; }

std::string label_of(const StepRecord& step) {
    const json& points = field_of(step.executed, "points");
    const json& element = field_of(points.is_array() && !points.empty() ? points.front() : points, "element");
    const std::string label = text_of(element, "label");
    return label.empty() ? "" : text_of(element, "role") + " " + label;
}

std::string verb_of(const StepRecord& step) { return text_of(proposal_of(step), "verb"); }

// How much two steps have in common; 0 or less: they are better left alone.
int score(const StepRecord& mine, const StepRecord& other) {
    const bool is_same_verb = verb_of(mine) == verb_of(other);
    const bool is_same_input = field_of(field_of(proposal_of(mine), "action"), "text") == field_of(field_of(proposal_of(other), "action"), "text");
    const Likeness target = compare_targets(mine, other);
    return (is_same_verb ? 4 : -2) + (target == Likeness::Same ? 4 : target == Likeness::Unknown ? 1 : -3) + (is_same_input ? 1 : 0);
}

bool is_same(const StepRecord& mine, const StepRecord& other) { return verb_of(mine) == verb_of(other) && compare_targets(mine, other) != Likeness::Different; }

enum class Move : std::uint8_t { Both, Mine, Other };

// Of the parts from `first` on, which differ at their beginning and end.
void align_middle(const std::vector<StepRecord>& mine, const std::vector<StepRecord>& other, std::size_t first, std::size_t mine_end, std::size_t other_end, Alignment& out) {
    const std::size_t rows = mine_end - first + 1;
    const std::size_t columns = other_end - first + 1;
    std::vector<Move> moves(rows * columns, Move::Mine);
    std::vector<int> below(columns, 0); // the best of what follows, of the row below and of this one
    std::vector<int> best(columns, 0);
    std::fill(moves.end() - static_cast<std::ptrdiff_t>(columns), moves.end(), Move::Other);
    for (std::size_t row = rows - 1; row-- > 0;) {
        best[columns - 1] = 0;
        for (std::size_t column = columns - 1; column-- > 0;) {
            const int both = below[column + 1] + score(mine[first + row], other[first + column]);
            const int one = std::max(below[column], best[column + 1]);
            best[column] = std::max(both, one);
            moves[row * columns + column] = both > one ? Move::Both : below[column] >= best[column + 1] ? Move::Mine : Move::Other;
        }
        std::swap(best, below);
    }
    for (std::size_t row = 0, column = 0; row + 1 < rows || column + 1 < columns;) {
        const Move move = moves[row * columns + column];
        const std::size_t mine_at = first + row, other_at = first + column;
        out.pairs.emplace_back(move == Move::Other ? std::nullopt : std::optional(mine_at), move == Move::Mine ? std::nullopt : std::optional(other_at));
        row += move == Move::Other ? 0 : 1;
        column += move == Move::Mine ? 0 : 1;
    }
}

} // namespace

Likeness compare_targets(const StepRecord& mine, const StepRecord& other) {
    const Likeness by_label = alike(label_of(mine), label_of(other));
    const Likeness by_info = by_label == Likeness::Unknown ? alike(info_of(mine), info_of(other)) : by_label;
    if (by_info != Likeness::Unknown) {
        return by_info;
    }
    const auto place = place_of(mine);
    const auto other_place = place_of(other);
    if (!place || !other_place) {
        return Likeness::Unknown;
    }
    const bool is_near = std::abs(place->first - other_place->first) <= kSamePlace && std::abs(place->second - other_place->second) <= kSamePlace;
    return is_near ? Likeness::Same : Likeness::Different;
}

std::string target_words(const StepRecord& step) {
    const std::string element = label_of(step).empty() ? "" : element_words(step);
    const std::string words = element.empty() ? info_of(step) : element;
    const json& target = first_target(step);
    if (!words.empty()) {
        return shorten(words, 80);
    }
    return target.is_object() ? fmt::format("{:.0f}, {:.0f}", number_of(target, "x"), number_of(target, "y")) : "no place";
}

Alignment align(const std::vector<StepRecord>& mine, const std::vector<StepRecord>& other) {
    Alignment out;
    const std::size_t shorter = std::min(mine.size(), other.size());
    std::size_t first = 0;
    while (first < shorter && is_same(mine[first], other[first])) {
        out.pairs.emplace_back(first, first);
        ++first;
    }
    std::size_t last = 0; // how many at the end are the same
    while (last < shorter - first && is_same(mine[mine.size() - 1 - last], other[other.size() - 1 - last])) {
        ++last;
    }
    const std::size_t mine_end = mine.size() - last;
    const std::size_t other_end = other.size() - last;
    out.is_by_number = (mine_end - first + 1) * (other_end - first + 1) > kCellsMax;
    if (!out.is_by_number) {
        align_middle(mine, other, first, mine_end, other_end, out);
    } else {
        for (std::size_t at = first; at < std::max(mine_end, other_end); ++at) {
            out.pairs.emplace_back(at < mine_end ? std::optional(at) : std::nullopt, at < other_end ? std::optional(at) : std::nullopt);
        }
    }
    for (std::size_t at = 0; at < last; ++at) {
        out.pairs.emplace_back(mine_end + at, other_end + at);
    }
    return out;
}

} // namespace handeye::report
