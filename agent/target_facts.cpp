// SPDX-License-Identifier: Apache-2.0
#include "agent/target_facts.h"

#include "agent/locate/field_words.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace handeye {
namespace {

using nlohmann::json;

} // namespace

const Element* innermost_at(const std::vector<Element>& elements, Point at) {
    const Element* best = nullptr;
    for (const Element& element : elements) {
        if (!element.box.contains(at) || (element.mark == 0 && element.label_utf8.empty())) {
            continue;
        }
        const auto rank = [](const Element& e) { return std::pair(e.mark > 0 ? 0 : 1, e.box.size().area()); };
        if (best == nullptr || rank(element) < rank(*best)) {
            best = &element;
        }
    }
    return best;
}

json describe_element_at(const std::vector<Element>& elements, Point at) {
    const Element* const here = innermost_at(elements, at);
    if (here == nullptr) {
        return nullptr;
    }
    const Rect& box = here->box;
    const bool is_nameless_field = here->label_utf8.empty() && is_field(here->role);
    const FieldWords words(is_nameless_field ? elements : std::vector<Element>());
    const std::string beside = is_nameless_field ? words.told(box) : std::string();
    int of = 0;
    int index = 1;
    for (const Element& other : elements) {
        const bool is_such = other.role == here->role && other.label_utf8 == here->label_utf8 && (!is_nameless_field || words.told(other.box) == beside);
        if (!is_such) {
            continue;
        }
        ++of;
        index += std::pair(other.box.y, other.box.x) < std::pair(here->box.y, here->box.x) ? 1 : 0;
    }
    json out{{"role", here->role}, {"label", here->label_utf8}, {"id", here->id}, {"secret", here->is_secret}, {"index", index}, {"of", of},
            {"box", {{"x", box.x}, {"y", box.y}, {"width", box.width_px}, {"height", box.height_px}}}};
    if (is_nameless_field) {
        out["beside"] = beside;
    }
    return out;
}

} // namespace handeye
