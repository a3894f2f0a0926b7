// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/words.h"
#include "agent/locate/locate.h"

#include <fmt/format.h>

namespace handeye {
namespace {

std::string_view side_words(Side side) {
    switch (side) {
    case Side::Any: return "near";
    case Side::Left: return "left of";
    case Side::Right: return "right of";
    case Side::Above: return "above";
    case Side::Below: return "below";
    }
    return "near";
}

} // namespace

std::string describe(const TargetQuery& query) {
    std::string text;
    const auto add = [&](const std::string& words) { text += (text.empty() ? "" : " ") + words; };
    if (!query.role.empty()) {
        add(locate::printable(query.role));
    }
    if (!query.label_utf8.empty()) {
        add(locate::in_quotes(query.label_utf8));
    }
    if (!query.text_utf8.empty()) {
        add((query.label_utf8.empty() ? "" : "with the text ") + locate::in_quotes(query.text_utf8));
    }
    if (!query.id.empty()) {
        add("#" + locate::printable(query.id));
    }
    if (text.empty() && !query.description_utf8.empty()) {
        add(locate::in_quotes(query.description_utf8));
    }
    if (text.empty() && !query.picture.is_empty()) {
        add(fmt::format("a picture of {}x{}", query.picture.size().width_px, query.picture.size().height_px));
    }
    if (text.empty() && query.at) {
        add(fmt::format("the place {},{}", query.at->x, query.at->y));
    }
    if (query.index > 0) {
        add(fmt::format("number {}", query.index));
    }
    if (query.near) {
        const Neighbour& near = *query.near;
        const std::string what = !near.text_utf8.empty() ? locate::in_quotes(near.text_utf8) : !near.label_utf8.empty() ? locate::in_quotes(near.label_utf8) : "a picture";
        add(fmt::format("{} {}", side_words(near.side), what));
    }
    if (query.region) {
        add(fmt::format("within {},{} {}x{}", query.region->x, query.region->y, query.region->width_px, query.region->height_px));
    }
    return text.empty() ? "nothing" : text;
}

} // namespace handeye
