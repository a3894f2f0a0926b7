// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/field_words.h"

#include "agent/locate/choose.h"
#include "agent/locate/roles.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr int kLeftPx = 240, kAbovePx = 24;        // from a label to its field, at most
constexpr int kPageLeftPx = 24, kPageAbovePx = 12; // to a page of text
constexpr int kOverlapPx = 4;                      // by which boxes that touch may overlap
constexpr int kLabelHeightMax = 60;
constexpr std::size_t kPlacesMax = 2000;           // labels, and what may lie between: of more the first

bool holds(const Rect& outer, const Rect& inner) {
    return outer.x <= inner.x && outer.y <= inner.y && outer.x + outer.width_px >= inner.x + inner.width_px && outer.y + outer.height_px >= inner.y + inner.height_px;
}

/// What has a place of its own in a form; a cell, a row or a list item may hold a field and its label.
bool is_control(const Element& element) {
    const auto is = [&](std::string_view role) { return locate::is_role(role, element.role); };
    return locate::is_worked_role(element.role) && !is("cell") && !is("row") && !is("list item");
}

/// A foreign program's numbers, kept where sums cannot overflow.
Rect bounded(const Rect& box) {
    const auto within = [](int v) { return std::clamp(v, -(1 << 24), 1 << 24); };
    return {within(box.x), within(box.y), within(box.width_px), within(box.height_px)};
}

std::string without_marks(std::string text) {
    while (!text.empty() && (text.back() == ':' || text.back() == '*' || text.back() == ' ')) {
        text.pop_back();
    }
    return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

/// Pixels from a label to the field on that side of it; nullopt: it is not its label.
std::optional<double> reach(const Rect& label, const Rect& field, Side side) {
    const bool is_page = field.height_px > FieldWords::kPageHeightPx;
    const int left_max = is_page ? kPageLeftPx : kLeftPx, above_max = is_page ? kPageAbovePx : kAbovePx;
    const bool is_left = side == Side::Right && label.x + label.width_px <= field.x + kOverlapPx;
    const bool is_above = side == Side::Below && label.y + label.height_px <= field.y + kOverlapPx && (!is_page || std::abs(label.x - field.x) <= kPageAbovePx);
    const auto distance = is_left || is_above ? locate::distance_to(label, field, side) : std::nullopt;
    return distance && *distance <= (side == Side::Right ? left_max : above_max) ? distance : std::nullopt;
}

} // namespace

bool is_field(std::string_view role) { return locate::is_field_role(role); }

FieldWords::FieldWords(const std::vector<Element>& elements) {
    for (const Element& element : elements) {
        const bool is_text = locate::is_role("label", element.role) || locate::is_role("heading", element.role) || locate::is_role("paragraph", element.role);
        const Rect box = bounded(element.box);
        if (box.size().is_empty()) {
            continue;
        }
        if (is_text && texts_.size() < kPlacesMax) {
            texts_.push_back({element.label_utf8.empty() ? element.value_utf8 : element.label_utf8, box, 1});
        } else if (!is_text && controls_.size() < kPlacesMax && is_control(element)) {
            controls_.push_back(box);
        }
    }
}

std::string FieldWords::among(const Rect& field_box, std::span<const ReadText> words) const {
    const Rect field = bounded(field_box);
    for (const Side side : {Side::Right, Side::Below}) { // of the label, on which the field lies
        const ReadText* nearest = nullptr;
        double least = 0;
        for (const ReadText& label : words) {
            const bool is_label = label.box.height_px <= kLabelHeightMax && !without_marks(label.text_utf8).empty();
            const auto distance = is_label ? reach(label.box, field, side) : std::nullopt;
            if (!distance || (nearest != nullptr && *distance >= least)) {
                continue;
            }
            const auto takes_it = [&](const Rect& other) { // it stands on it, or nearer to it
                const auto there = locate::distance_to(label.box, other, side);
                const bool is_other = !holds(other, field) && !holds(field, other);
                return is_other && (other.contains(label.box.center()) || (there && *there < *distance));
            };
            if (std::none_of(controls_.begin(), controls_.end(), takes_it)) {
                nearest = &label;
                least = *distance;
            }
        }
        if (nearest != nullptr) {
            return without_marks(nearest->text_utf8);
        }
    }
    return {};
}

} // namespace handeye
