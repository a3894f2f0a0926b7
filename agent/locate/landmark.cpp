// SPDX-License-Identifier: Apache-2.0
// The target by what stood around it: each landmark that is found votes for a place.
#include "agent/locate/field_words.h"
#include "agent/locate/limits.h"
#include "agent/locate/phrases.h"
#include "agent/locate/roles.h"
#include "agent/locate/rungs.h"
#include "agent/locate/words.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace handeye::locate {
namespace {

constexpr std::array kScales{1.0, 1.25, 0.8, 1.5, 2.0 / 3, 2.0, 0.5}; // of the desktop since it was recorded
constexpr double kTolerancePx = 10;      // votes that are nearer than this, and
constexpr double kTolerance = 0.04;      // this part of their distance, agree
constexpr std::size_t kAgreeMin = 2;
constexpr std::size_t kLandmarksMax = 16, kPlacesMax = 20;
constexpr int kSidePx = 16;              // of the box when the target's own size is not known

struct Vote {
    std::size_t landmark;
    double x, y, reach_px;
};

struct Agreement {
    std::set<std::size_t> landmarks;
    double x = 0, y = 0;
};

std::vector<Vote> votes_at(const TargetQuery& query, const std::vector<std::vector<Rect>>& places, double scale) {
    std::vector<Vote> votes;
    for (std::size_t i = 0; i < places.size(); ++i) {
        for (const Rect& place : places[i]) {
            const double right = query.landmarks[i].right_px * scale, down = query.landmarks[i].down_px * scale;
            if (std::isfinite(right) && std::isfinite(down)) {
                votes.push_back({i, place.x + place.width_px / 2.0 + right, place.y + place.height_px / 2.0 + down, std::hypot(right, down)});
            }
        }
    }
    return votes;
}

/// The votes around each vote; the largest groups first, none within another.
std::vector<Agreement> agreements(const std::vector<Vote>& votes) {
    std::vector<Agreement> all;
    for (const Vote& middle : votes) {
        Agreement group;
        std::size_t n = 0;
        for (const Vote& vote : votes) {
            const double apart = std::hypot(vote.x - middle.x, vote.y - middle.y);
            if (apart <= kTolerancePx + kTolerance * std::max(vote.reach_px, middle.reach_px)) {
                group.landmarks.insert(vote.landmark);
                group.x += vote.x;
                group.y += vote.y;
                ++n;
            }
        }
        group.x /= static_cast<double>(std::max<std::size_t>(1, n));
        group.y /= static_cast<double>(std::max<std::size_t>(1, n));
        all.push_back(group);
    }
    std::stable_sort(all.begin(), all.end(), [](const Agreement& a, const Agreement& b) { return a.landmarks.size() > b.landmarks.size(); });
    std::vector<Agreement> apart;
    for (const Agreement& group : all) {
        if (std::none_of(apart.begin(), apart.end(), [&](const Agreement& g) { return std::hypot(g.x - group.x, g.y - group.y) < 3 * kTolerancePx; })) {
            apart.push_back(group);
        }
    }
    return apart;
}

/// Whether that is a field of the wanted kind, where the platform tells of any.
bool is_such_a_field(const Look& look, const Agreement& group) {
    const auto is_such = [&](const Element& element) { return is_role(look.query.role, element.role) && !visible(element, look.seen).size().is_empty(); };
    const Point at{static_cast<int>(std::lround(std::clamp(group.x, -1e6, 1e6))), static_cast<int>(std::lround(std::clamp(group.y, -1e6, 1e6)))};
    const Element* const there = worked_at(look, at);
    return there != nullptr ? is_such(*there) : std::none_of(look.seen.elements.begin(), look.seen.elements.end(), is_such);
}

} // namespace

Result<std::vector<Rect>> places_of(const Look& look, const std::string& words_utf8) {
    std::vector<Rect> places;
    for (const Element& element : look.seen.elements) {
        const Rect box = visible(element, look.seen);
        if (!box.size().is_empty() && label_score(words_utf8, element.label_utf8, false) == 1 && std::find(places.begin(), places.end(), box) == places.end()) {
            places.push_back(box);
        }
    }
    if (!places.empty()) {
        return places;
    }
    const Size size = look.seen.image.size();
    const std::vector<TextLine> lines = TRY(look.text.lines(look.seen.image, {0, 0, size.width_px, size.height_px}));
    for (const Phrase& phrase : find_phrases(lines, words_utf8, false)) {
        if (phrase.score >= limits_of(Rung::Text).score_min) {
            places.push_back(phrase.box);
        }
    }
    return places;
}

