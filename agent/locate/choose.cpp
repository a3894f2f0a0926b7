// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/choose.h"

#include "agent/locate/words.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace handeye::locate {
namespace {

constexpr double kAskew = 3;           // how much farther off what is neither in the row nor in the column counts
constexpr double kFarther = 1.15;      // the second nearest must be that much farther away,
constexpr double kFartherPx = 4;       // and so many pixels
constexpr std::size_t kListedMax = 3;

int gap(int a_from, int a_length, int b_from, int b_length) { return std::max({0, b_from - (a_from + a_length), a_from - (b_from + b_length)}); }

bool is_level(int a_from, int a_length, int b_from, int b_length) {
    return 2 * (std::min(a_from + a_length, b_from + b_length) - std::max(a_from, b_from)) >= std::min(a_length, b_length);
}

Found found(const Candidate& best, double margin) { return {best, best.box.center(), margin, {}}; }

std::string miss_of(const Candidate& best, double score_min) {
    const Point at = best.box.center();
    return fmt::format("best was {} {:.2f} of {:.2f} at {},{}", best.what_utf8.empty() ? "a place" : in_quotes(best.what_utf8), best.score, score_min, at.x, at.y);
}

Choice nearest_of(std::vector<Candidate> fitting, const Neighbour& near, const std::vector<Rect>& neighbours) {
    Choice choice;
    std::vector<std::pair<double, const Candidate*>> near_by;
    for (const Candidate& candidate : fitting) {
        double least = -1;
        for (const Rect& neighbour : neighbours) {
            const auto distance = neighbour == candidate.box ? std::nullopt : distance_to(neighbour, candidate.box, near.side);
            least = distance && (least < 0 || *distance < least) ? *distance : least;
        }
        if (least >= 0) {
            near_by.emplace_back(least, &candidate);
        }
    }
    std::stable_sort(near_by.begin(), near_by.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    if (near_by.empty()) {
        choice.miss = fmt::format("{} fit, none of them lies on that side of its neighbour", fitting.size());
    } else if (near_by.size() > 1 && near_by[1].first < std::max(near_by[0].first * kFarther, near_by[0].first + kFartherPx)) {
        for (const auto& [distance, candidate] : near_by) {
            if (distance < std::max(near_by[0].first * kFarther, near_by[0].first + kFartherPx)) {
                choice.several.push_back(*candidate);
            }
        }
    } else {
        choice.found = found(*near_by[0].second, 1);
    }
    return choice;
}

} // namespace

std::optional<double> distance_to(const Rect& neighbour, const Rect& box, Side side) {
    const int across = gap(neighbour.x, neighbour.width_px, box.x, box.width_px), down = gap(neighbour.y, neighbour.height_px, box.y, box.height_px);
    const bool is_row = is_level(neighbour.y, neighbour.height_px, box.y, box.height_px);
    const bool is_column = is_level(neighbour.x, neighbour.width_px, box.x, box.width_px);
    const Point from = neighbour.center(), to = box.center();
    const auto on = [&](bool is_beside, bool is_there, int pixels) { return is_beside && is_there ? std::optional<double>(pixels) : std::nullopt; };
    switch (side) {
    case Side::Left: return on(is_row, to.x < from.x, across);
    case Side::Right: return on(is_row, to.x > from.x, across);
    case Side::Above: return on(is_column, to.y < from.y, down);
    case Side::Below: return on(is_column, to.y > from.y, down);
    case Side::Any: break;
    }
    return std::hypot(across, down) * (is_row || is_column ? 1 : kAskew);
}

void sort_for_reading(std::vector<Candidate>& candidates) {
    std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.box.center().y < b.box.center().y; });
    for (auto from = candidates.begin(); from != candidates.end();) {
        const Rect row = from->box;
        const auto to = std::find_if(from, candidates.end(), [&](const Candidate& c) { return !is_level(row.y, row.height_px, c.box.y, c.box.height_px); });
        const auto end = to == from ? from + 1 : to; // an empty box is level with nothing
        std::stable_sort(from, end, [](const Candidate& a, const Candidate& b) { return a.box.x < b.box.x; });
        from = end;
    }
}

std::string listed(const std::vector<Candidate>& several) {
    std::string text;
    for (std::size_t i = 0; i < std::min(several.size(), kListedMax); ++i) {
        const Point at = several[i].box.center();
        text += fmt::format("{}{} at {},{}", i == 0 ? "" : "; ", several[i].what_utf8.empty() ? "one" : in_quotes(several[i].what_utf8), at.x, at.y);
    }
    return several.size() > kListedMax ? text + fmt::format("; {} more", several.size() - kListedMax) : text;
}

Choice choose(const Matches& matches, const Look& look, const RungLimits& limits, const std::vector<Rect>& neighbours) {
    const TargetQuery& query = look.query;
    const bool is_picture = limits.rung == Rung::LocalTemplate || limits.rung == Rung::Template;
    const double score_min = matches.score_min > 0 ? matches.score_min : is_picture && query.min_score > 0 ? query.min_score : limits.score_min;
    std::vector<Candidate> fitting;
    double second = 0;
    const auto add_note = [&](std::string text) { return matches.note.empty() ? text : text.empty() ? matches.note : text + "; " + matches.note; };
    for (const Candidate& candidate : matches.all) {
        if (look.area.contains(candidate.box.center())) {
            fitting.push_back(candidate);
        }
    }
    if (fitting.empty()) {
        return {{}, {}, add_note(matches.all.empty() ? "nothing like it" : fmt::format("{}, outside the region", miss_of(matches.all.front(), score_min)))};
    }
    std::stable_sort(fitting.begin(), fitting.end(), [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    const double best = fitting.front().score;
    if (best < score_min) {
        return {{}, {}, add_note(miss_of(fitting.front(), score_min))};
    }
    const auto end = std::find_if(fitting.begin(), fitting.end(), [&](const Candidate& c) { return c.score < score_min || (c.score < best && c.score <= best - limits.margin_min); });
    second = end == fitting.end() ? best - 1 : end->score;
    fitting.erase(end, fitting.end());
    if (query.near && query.index == 0) {
        Choice choice = nearest_of(std::move(fitting), *query.near, neighbours);
        choice.miss = choice.miss.empty() ? "" : add_note(choice.miss);
        sort_for_reading(choice.several);
        return choice;
    }
    if (query.near) {
        std::erase_if(fitting, [&](const Candidate& c) {
            return std::none_of(neighbours.begin(), neighbours.end(), [&](const Rect& n) { return n != c.box && distance_to(n, c.box, query.near->side).has_value(); });
        });
    }
    sort_for_reading(fitting);
    if (query.index > 0) {
        const auto n = static_cast<std::size_t>(query.index);
        return n <= fitting.size() ? Choice{found(fitting[n - 1], 1), {}, {}} : Choice{{}, {}, add_note(fmt::format("there are only {} of them", fitting.size()))};
    }
    return fitting.size() == 1 ? Choice{found(fitting.front(), best - second), {}, {}} : Choice{{}, std::move(fitting), {}};
}

} // namespace handeye::locate
