// SPDX-License-Identifier: Apache-2.0
#include "agent/marks.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {
namespace {

constexpr int kLinePx = 2;
constexpr int kDashPx = 5; // drawn, and left out
constexpr int kGlyphWidth = 5;
constexpr int kGlyphHeight = 7;
constexpr int kMarginPx = 2;
constexpr int kTallPicturePx = 1400; // from here on digits are drawn larger, so that they are read after scaling down
constexpr std::array<std::uint8_t, 3> kRed{220, 20, 30};
constexpr std::array<std::uint8_t, 3> kWhite{255, 255, 255};

// Rows of five dots, the leftmost first.
using Glyph = std::array<std::string_view, kGlyphHeight>;
constexpr std::array<Glyph, 10> kDigits{{
    {".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."},
    {"..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."},
    {".###.", "#...#", "....#", "...#.", "..#..", ".#...", "#####"},
    {".###.", "#...#", "....#", "..##.", "....#", "#...#", ".###."},
    {"...#.", "..##.", ".#.#.", "#..#.", "#####", "...#.", "...#."},
    {"#####", "#....", "####.", "....#", "....#", "#...#", ".###."},
    {"..##.", ".#...", "#....", "####.", "#...#", "#...#", ".###."},
    {"#####", "....#", "...#.", "..#..", ".#...", ".#...", ".#..."},
    {".###.", "#...#", "#...#", ".###.", "#...#", "#...#", ".###."},
    {".###.", "#...#", "#...#", ".####", "....#", "...#.", ".##.."},
}};

class Canvas {
public:
    explicit Canvas(const Image& rgb) : size_(rgb.size()), pixels_(rgb.bytes().begin(), rgb.bytes().end()) {}

    void fill(Rect area, const std::array<std::uint8_t, 3>& colour) {
        const Rect inside = area.intersected({0, 0, size_.width_px, size_.height_px});
        for (int y = inside.y; y < inside.y + inside.height_px; ++y) {
            for (int x = inside.x; x < inside.x + inside.width_px; ++x) {
                const std::size_t at = 3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(size_.width_px) + static_cast<std::size_t>(x));
                std::ranges::copy(colour, pixels_.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
    }

    void draw_box(Rect box) {
        for (int at = 0; at < box.width_px; at += 2 * kDashPx) {
            const int length = std::min(kDashPx, box.width_px - at);
            fill({box.x + at, box.y, length, kLinePx}, kRed);
            fill({box.x + at, box.y + box.height_px - kLinePx, length, kLinePx}, kRed);
        }
        for (int at = 0; at < box.height_px; at += 2 * kDashPx) {
            const int length = std::min(kDashPx, box.height_px - at);
            fill({box.x, box.y + at, kLinePx, length}, kRed);
            fill({box.x + box.width_px - kLinePx, box.y + at, kLinePx, length}, kRed);
        }
    }

    /// Inside the picture, even where the box begins at its edge.
    void draw_number(int number, Rect box, int scale) {
        const std::string digits = std::to_string(number);
        const int step = (kGlyphWidth + 1) * scale;
        const Size label{static_cast<int>(digits.size()) * step - scale + 2 * kMarginPx, kGlyphHeight * scale + 2 * kMarginPx};
        const int left = std::clamp(box.x, 0, std::max(0, size_.width_px - label.width_px));
        const int top = std::clamp(box.y, 0, std::max(0, size_.height_px - label.height_px));
        fill({left, top, label.width_px, label.height_px}, kRed);
        for (std::size_t i = 0; i < digits.size(); ++i) {
            const Glyph& glyph = kDigits.at(static_cast<std::size_t>(digits[i] - '0'));
            const int x = left + kMarginPx + static_cast<int>(i) * step;
            for (int row = 0; row < kGlyphHeight; ++row) {
                for (int column = 0; column < kGlyphWidth; ++column) {
                    if (glyph.at(static_cast<std::size_t>(row))[static_cast<std::size_t>(column)] == '#') {
                        fill({x + column * scale, top + kMarginPx + row * scale, scale, scale}, kWhite);
                    }
                }
            }
        }
    }

    Result<Image> take() { return Image::from_pixels(size_, PixelFormat::Rgb, std::move(pixels_)); }

private:
    Size size_;
    std::vector<std::uint8_t> pixels_;
};

struct RoleTag {
    std::string_view role;
    std::string_view tag;
};
constexpr std::array<RoleTag, 13> kTags{{{"push button", "button"}, {"button", "button"}, {"toggle button", "button"}, {"entry", "input"}, {"password text", "input"}, {"spin button", "input"},
                                         {"check box", "input"}, {"radio button", "input"}, {"slider", "input"}, {"text", "textarea"}, {"combo box", "select"}, {"list box", "select"}, {"link", "a"}}};

} // namespace

MarkedElement marked(const Element& element) {
    const auto* const row = std::ranges::find(kTags, element.role, &RoleTag::role);
    const std::string tag(row == kTags.end() ? std::string_view(element.role) : row->tag);
    const bool is_typed_into = tag == "input" || tag == "textarea";
    return is_typed_into ? MarkedElement{element.mark, tag, element.value_utf8, element.label_utf8} : MarkedElement{element.mark, tag, element.label_utf8, ""};
}

Image with_marks(const Image& screenshot, std::span<const Element> elements) {
    if (screenshot.is_empty()) {
        return screenshot;
    }
    Canvas canvas(screenshot.to_rgb());
    const Rect whole{0, 0, screenshot.size().width_px, screenshot.size().height_px};
    std::vector<std::pair<int, Rect>> marks;
    for (const Element& element : elements) {
        const Rect visible = element.box.intersected(whole);
        if (element.mark > 0 && !visible.size().is_empty()) {
            marks.emplace_back(element.mark, visible);
        }
    }
    for (const auto& [number, box] : marks) {
        canvas.draw_box(box);
    }
    const int scale = std::max(screenshot.size().width_px, screenshot.size().height_px) >= kTallPicturePx ? 2 : 1;
    for (const auto& [number, box] : marks) { // over all boxes: none crosses out a number
        canvas.draw_number(number, box, scale);
    }
    return canvas.take().value_or(screenshot);
}

} // namespace handeye
