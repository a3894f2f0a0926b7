// SPDX-License-Identifier: Apache-2.0
// Whether two pictures of the same size show the same thing. Inside this folder only.
#pragma once

#include <opencv2/core.hpp>

namespace handeye::locate {

/// Both RGB and of one size; `mask` (may be empty): what counts; `blur_px`: by which both are softened first, since what was scaled has
/// other edges than what was drawn at that size. 0..1. Of two buttons most pixels are alike, whatever they say: the
/// score is bounded by the part that is least alike, which may lie a pixel aside.
double alike(const cv::Mat& seen, const cv::Mat& wanted, const cv::Mat& mask, double blur_px);

/// Grey levels by which the picture differs from one colour; below kContrastMin it can be found anywhere.
double contrast_of(const cv::Mat& rgb, const cv::Mat& mask);
constexpr double kContrastMin = 5;

} // namespace handeye::locate
