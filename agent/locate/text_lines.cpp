// SPDX-License-Identifier: Apache-2.0
// Lines of text among buttons, frames and pictures. Tesseract's own page layout is made for paper: of small pictures of dialogs it
// left out whole rows, and frames became brackets. So lines are found here, frames taken out, and each line is read by itself.
#include "agent/locate/screen_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <opencv2/imgproc.hpp>

namespace handeye::locate {
namespace {

constexpr int kEdgeMin = 26;          // grey levels between a stroke and its ground: light grey on white still has 40
constexpr int kFaintEdgeMin = 12;     // a field's frame is fainter than letters
constexpr int kRuleHorizontalPx = 48; // longer than a stroke: a frame, a separator, an underline
constexpr int kRuleVerticalPx = 36;
constexpr int kWordGapPx = 7;         // joins the letters of words, not a check box and its label
constexpr int kHeightMinPx = 6, kHeightMaxPx = 120, kWidthMinPx = 3;
constexpr int kReadHeightPx = 40;     // of ink as the reader likes it
constexpr int kScaleMax = 4;
constexpr int kMarginPx = 10;         // white around it, after scaling
constexpr double kInkMin = 24;        // grey levels of the darkest stroke

cv::Mat view(const Image& rgb) {
    return {rgb.size().height_px, rgb.size().width_px, CV_8UC3, const_cast<std::uint8_t*>(rgb.bytes().data())}; // only read
}

/// The largest of the three channels: red on green of the same brightness is an edge, too.
cv::Mat largest_channel(const cv::Mat& rgb) {
    std::array<cv::Mat, 3> channels;
    cv::split(rgb, channels.data());
    return cv::max(cv::max(channels[0], channels[1]), channels[2]);
}

cv::Mat rules_in(const cv::Mat& edges) {
    cv::Mat across, down;
    cv::morphologyEx(edges, across, cv::MORPH_OPEN, cv::getStructuringElement(cv::MORPH_RECT, {kRuleHorizontalPx, 1}));
    cv::morphologyEx(edges, down, cv::MORPH_OPEN, cv::getStructuringElement(cv::MORPH_RECT, {1, kRuleVerticalPx}));
    return across | down;
}

/// Buttons and fields: hollow pieces whose edges run along their own box. Letters of that size do not. They are taken out of
/// `edges` and told.
std::vector<Rect> take_frames(cv::Mat& edges) {
    std::vector<Rect> frames;
    constexpr int kWidthMin = 20, kHeightMin = 16, kRimPx = 4;
    constexpr double kOnRim = 0.9;
    cv::Mat labels, stats, centres;
    const int count = cv::connectedComponentsWithStats(edges, labels, stats, centres, 8);
    for (int i = 1; i < count; ++i) {
        const cv::Rect box(stats.at<int>(i, cv::CC_STAT_LEFT), stats.at<int>(i, cv::CC_STAT_TOP), stats.at<int>(i, cv::CC_STAT_WIDTH), stats.at<int>(i, cv::CC_STAT_HEIGHT));
        const int area = stats.at<int>(i, cv::CC_STAT_AREA);
        if (box.width < kWidthMin || box.height < kHeightMin || area > kRimPx * 2 * (box.width + box.height)) {
            continue;
        }
        const cv::Mat piece = labels(box) == i;
        const cv::Mat inside = piece(cv::Rect(kRimPx, kRimPx, box.width - 2 * kRimPx, box.height - 2 * kRimPx));
        if (cv::countNonZero(inside) <= (1 - kOnRim) * area) {
            edges(box).setTo(0, piece);
            frames.push_back({box.x, box.y, box.width, box.height});
        }
    }
    return frames;
}

/// A check box or a radio button before its words: as wide as it is high, and farther from them than letters are. Its part of the
/// box is cut off; the reader would take it for an O.
Rect without_mark(const cv::Mat& edges, const Rect& box) {
    constexpr int kMarkMin = 11, kMarkMax = 26;
    cv::Mat columns;
    cv::reduce(edges(cv::Rect(box.x, box.y, box.width_px, box.height_px)), columns, 0, cv::REDUCE_MAX);
    const auto next = [&](int from, bool is_ink) {
        while (from < columns.cols && (columns.at<std::uint8_t>(0, from) != 0) != is_ink) {
            ++from;
        }
        return from;
    };
    const int first = next(0, true), end = next(first, false), words = next(end, true);
    const int width = end - first;
    if (width < kMarkMin || width > kMarkMax || words >= columns.cols || words - end < std::max(3, width / 5)) {
        return box;
    }
    const cv::Rect ink = cv::boundingRect(edges(cv::Rect(box.x + first, box.y, width, box.height_px)));
    return std::abs(ink.height - width) > 2 ? box : Rect{box.x + words, box.y, box.width_px - words, box.height_px};
}

/// What is left of the sides of low frames: higher than a letter of its width would be.
bool is_upright_frame(const Rect& box) { return (box.width_px <= 4 && box.height_px >= 16) || (box.width_px <= 14 && box.height_px >= 26); }

bool is_beside(const Rect& a, const Rect& b) {
    const int overlap = std::min(a.y + a.height_px, b.y + b.height_px) - std::max(a.y, b.y);
    const int low = std::min(a.height_px, b.height_px), high = std::max(a.height_px, b.height_px);
    const int gap = std::max(a.x, b.x) - std::min(a.x + a.width_px, b.x + b.width_px);
    return overlap * 2 >= low && high < 2 * low + 4 && gap <= std::max(kWordGapPx, high * 6 / 10);
}

Rect united(const Rect& a, const Rect& b) {
    const int left = std::min(a.x, b.x), top = std::min(a.y, b.y);
    return {left, top, std::max(a.x + a.width_px, b.x + b.width_px) - left, std::max(a.y + a.height_px, b.y + b.height_px) - top};
}

/// Words of large letters, whose gaps are wider than kWordGapPx.
void join_beside(std::vector<Rect>& boxes) {
    std::sort(boxes.begin(), boxes.end(), [](const Rect& a, const Rect& b) { return a.x < b.x; });
    std::vector<Rect> joined;
    for (const Rect& box : boxes) {
        const auto neighbour = std::find_if(joined.rbegin(), joined.rend(), [&](const Rect& r) { return is_beside(r, box); });
        if (neighbour != joined.rend()) {
            *neighbour = united(*neighbour, box);
        } else {
            joined.push_back(box);
        }
    }
    boxes = std::move(joined);
}

cv::Mat edges_in(const cv::Mat& rgb, int least) {
    cv::Mat edges;
    cv::morphologyEx(rgb, edges, cv::MORPH_GRADIENT, cv::getStructuringElement(cv::MORPH_RECT, {2, 2}));
    cv::threshold(largest_channel(edges), edges, least, 255, cv::THRESH_BINARY);
    return edges;
}

} // namespace

std::vector<Rect> find_frames(const Image& picture) {
    const Image rgb = picture.to_rgb();
    if (rgb.is_empty()) {
        return {};
    }
    cv::Mat edges = edges_in(view(rgb), kFaintEdgeMin);
    return take_frames(edges);
}

LineBoxes find_line_boxes(const Image& picture, Rect area) {
    LineBoxes found;
    const Image rgb = picture.to_rgb();
    area = area.intersected({0, 0, rgb.size().width_px, rgb.size().height_px});
    if (area.size().is_empty()) {
        return found;
    }
    cv::Mat edges = edges_in(view(rgb)(cv::Rect(area.x, area.y, area.width_px, area.height_px)), kEdgeMin), letters;
    take_frames(edges);
    cv::Mat rules;
    cv::dilate(rules_in(edges), rules, cv::getStructuringElement(cv::MORPH_RECT, {3, 3}));
    edges.setTo(0, rules);
    cv::morphologyEx(edges, letters, cv::MORPH_CLOSE, cv::getStructuringElement(cv::MORPH_RECT, {kWordGapPx, 3}));
    cv::Mat labels, stats, centres;
    const int count = cv::connectedComponentsWithStats(letters, labels, stats, centres, 8);
    for (int i = 1; i < count; ++i) {
        const Rect box{stats.at<int>(i, cv::CC_STAT_LEFT), stats.at<int>(i, cv::CC_STAT_TOP), stats.at<int>(i, cv::CC_STAT_WIDTH), stats.at<int>(i, cv::CC_STAT_HEIGHT)};
        if (!is_upright_frame(box) && box.height_px >= kHeightMinPx && box.height_px <= kHeightMaxPx && box.width_px >= kWidthMinPx) {
            found.boxes.push_back(box);
        }
        if (found.boxes.size() > 8 * ScreenText::kLinesMax) { // noise, not text
            break;
        }
    }
    join_beside(found.boxes);
    for (Rect& box : found.boxes) {
        box = without_mark(edges, box);
        box = {box.x + area.x, box.y + area.y, box.width_px, box.height_px};
    }
    std::sort(found.boxes.begin(), found.boxes.end(), [](const Rect& a, const Rect& b) { return a.y != b.y ? a.y < b.y : a.x < b.x; });
    found.is_all = found.boxes.size() <= ScreenText::kLinesMax;
    found.boxes.resize(std::min(found.boxes.size(), ScreenText::kLinesMax));
    return found;
}

namespace {

/// The colour of the ground: each channel's most frequent value in steps of 8.
cv::Scalar ground_of(const cv::Mat& rgb) {
    std::array<std::array<int, 32>, 3> counts{};
    for (int y = 0; y < rgb.rows; ++y) {
        const auto* const row = rgb.ptr<cv::Vec3b>(y);
        for (int x = 0; x < rgb.cols; ++x) {
            for (int c = 0; c < 3; ++c) {
                ++counts[static_cast<std::size_t>(c)][row[x][c] / 8U];
            }
        }
    }
    cv::Scalar ground;
    for (std::size_t c = 0; c < 3; ++c) {
        ground[static_cast<int>(c)] = static_cast<double>(std::max_element(counts[c].begin(), counts[c].end()) - counts[c].begin()) * 8 + 4;
    }
    return ground;
}

} // namespace

Result<PreparedLine> prepare_line(const Image& picture, Rect box) {
    constexpr int kPadXPx = 3, kPadYPx = 2;
    const Rect padded = Rect{box.x - kPadXPx, box.y - kPadYPx, box.width_px + 2 * kPadXPx, box.height_px + 2 * kPadYPx}.intersected(
        {0, 0, picture.size().width_px, picture.size().height_px});
    const Image part = picture.cropped(padded).to_rgb();
    if (part.is_empty()) {
        return Error{ErrorCode::OutOfBounds, "a line of text lies outside its picture"};
    }
    const cv::Mat rgb = view(part);
    cv::Mat apart, ink;
    cv::absdiff(rgb, ground_of(rgb), apart);
    ink = largest_channel(apart);
    // what is left of a frame stands in the padding only
    const cv::Rect inner(box.x - padded.x, box.y - padded.y, std::min(box.width_px, ink.cols - (box.x - padded.x)), std::min(box.height_px, ink.rows - (box.y - padded.y)));
    cv::Mat rest = ink.clone();
    rest(inner).setTo(0);
    ink.setTo(0, rest > kEdgeMin);
    double darkest = 0;
    cv::minMaxLoc(ink, nullptr, &darkest);
    const double scale = std::clamp(static_cast<double>(kReadHeightPx) / std::max(1, box.height_px), 0.25, static_cast<double>(kScaleMax));
    ink.convertTo(ink, CV_8U, -255 / std::max(darkest, kInkMin), 255);
    cv::Mat large, framed;
    cv::resize(ink, large, {}, scale, scale, scale > 1 ? cv::INTER_CUBIC : cv::INTER_AREA);
    cv::copyMakeBorder(large, framed, kMarginPx, kMarginPx, kMarginPx, kMarginPx, cv::BORDER_CONSTANT, cv::Scalar(255));
    std::vector<std::uint8_t> bytes(framed.datastart, framed.dataend);
    PreparedLine line;
    line.picture = TRY(Image::from_pixels({framed.cols, framed.rows}, PixelFormat::Gray, std::move(bytes)));
    line.scale = scale;
    line.origin = {padded.x - static_cast<int>(std::lround(kMarginPx / scale)), padded.y - static_cast<int>(std::lround(kMarginPx / scale))};
    return line;
}

std::vector<TextLine> join_lines(std::vector<TextLine> pieces) {
    std::sort(pieces.begin(), pieces.end(), [](const TextLine& a, const TextLine& b) { return a.box.x < b.box.x; });
    std::vector<TextLine> lines;
    for (TextLine& piece : pieces) {
        const auto before = std::find_if(lines.rbegin(), lines.rend(), [&](const TextLine& l) {
            const int overlap = std::min(l.box.y + l.box.height_px, piece.box.y + piece.box.height_px) - std::max(l.box.y, piece.box.y);
            const int low = std::min(l.box.height_px, piece.box.height_px), high = std::max(l.box.height_px, piece.box.height_px);
            return overlap * 10 >= low * 6 && high <= 2 * low && piece.box.x - (l.box.x + l.box.width_px) <= high;
        });
        if (before == lines.rend()) {
            lines.push_back(std::move(piece));
            continue;
        }
        before->words.insert(before->words.end(), piece.words.begin(), piece.words.end());
        before->box = united(before->box, piece.box);
    }
    // rows as people read them: what overlaps by half is one row
    std::sort(lines.begin(), lines.end(), [](const TextLine& a, const TextLine& b) { return a.box.center().y < b.box.center().y; });
    for (std::size_t from = 0, to = 0; from < lines.size(); from = to) {
        const Rect row = lines[from].box;
        while (to < lines.size() && lines[to].box.center().y < row.y + row.height_px) {
            ++to;
        }
        std::sort(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.begin() + static_cast<std::ptrdiff_t>(to),
                  [](const TextLine& a, const TextLine& b) { return a.box.x < b.box.x; });
    }
    return lines;
}

} // namespace handeye::locate
