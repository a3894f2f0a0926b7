// SPDX-License-Identifier: Apache-2.0
// The surest rung: what the platform tells of its elements.
#include "agent/locate/field_words.h"
#include "agent/locate/limits.h"
#include "agent/locate/roles.h"
#include "agent/locate/rungs.h"
#include "agent/locate/words.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace handeye::locate {
namespace {

constexpr double kRoleAlone = 0.90;   // nothing but its kind was said
constexpr double kIdUnknown = 0.90;   // an id was said, and the element tells none
constexpr double kBeside = 0.95;      // the words stand beside a field that has no label
constexpr double kWrongKind = 0.60;   // the words fit, the role or the id does not: the best miss
constexpr std::size_t kMatchesMax = 500;
constexpr int kOthersListedMax = 6;
constexpr std::size_t kNamelessMax = 200; // fields without a label; the rest has no name

struct Scored {
    std::size_t index;
    double score;
};

std::string name_of(const Element& element) { return element.label_utf8.empty() ? element.value_utf8 : element.label_utf8; }

/// Words first: they make the better message when only the kind is wrong. `beside`: the name of a field that has no label.
double score_of(const TargetQuery& query, const Element& element, const std::string& beside) {
    const auto by_beside = [&](const std::string& wanted) { return beside.empty() ? 0 : kBeside * label_score(wanted, beside, query.is_exact); };
    double score = query.label_utf8.empty() && query.text_utf8.empty() ? (query.id.empty() ? kRoleAlone : 1.0) : 1.0;
    if (!query.label_utf8.empty()) {
        score = std::max(label_score(query.label_utf8, element.label_utf8, query.is_exact), by_beside(query.label_utf8));
    }
    if (!query.text_utf8.empty()) {
        const double text = std::max({label_score(query.text_utf8, element.label_utf8, query.is_exact), by_beside(query.text_utf8),
                                      element.is_secret ? 0 : label_score(query.text_utf8, element.value_utf8, query.is_exact)});
        score = std::min(score, text);
    }
    if (!query.role.empty() && !is_role(query.role, element.role)) {
        return std::min(score, query.label_utf8.empty() && query.text_utf8.empty() ? 0 : kWrongKind);
    }
    if (!query.id.empty() && query.id != element.id) {
        const bool can_tell = !element.id.empty() || (query.label_utf8.empty() && query.text_utf8.empty());
        return can_tell ? std::min(score, query.label_utf8.empty() && query.text_utf8.empty() ? 0 : kWrongKind) : score * kIdUnknown;
    }
    return score;
}

bool is_ancestor(const std::vector<Element>& elements, std::size_t ancestor, std::size_t of) {
    int at = elements[of].parent;
    for (int steps = 0; at >= 0 && static_cast<std::size_t>(at) < elements.size() && steps < 100; ++steps) { // a foreign tree may have circles
        if (static_cast<std::size_t>(at) == ancestor) {
            return true;
        }
        at = elements[static_cast<std::size_t>(at)].parent;
    }
    return false;
}

/// Drops those that `is_second` names, if others remain.
template <class F>
void prefer(std::vector<Scored>& fitting, F is_second) {
    if (!std::all_of(fitting.begin(), fitting.end(), is_second)) {
        std::erase_if(fitting, is_second);
    }
}

/// Of those that fit equally well: what can be worked before what only shows, what is enabled before what is not, and of one
/// within the other (a link and its text, a row and its cell) the inner one.
void settle_equals(const std::vector<Element>& elements, std::vector<Scored>& all) {
    const RungLimits& limits = limits_of(Rung::Structure);
    const double best = all.empty() ? 0 : all.front().score;
    if (best < limits.score_min) {
        return;
    }
    const auto end = std::find_if(all.begin(), all.end(), [&](const Scored& s) { return s.score <= best - limits.margin_min; });
    std::vector<Scored> fitting(all.begin(), end);
    if (fitting.size() > 1 && fitting.size() <= kMatchesMax) {
        prefer(fitting, [&](const Scored& s) { return is_passive_role(elements[s.index].role); });
        prefer(fitting, [&](const Scored& s) { return !elements[s.index].is_enabled; });
        const std::vector<Scored> copy = fitting;
        std::erase_if(fitting, [&](const Scored& s) {
            return std::any_of(copy.begin(), copy.end(), [&](const Scored& o) { return o.index != s.index && is_ancestor(elements, s.index, o.index) && !is_ancestor(elements, o.index, s.index); });
        });
    }
    fitting.insert(fitting.end(), end, all.end());
    all = std::move(fitting);
}

/// Fields of the wanted kind that have no label, by their places in the list, each with the words beside it: as the platform tells them,
/// else as they were read.
using Names = std::map<std::size_t, std::string>;
Names names_beside(const Look& look, const std::vector<TextLine>* lines) {
    Names names;
    if (!is_field_role(look.query.role) || (look.query.label_utf8.empty() && look.query.text_utf8.empty())) {
        return names;
    }
    const std::vector<Element>& elements = look.seen.elements;
    std::vector<ReadText> read;
    for (const TextLine& line : lines == nullptr ? std::vector<TextLine>() : *lines) {
        read.push_back({line.text(), line.box, line.confidence()});
    }
    std::optional<FieldWords> words;
    for (std::size_t i = 0; i < std::min(elements.size(), kElementsMax) && names.size() < kNamelessMax; ++i) {
        const Rect box = visible(elements[i], look.seen);
        if (!elements[i].label_utf8.empty() || box.size().is_empty() || !is_role(look.query.role, elements[i].role)) {
            continue;
        }
        words = words ? std::move(words) : FieldWords(elements);
        const std::string told = words->told(box);
        names[i] = told.empty() ? words->among(box, read) : told;
    }
    return names;
}

bool has_nameless(const Look& look, const Names& names) {
    return std::any_of(names.begin(), names.end(), [&](const auto& row) { return row.second.empty() && look.area.contains(visible(look.seen.elements[row.first], look.seen).center()); });
}

struct Scores {
    std::vector<Scored> all; // the best first
    int n_hidden = 0;        // that would fit
};
Scores score_all(const Look& look, const Names& beside) {
    const std::vector<Element>& elements = look.seen.elements;
    Scores out;
    for (std::size_t i = 0; i < std::min(elements.size(), kElementsMax); ++i) {
        const auto named = beside.find(i);
        const double score = score_of(look.query, elements[i], named == beside.end() ? "" : named->second);
        const bool is_hidden = visible(elements[i], look.seen).size().is_empty();
        out.n_hidden += is_hidden && score >= limits_of(Rung::Structure).score_min ? 1 : 0;
        if (score > 0 && !is_hidden && look.area.contains(visible(elements[i], look.seen).center())) {
            out.all.push_back({i, score});
        }
    }
    std::stable_sort(out.all.begin(), out.all.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
    return out;
}

/// What stands there instead, when a thing is called otherwise now; empty: nothing of that role does.
std::string others_of_its_role(const Look& look, const Names& beside) {
    std::string names;
    int n_listed = 0;
    for (std::size_t i = 0; i < std::min(look.seen.elements.size(), kElementsMax); ++i) {
        const Element& element = look.seen.elements[i];
        const auto named = beside.find(i);
        const std::string& name = named == beside.end() ? element.label_utf8 : named->second;
        const bool is_other = !look.query.role.empty() && is_role(look.query.role, element.role) && !name.empty() && look.area.contains(visible(element, look.seen).center());
        if (is_other && n_listed++ < kOthersListedMax) {
            names += (names.empty() ? "" : ", ") + in_quotes(name);
        }
    }
    const std::string more = n_listed > kOthersListedMax ? fmt::format(" and {} more", n_listed - kOthersListedMax) : "";
    return names.empty() ? "" : "of this role there are " + names + more;
}

} // namespace

Rect visible(const Element& element, const LookedAt& seen) {
    const Size screen = seen.image.size();
    // a foreign program's numbers: kept where sums cannot overflow
    const auto bounded = [](int v) { return std::clamp(v, -(1 << 24), 1 << 24); };
    return Rect{bounded(element.box.x), bounded(element.box.y), bounded(element.box.width_px), bounded(element.box.height_px)}.intersected({0, 0, screen.width_px, screen.height_px});
}

Result<Matches> match_structure(const Look& look) {
    const std::vector<Element>& elements = look.seen.elements;
    if (elements.empty()) {
        return Error{ErrorCode::Unsupported, "the platform tells of no elements"};
    }
    Names beside = names_beside(look, nullptr);
    Scores scores = score_all(look, beside);
    if (const double best = scores.all.empty() ? 0 : scores.all.front().score; best < limits_of(Rung::Structure).score_min && has_nameless(look, beside)) {
        const Size size = look.seen.image.size();
        if (const auto lines = look.text.lines(look.seen.image, {0, 0, size.width_px, size.height_px})) {
            beside = names_beside(look, &*lines);
            scores = score_all(look, beside);
        }
    }
    std::vector<Scored>& all = scores.all;
    settle_equals(elements, all);
    all.resize(std::min(all.size(), kMatchesMax));
    Matches matches;
    for (const Scored& scored : all) {
        const Element& element = elements[scored.index];
        const auto named = beside.find(scored.index);
        const std::string words = named == beside.end() || named->second.empty() ? name_of(element) : named->second;
        matches.all.push_back({Rung::Structure, visible(element, look.seen), scored.score, printable(element.role) + (words.empty() || element.is_secret ? "" : " " + words), element.is_enabled});
    }
    if (scores.n_hidden > 0) {
        matches.note = fmt::format("{} such out of sight", scores.n_hidden);
    } else if (matches.all.empty() || matches.all.front().score < limits_of(Rung::Structure).score_min) {
        matches.note = others_of_its_role(look, beside);
    }
    return matches;
}

} // namespace handeye::locate
