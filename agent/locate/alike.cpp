// SPDX-License-Identifier: Apache-2.0
#include "agent/locate/alike.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace handeye::locate {
namespace {

constexpr int kBlockMinPx = 6, kBlockMaxPx = 8;
constexpr int kAsidePx = 1;          // a letter may stand a pixel aside
constexpr double kFlat = 0.2;        // of the whole contrast: a block with less shows nothing
constexpr double kSteady = 0.1;      // of the whole contrast: keeps faint noise from counting as structure
constexpr int kMeanShift = 60;       // grey levels by which flat ground may differ: hovered and pressed buttons are tinted

/// Normalised correlation, the channels' means apart.
double correlation(const cv::Mat& a, const cv::Mat& b, const cv::Mat& mask) {
    cv::Mat x, y;
    a.convertTo(x, CV_32F);
    b.convertTo(y, CV_32F);
    x -= cv::mean(x, mask);
    y -= cv::mean(y, mask);
    if (!mask.empty()) {
        x.setTo(0, mask == 0);
        y.setTo(0, mask == 0);
    }
    const double length = std::sqrt(x.dot(x) * y.dot(y));
    return length > 1 ? x.dot(y) / length : 0;
}

struct Moments {
    double mean_a, mean_b, var_a, var_b, cov;
};

Moments moments(const cv::Mat& a, const cv::Mat& b) {
    const auto n = static_cast<double>(a.total());
    double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
    for (int row = 0; row < a.rows; ++row) {
        const auto *p = a.ptr<std::uint8_t>(row), *q = b.ptr<std::uint8_t>(row);
        for (int i = 0; i < a.cols; ++i) {
            sum_a += p[i];
            sum_b += q[i];
            aa += p[i] * p[i];
            bb += q[i] * q[i];
            ab += p[i] * q[i];
        }
    }
    const double mean_a = sum_a / n, mean_b = sum_b / n;
    return {mean_a, mean_b, std::max(0.0, aa / n - mean_a * mean_a), std::max(0.0, bb / n - mean_b * mean_b), ab / n - mean_a * mean_b};
}

/// 1: the same structure with the same contrast. 0 or less: something else, or on one side nothing.
double block_alike(const cv::Mat& seen, const cv::Mat& wanted, cv::Rect block, double contrast) {
    double best = -1;
    for (int down = -kAsidePx; down <= kAsidePx; ++down) {
        for (int right = -kAsidePx; right <= kAsidePx; ++right) {
            const cv::Rect there(block.x + right, block.y + down, block.width, block.height);
            if ((there & cv::Rect(0, 0, seen.cols, seen.rows)) != there) {
                continue;
            }
            const Moments m = moments(seen(there), wanted(block));
            if (std::max(m.var_a, m.var_b) < kFlat * kFlat * contrast * contrast) {
                return std::abs(m.mean_a - m.mean_b) <= kMeanShift ? 1 : 0;
            }
            const double steady = kSteady * kSteady * contrast * contrast;
            best = std::max(best, (2 * m.cov + steady) / (m.var_a + m.var_b + steady));
        }
    }
    return best;
}

} // namespace

double contrast_of(const cv::Mat& rgb, const cv::Mat& mask) {
    cv::Scalar mean, deviation;
    cv::meanStdDev(rgb, mean, deviation, mask);
    return std::max({deviation[0], deviation[1], deviation[2]});
}

double alike(const cv::Mat& seen, const cv::Mat& wanted, const cv::Mat& mask, double blur_px) {
    cv::Mat soft_seen = seen, soft_wanted = wanted;
    if (blur_px > 0) {
        cv::GaussianBlur(seen, soft_seen, {}, blur_px);
        cv::GaussianBlur(wanted, soft_wanted, {}, blur_px);
    }
    const double whole = correlation(soft_seen, soft_wanted, mask);
    cv::Mat a, b;
    cv::cvtColor(soft_seen, a, cv::COLOR_RGB2GRAY);
    cv::cvtColor(soft_wanted, b, cv::COLOR_RGB2GRAY);
    cv::Scalar mean, deviation;
    cv::meanStdDev(b, mean, deviation, mask);
    const int side = std::clamp(std::min(wanted.cols, wanted.rows) / 2, kBlockMinPx, kBlockMaxPx);
    if (whole <= 0 || wanted.cols < side || wanted.rows < side) {
        return std::max(0.0, whole);
    }
    if (!mask.empty()) { // what does not count is the same on both sides
        a.setTo(mean, mask == 0);
        b.setTo(mean, mask == 0);
    }
    double worst = 1;
    const auto starts = [&](int length) {
        std::vector<int> at;
        for (int i = 0; i + side < length; i += std::max(1, side / 2)) {
            at.push_back(i);
        }
        at.push_back(length - side);
        return at;
    };
    for (const int y : starts(wanted.rows)) {
        for (const int x : starts(wanted.cols)) {
            worst = std::min(worst, block_alike(a, b, {x, y, side, side}, std::max(deviation[0], 1.0)));
        }
    }
    return std::clamp(std::min(whole, 0.5 + 0.5 * worst), 0.0, 1.0);
}

} // namespace handeye::locate
