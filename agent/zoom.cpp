// SPDX-License-Identifier: Apache-2.0
#include "agent/zoom.h"

#include "base/image_codec.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace handeye {
namespace {

constexpr double kThousand = 1000;

void move(Spot& spot, const Rect& area, Size picture) {
    const auto across = [&](double x) { return (area.x + x / kThousand * area.width_px) / picture.width_px * kThousand; };
    const auto down = [&](double y) { return (area.y + y / kThousand * area.height_px) / picture.height_px * kThousand; };
    if (spot.units != Units::Thousandths) {
        return;
    }
    spot.x = across(spot.x);
    spot.y = down(spot.y);
    if (spot.box) {
        *spot.box = {across(spot.box->x0), down(spot.box->y0), across(spot.box->x1), down(spot.box->y1)};
    }
}

} // namespace

Rect zoom_area(Size picture, const Spot& place) {
    const auto side = [](int whole, double middle) {
        const int length = std::max(1, static_cast<int>(std::lround(whole * kZoomShare)));
        const int from = static_cast<int>(std::lround(middle / kThousand * whole)) - length / 2;
        return std::pair(std::clamp(from, 0, whole - length), length);
    };
    const auto [x, width] = side(picture.width_px, place.x);
    const auto [y, height] = side(picture.height_px, place.y);
    return {.x = x, .y = y, .width_px = width, .height_px = height};
}

Action seen_from_afar(Action action, const Rect& area, Size picture) {
    const auto move_target = [&](Target& target) {
        if (auto* const spot = std::get_if<Spot>(&target)) {
            move(*spot, area, picture);
        }
    };
    if (auto* const click = std::get_if<Click>(&action)) {
        move_target(click->at);
    } else if (auto* const hover = std::get_if<Hover>(&action)) {
        move_target(hover->at);
    } else if (auto* const typed = std::get_if<TypeText>(&action); typed != nullptr && typed->into) {
        move_target(*typed->into);
    }
    return action;
}

Result<Image> zoomed(const Image& picture, const Rect& area) { return scaled(picture.cropped(area), picture.size()); }

} // namespace handeye
