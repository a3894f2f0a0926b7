// SPDX-License-Identifier: Apache-2.0
// The target by what it looks like: coarse to fine on grey, then judged in colour.
#include "agent/locate/alike.h"
#include "agent/locate/limits.h"
#include "agent/locate/rungs.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

namespace handeye::locate {
namespace {

constexpr int kSideMinPx = 6;            // of a picture that can be told from noise
constexpr int kCoarseSideMinPx = 12;     // of it on the coarse screen; at other sizes, where only a clear picture counts,
constexpr int kScaledSideMinPx = 6;      // less will do,
constexpr int kShrunkSideMinPx = 12;     // and what shrinks below this is not sought: it costs the most and tells the least
constexpr std::array kFactors{4, 2};     // of the coarse screens, tried in this order
constexpr int kPeaksMax = 16;            // that are looked at closely
constexpr double kCloseMin = 0.70;       // of the whole, on grey: below, its parts are not looked at
constexpr double kPeakMin = 0.35;        // on the coarse screen, where letters are a blur
constexpr int kWindowPx = 96;            // around where it was
constexpr std::array kScales{1.25, 0.8, 1.5, 2.0 / 3, 2.0, 0.5}; // of desktops
constexpr double kScaledScoreMin = 0.85; // what was drawn at another size is never quite the scaled picture
constexpr double kBlur = 0.6;            // pixels of the smaller of the two
constexpr std::chrono::milliseconds kPatience{1500};
constexpr std::int64_t kScreenPixelsMax = std::int64_t{40} << 20U;

cv::Mat view(const Image& rgb) {
    return {rgb.size().height_px, rgb.size().width_px, CV_8UC3, const_cast<std::uint8_t*>(rgb.bytes().data())}; // only read
}

cv::Mat grey(const cv::Mat& rgb) {
    cv::Mat out;
    cv::cvtColor(rgb, out, cv::COLOR_RGB2GRAY);
    return out;
}

/// What is searched for, at one scale.
struct Pattern {
    Image held; // owns rgb's pixels at scale 1
    cv::Mat rgb, grey, mask; // mask: empty when all of it counts
};

Result<Pattern> pattern_of(const Image& picture) {
    Pattern pattern;
    pattern.held = picture.to_rgb();
    pattern.rgb = view(pattern.held);
    if (picture.format() == PixelFormat::Rgba) {
        const cv::Mat rgba(picture.size().height_px, picture.size().width_px, CV_8UC4, const_cast<std::uint8_t*>(picture.bytes().data()));
        cv::extractChannel(rgba, pattern.mask, 3);
        cv::threshold(pattern.mask, pattern.mask, 127, 255, cv::THRESH_BINARY);
        if (cv::countNonZero(pattern.mask) == static_cast<int>(pattern.mask.total())) {
            pattern.mask.release();
        }
    }
    pattern.grey = grey(pattern.rgb);
    const Size size = picture.size();
    if (std::min(size.width_px, size.height_px) < kSideMinPx) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a picture of {}x{} pixels is too small to be told from others; each side needs {}", size.width_px, size.height_px,
                                                             kSideMinPx)};
    }
    if (const double contrast = contrast_of(pattern.rgb, pattern.mask); contrast < kContrastMin) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the picture is of one colour (contrast {:.1f}, at least {:.0f} is needed): it could be anywhere", contrast, kContrastMin)};
    }
    return pattern;
}

