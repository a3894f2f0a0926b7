// SPDX-License-Identifier: Apache-2.0
#include "agent/secret_masks.h"

#include "agent/frame_encoder.h"

#include <algorithm>
#include <cstdlib>

namespace handeye {
namespace {

constexpr int kTilePx = 16;
constexpr int kMarginPx = 6;      // antialiasing, and the caret's next place
constexpr std::size_t kMasksMax = 64;
constexpr int kShadeStep = 48;    // smaller differences are shadows of focus
constexpr int kChangedPerMille = 30;

Rect grown(const Rect& box) { return {box.x - kMarginPx, box.y - kMarginPx, box.width_px + 2 * kMarginPx, box.height_px + 2 * kMarginPx}; }

bool touch(const Rect& a, const Rect& b) { return !grown(a).intersected(b).size().is_empty(); }

Rect joined(const Rect& a, const Rect& b) {
    const int left = std::min(a.x, b.x), top = std::min(a.y, b.y);
    return {left, top, std::max(a.x + a.width_px, b.x + b.width_px) - left, std::max(a.y + a.height_px, b.y + b.height_px) - top};
}

/// Boxes around what differs, tile by tile: a clock in a corner does not make one box of the whole screen.
std::vector<Rect> changed_boxes(const Image& before, const Image& now) {
    const Rect all = changed_area(before, now);
    std::vector<Rect> out;
    if (before.size() != now.size() || before.format() != now.format()) {
        return {all};
    }
    for (int y = all.y; y < all.y + all.height_px; y += kTilePx) {
        for (int x = all.x; x < all.x + all.width_px; x += kTilePx) {
            const Rect tile = Rect{x, y, kTilePx, kTilePx}.intersected(all);
            const Rect changed = changed_area(before.cropped(tile), now.cropped(tile));
            if (changed.size().is_empty()) {
                continue;
            }
            Rect box = tile;
            for (auto near = out.begin(); near != out.end();) { // whatever it touches becomes one with it
                near = touch(*near, box) ? (box = joined(*near, box), out.erase(near), out.begin()) : near + 1;
            }
            out.push_back(box);
        }
    }
    return out;
}

bool shows_something_else(const Image& pixels, const Image& now) {
    if (pixels.size() != now.size() || pixels.format() != now.format()) {
        return true;
    }
    const int bpp = bytes_per_pixel(now.format());
    std::size_t changed = 0;
    for (std::size_t i = 0; i + static_cast<std::size_t>(bpp) <= now.bytes().size(); i += static_cast<std::size_t>(bpp)) {
        bool differs = false;
        for (std::size_t c = 0; c < static_cast<std::size_t>(std::min(bpp, 3)); ++c) {
            differs = differs || std::abs(int{pixels.bytes()[i + c]} - int{now.bytes()[i + c]}) > kShadeStep;
        }
        changed += differs ? 1 : 0;
    }
    const std::size_t count = now.bytes().size() / static_cast<std::size_t>(bpp);
    return changed * 1000 > count * static_cast<std::size_t>(kChangedPerMille);
}

Rect in_target(const WindowInfo& window, Point origin) {
    return {window.area.x - origin.x, window.area.y - origin.y, window.area.width_px, window.area.height_px};
}

Rect moved(const Rect& box, const Rect& by) { return {box.x + by.x, box.y + by.y, box.width_px, box.height_px}; }

} // namespace

void SecretMasks::add(const Rect& box, const Image& now, std::span<const WindowInfo> windows, Point origin) {
    const Rect whole{0, 0, now.size().width_px, now.size().height_px};
    Mask mask{0, now.size(), "", grown(box).intersected(whole), {}};
    mask.pixels = now.cropped(mask.box);
    const Point middle{box.x + box.width_px / 2, box.y + box.height_px / 2};
    const auto over = std::find_if(windows.rbegin(), windows.rend(), [&](const WindowInfo& window) { return in_target(window, origin).contains(middle); });
    if (over != windows.rend()) {
        const Rect area = in_target(*over, origin);
        mask.window = over->id;
        mask.window_size = area.size();
        mask.title = over->title_utf8;
        mask.box = moved(mask.box, {-area.x, -area.y, 0, 0});
    }
    const auto same = std::find_if(masks_.begin(), masks_.end(), [&](const Mask& old) {
        return old.window == mask.window && old.window_size.width_px == mask.window_size.width_px &&
               old.window_size.height_px == mask.window_size.height_px && touch(old.box, mask.box);
    });
    if (same != masks_.end()) {
        const Rect both = joined(same->box, mask.box);
        const Rect place = over == windows.rend() ? both : moved(both, in_target(*over, origin));
        *same = {mask.window, mask.window_size, mask.title, both, now.cropped(place)};
        return;
    }
    if (masks_.size() == kMasksMax) { // more than that is a screen full of them
        mask = {0, now.size(), "", whole, now};
        masks_.clear();
    }
    masks_.push_back(std::move(mask));
}

void SecretMasks::look(const Image& now, std::span<const WindowInfo> windows, Point origin) {
    if (!before_) {
        return;
    }
    for (const Rect& box : changed_boxes(*before_, now)) {
        add(box, now, windows, origin);
    }
}

std::vector<Rect> SecretMasks::boxes(const Image& now, std::span<const WindowInfo> windows, Point origin) {
    std::vector<Rect> out;
    std::erase_if(masks_, [&](const Mask& mask) {
        const auto window = std::find_if(windows.begin(), windows.end(), [&](const WindowInfo& w) { return w.id == mask.window; });
        if (mask.window != 0 && window == windows.end()) {
            return false; // hidden, or gone: it may come back
        }
        const Rect area = mask.window == 0 ? Rect{0, 0, now.size().width_px, now.size().height_px} : in_target(*window, origin);
        const bool is_same_size = area.width_px == mask.window_size.width_px && area.height_px == mask.window_size.height_px;
        const Rect place = is_same_size ? moved(mask.box, area) : area;
        const bool is_renamed = mask.window == 0 || window->title_utf8 != mask.title;
        if (is_renamed && shows_something_else(mask.pixels, now.cropped(place))) {
            return true;
        }
        out.push_back(place);
        return false;
    });
    return out;
}

} // namespace handeye