Result<Matches> match_landmarks(const Look& look) {
    const TargetQuery& query = look.query;
    const std::size_t n = std::min(query.landmarks.size(), kLandmarksMax);
    std::vector<std::vector<Rect>> places(n);
    std::size_t n_found = 0;
    for (std::size_t i = 0; i < n; ++i) {
        places[i] = TRY(places_of(look, query.landmarks[i].text_utf8));
        n_found += places[i].empty() ? 0 : 1;
        if (places[i].size() > kPlacesMax) {
            places[i].clear(); // it stands everywhere: it tells nothing
        }
    }
    if (n_found < kAgreeMin) {
        return Error{ErrorCode::NotFound, fmt::format("{} of {} landmarks were found, {} are needed", n_found, n, kAgreeMin)};
    }
    const bool is_strict = is_field_role(query.role); // fields look the same, and beside some landmarks there is always one
    Matches matches;
    for (const double scale : kScales) {
        for (const Agreement& group : agreements(votes_at(query, places, scale))) {
            const Size size = query.was_at ? query.was_at->size() : Size{kSidePx, kSidePx};
            const int width = std::clamp(static_cast<int>(size.width_px * scale), 1, 16384), height = std::clamp(static_cast<int>(size.height_px * scale), 1, 16384);
            const bool is_enough = group.landmarks.size() >= (is_strict ? n : kAgreeMin) && (!is_strict || is_such_a_field(look, group));
            const double score = is_enough ? static_cast<double>(group.landmarks.size()) / static_cast<double>(n) : 0;
            const auto at = [](double middle, int side) { return static_cast<int>(std::lround(std::clamp(middle, -1e6, 1e6))) - side / 2; };
            matches.all.push_back({Rung::Landmark, {at(group.x, width), at(group.y, height), width, height}, score,
                                   fmt::format("{} of {} landmarks agree", group.landmarks.size(), n), true});
        }
        std::stable_sort(matches.all.begin(), matches.all.end(), [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
        matches.all.resize(std::min<std::size_t>(matches.all.size(), 100));
        if (!matches.all.empty() && matches.all.front().score >= limits_of(Rung::Landmark).score_min) {
            break; // nothing was scaled, or by this
        }
        if (scale != kScales.back()) {
            matches.all.clear();
        }
    }
    return matches;
}

const Element* worked_at(const Look& look, Point at) {
    const Element* inner = nullptr;
    for (const Element& element : look.seen.elements) {
        const Rect box = visible(element, look.seen);
        if (box.contains(at) && is_worked_role(element.role) && (inner == nullptr || box.size().area() < visible(*inner, look.seen).size().area())) {
            inner = &element;
        }
    }
    return inner;
}

std::string contradiction(const Look& look, Point at) {
    const TargetQuery& query = look.query;
    const std::string& wanted = query.label_utf8.empty() ? query.text_utf8 : query.label_utf8;
    if (wanted.empty()) {
        return {};
    }
    const Element* const inner = worked_at(look, at);
    const double score_min = limits_of(Rung::Structure).score_min;
    if (inner != nullptr && !inner->label_utf8.empty()) {
        const bool fits = label_score(wanted, inner->label_utf8, query.is_exact) >= score_min || (!inner->is_secret && label_score(wanted, inner->value_utf8, query.is_exact) >= score_min);
        return fits ? std::string() : fmt::format("at {},{} there is {} {}", at.x, at.y, printable(inner->role), in_quotes(inner->label_utf8));
    }
    if (inner != nullptr && is_field_role(inner->role) && query.text_utf8.empty()) {
        const std::string name = FieldWords(look.seen.elements).told(visible(*inner, look.seen));
        const bool fits = name.empty() || label_score(wanted, name, query.is_exact) >= score_min;
        return fits ? std::string() : fmt::format("at {},{} there is {} {}", at.x, at.y, printable(inner->role), in_quotes(name));
    }
    if (query.text_utf8.empty() && (query.role.empty() || is_field_role(query.role))) {
        return {}; // the label stands beside it; what is read on it may be anything
    }
    const auto lines = look.text.lines(look.seen.image, {at.x - 1, at.y - 1, 3, 3});
    if (!lines) {
        return fmt::format("what stands at {},{} could not be read: {}", at.x, at.y, lines.error().message);
    }
    for (const TextLine& line : *lines) {
        const std::vector<Phrase> phrases = find_phrases({line}, wanted, query.is_exact);
        if (line.box.contains(at) && (phrases.empty() || phrases.front().score < limits_of(Rung::Text).score_min)) {
            return fmt::format("at {},{} there stands {}", at.x, at.y, in_quotes(line.text()));
        }
    }
    return {};
}

} // namespace handeye::locate