Pattern scaled(const Pattern& pattern, double scale) {
    if (scale == 1) {
        return pattern;
    }
    Pattern out;
    const cv::Size size(static_cast<int>(std::lround(pattern.rgb.cols * scale)), static_cast<int>(std::lround(pattern.rgb.rows * scale)));
    if (std::min(size.width, size.height) < kShrunkSideMinPx) {
        return out;
    }
    cv::resize(pattern.rgb, out.rgb, size, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
    if (!pattern.mask.empty()) {
        cv::resize(pattern.mask, out.mask, size, 0, 0, cv::INTER_NEAREST);
    }
    out.grey = grey(out.rgb);
    return out;
}

/// The screen and its smaller copies, each made once.
class Screen {
public:
    Screen(const Image& image, Rect area) : held_(image.to_rgb()), area_(area), rgb_(view(held_)(cv::Rect(area.x, area.y, area.width_px, area.height_px))) { coarse_[1] = grey(rgb_); }
    const cv::Mat& rgb() const { return rgb_; }
    Rect area() const { return area_; }
    const cv::Mat& at(int factor) {
        cv::Mat& screen = coarse_[factor];
        if (screen.empty()) {
            cv::resize(coarse_[1], screen, {std::max(1, rgb_.cols / factor), std::max(1, rgb_.rows / factor)}, 0, 0, cv::INTER_AREA);
        }
        return screen;
    }

private:
    Image held_;
    Rect area_;
    cv::Mat rgb_;
    std::map<int, cv::Mat> coarse_;
};

cv::Mat correlated(const cv::Mat& screen, const cv::Mat& pattern, const cv::Mat& mask) {
    cv::Mat scores;
    cv::matchTemplate(screen, pattern, scores, cv::TM_CCOEFF_NORMED, mask);
    cv::patchNaNs(scores, 0);
    scores.setTo(0, scores > 1.01F); // of one colour, divided by nothing
    return scores;
}

/// Peaks of `scores`, no two of them nearer than half the pattern.
std::vector<cv::Point> peaks_of(cv::Mat& scores, cv::Size pattern) {
    std::vector<cv::Point> peaks;
    while (peaks.size() < kPeaksMax) {
        double best = 0;
        cv::Point at;
        cv::minMaxLoc(scores, nullptr, &best, nullptr, &at);
        if (best < kPeakMin) {
            break;
        }
        peaks.push_back(at);
        const cv::Rect taken(at.x - pattern.width / 2, at.y - pattern.height / 2, std::max(1, pattern.width), std::max(1, pattern.height));
        scores(taken & cv::Rect(0, 0, scores.cols, scores.rows)).setTo(-1);
    }
    return peaks;
}

int factor_for(const Pattern& pattern, double scale) {
    const int side = std::min(pattern.grey.cols, pattern.grey.rows), side_min = scale == 1 ? kCoarseSideMinPx : kScaledSideMinPx;
    const auto fits = std::find_if(kFactors.begin(), kFactors.end(), [&](int f) { return side / f >= side_min; });
    return fits == kFactors.end() ? 1 : *fits;
}

bool overlaps(const Rect& a, const Rect& b) {
    const Rect both = a.intersected(b);
    return !both.size().is_empty() && 10 * both.size().area() > 3 * std::min(a.size().area(), b.size().area());
}

/// Adds what is found at one scale; of overlapping places the better one stays.
void search(Screen& screen, const Pattern& pattern, Rung rung, double scale, std::vector<Candidate>& found) {
    if (pattern.rgb.empty() || pattern.rgb.cols > screen.rgb().cols || pattern.rgb.rows > screen.rgb().rows) {
        return;
    }
    const int factor = factor_for(pattern, scale);
    cv::Mat small = pattern.grey, mask = pattern.mask;
    if (factor > 1) {
        const cv::Size size(pattern.grey.cols / factor, pattern.grey.rows / factor);
        cv::resize(pattern.grey, small, size, 0, 0, cv::INTER_AREA);
        if (!mask.empty()) {
            cv::resize(pattern.mask, mask, size, 0, 0, cv::INTER_NEAREST);
        }
    }
    const cv::Mat& coarse = screen.at(factor);
    if (small.cols > coarse.cols || small.rows > coarse.rows) {
        return;
    }
    cv::Mat scores = correlated(coarse, small, mask);
    for (const cv::Point& peak : peaks_of(scores, small.size())) {
        const int around = factor > 1 ? factor + 1 : 1;
        const cv::Rect window = cv::Rect(peak.x * factor - around, peak.y * factor - around, pattern.rgb.cols + 2 * around + factor, pattern.rgb.rows + 2 * around + factor) &
                                cv::Rect(0, 0, screen.rgb().cols, screen.rgb().rows);
        if (window.width < pattern.rgb.cols || window.height < pattern.rgb.rows) {
            continue;
        }
        double best = 0;
        cv::Point at;
        cv::minMaxLoc(correlated(screen.at(1)(window), pattern.grey, pattern.mask), nullptr, &best, nullptr, &at);
        const cv::Rect place(window.x + at.x, window.y + at.y, pattern.rgb.cols, pattern.rgb.rows);
        const double score = best < kCloseMin ? std::max(0.0, best) : alike(screen.rgb()(place), pattern.rgb, pattern.mask, scale == 1 ? 0.0 : kBlur * std::max(1.0, scale));
        const Candidate candidate{rung, {place.x + screen.area().x, place.y + screen.area().y, place.width, place.height}, score,
                                  scale == 1 ? "its picture" : fmt::format("its picture at {:.0f} %", scale * 100), true};
        const auto taken = std::find_if(found.begin(), found.end(), [&](const Candidate& c) { return overlaps(c.box, candidate.box); });
        if (taken == found.end()) {
            found.push_back(candidate);
        } else if (candidate.score > taken->score) {
            *taken = candidate;
        }
    }
}

double best_of(const std::vector<Candidate>& found) {
    return std::accumulate(found.begin(), found.end(), 0.0, [](double best, const Candidate& c) { return std::max(best, c.score); });
}

} // namespace

Result<Matches> match_local_template(const Look& look) {
    const Pattern pattern = TRY(pattern_of(look.query.picture));
    const Rect was = *look.query.was_at;
    const Rect window = Rect{was.x - kWindowPx, was.y - kWindowPx, was.width_px + 2 * kWindowPx, was.height_px + 2 * kWindowPx}.intersected(look.area);
    if (window.size().is_empty() || was.size().is_empty()) {
        return Error{ErrorCode::OutOfBounds, "where it was lies outside of what is looked at"};
    }
    Screen screen(look.seen.image, window);
    Matches matches;
    search(screen, pattern, Rung::LocalTemplate, 1, matches.all);
    return matches;
}

Result<Matches> match_template(const Look& look) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const Pattern pattern = TRY(pattern_of(look.query.picture));
    if (look.seen.image.size().area() > kScreenPixelsMax || look.area.size().is_empty()) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a screen of {}x{} pixels is not searched", look.seen.image.size().width_px, look.seen.image.size().height_px)};
    }
    Screen screen(look.seen.image, look.area);
    Matches matches;
    search(screen, pattern, Rung::Template, 1, matches.all);
    if (best_of(matches.all) >= (look.query.min_score > 0 ? look.query.min_score : limits_of(Rung::Template).score_min)) {
        return matches;
    }
    Matches other;
    for (std::size_t i = 0; i < kScales.size(); ++i) {
        if (std::chrono::steady_clock::now() > deadline) {
            matches.note = fmt::format("{} of {} other scales were not tried within {} ms", kScales.size() - i, kScales.size(), kPatience.count());
            break;
        }
        search(screen, scaled(pattern, kScales[i]), Rung::Template, kScales[i], other.all);
    }
    const double best = best_of(matches.all), best_other = best_of(other.all);
    if (best_other > best && best_other >= kScaledScoreMin) {
        other.score_min = std::max(kScaledScoreMin, look.query.min_score);
        return other;
    }
    matches.all.insert(matches.all.end(), other.all.begin(), other.all.end());
    return matches;
}

Result<std::vector<Rect>> places_of(const Look& look, const Image& picture) {
    TargetQuery query;
    query.picture = picture;
    const Size size = look.seen.image.size();
    const Look whole{query, look.seen, look.text, {0, 0, size.width_px, size.height_px}};
    std::vector<Rect> places;
    for (const Candidate& candidate : TRY(match_template(whole)).all) {
        if (candidate.score >= limits_of(Rung::Template).score_min) {
            places.push_back(candidate.box);
        }
    }
    return places;
}

} // namespace handeye::locate
