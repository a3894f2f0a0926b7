// SPDX-License-Identifier: Apache-2.0
// Which size a picture gets and which frames of a video are seen: the arithmetic of the reference, kept in its order,
// because a rounding that differs changes the number of visual tokens.
#include "engine/vision/preprocess.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr double kAspectMax = 200.0;
constexpr double kFpsMax = 1000.0;
constexpr double kVideoSecondsMax = 1e6; // stamps are whole seconds in an int
constexpr double kFramesMax = 1e6; // chosen from one video
constexpr int kSidePxMax = 1 << 20; // products with the frame count stay inside 64 bits

// Python's round(): halves to even; exact for any int64 numerator, unlike a division in double.
std::int64_t round_half_even(std::int64_t value, std::int64_t unit) {
    const std::int64_t whole = value / unit, rest = value % unit;
    if (rest * 2 == unit) {
        return whole + whole % 2;
    }
    return rest * 2 > unit ? whole + 1 : whole;
}

Error too_narrow(std::int64_t width, std::int64_t height) {
    return Error{ErrorCode::InvalidArgument,
                 fmt::format("a picture of {}x{} has an aspect ratio above {:.0f}", width, height, kAspectMax)};
}

std::vector<int> frames_at_rate(int count, double fps, double seconds, const PreprocessConfig& config) {
    std::vector<int> indices;
    const double wanted = std::floor(seconds * config.video_fps);
    // The indices grow with i, so everything after the last frame repeats it.
    for (int i = 0; i < std::max(wanted, 1.0); ++i) {
        const double index = std::ceil(i * fps / config.video_fps);
        indices.push_back(static_cast<int>(std::min<double>(count - 1, index)));
        if (index >= count - 1) {
            break;
        }
    }
    return indices;
}

std::vector<int> frames_spread(int count, double fps, double seconds, const PreprocessConfig& config) {
    const int wanted = std::max(1, static_cast<int>(config.video_seconds_max * config.video_fps));
    std::vector<int> indices;
    if (wanted >= count) {
        for (int i = 0; i < count; ++i) {
            indices.push_back(i);
        }
        return indices;
    }
    const double step = wanted > 1 ? seconds / (wanted - 1) : 0.0;
    for (int i = 0; i < wanted; ++i) {
        const double at = wanted > 1 && i == wanted - 1 ? seconds : i * step;
        indices.push_back(static_cast<int>(std::min<double>(count - 1, std::ceil(at * fps))));
    }
    return indices;
}

} // namespace

Result<Size> smart_resize(int frames, Size size, const PreprocessConfig& config) {
    const std::int64_t factor = std::int64_t{config.patch_size} * config.merge_size;
    if (frames < config.temporal_patch_size) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} frames are fewer than a temporal patch of {}", frames,
                                                             config.temporal_patch_size)};
    }
    if (size.is_empty() || size.width_px > kSidePxMax || size.height_px > kSidePxMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a picture of {}x{} pixels: each side must be 1 to {}",
                                                             size.width_px, size.height_px, kSidePxMax)};
    }
    std::int64_t width = size.width_px, height = size.height_px;
    if (height < factor || width < factor) {
        const double f = static_cast<double>(factor);
        const double scale = std::max(f / static_cast<double>(height), f / static_cast<double>(width));
        height = static_cast<std::int64_t>(static_cast<double>(height) * scale);
        width = static_cast<std::int64_t>(static_cast<double>(width) * scale);
    }
    if (static_cast<double>(std::max(height, width)) / static_cast<double>(std::min(height, width)) > kAspectMax) {
        return too_narrow(size.width_px, size.height_px);
    }
    std::int64_t h_bar = round_half_even(height, factor) * factor;
    std::int64_t w_bar = round_half_even(width, factor) * factor;
    const std::int64_t t_bar = round_half_even(frames, config.temporal_patch_size) * config.temporal_patch_size;
    const auto h = static_cast<double>(height), w = static_cast<double>(width), f = static_cast<double>(factor);
    const double volume = static_cast<double>(frames * height * width);
    if (t_bar * h_bar * w_bar > config.max_volume) {
        const double beta = std::sqrt(volume / static_cast<double>(config.max_volume));
        h_bar = std::max(factor, static_cast<std::int64_t>(std::floor(h / beta / f)) * factor);
        w_bar = std::max(factor, static_cast<std::int64_t>(std::floor(w / beta / f)) * factor);
    } else if (t_bar * h_bar * w_bar < config.min_volume) {
        const double beta = std::sqrt(static_cast<double>(config.min_volume) / volume);
        h_bar = static_cast<std::int64_t>(std::ceil(h * beta / f)) * factor;
        w_bar = static_cast<std::int64_t>(std::ceil(w * beta / f)) * factor;
    }
    return Size{static_cast<int>(w_bar), static_cast<int>(h_bar)};
}

Result<FrameChoice> choose_frames(int count, double fps, std::optional<double> seconds, const PreprocessConfig& config) {
    if (count < 1 || !(fps > 0.0) || !std::isfinite(fps)) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a video of {} frames at {} frames per second: both must be positive", count, fps)};
    }
    if (config.temporal_patch_size < 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a temporal patch of {} frames: at least 1", config.temporal_patch_size)};
    }
    if (count / fps > kVideoSecondsMax) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a video of {} frames at {} frames per second: longer than {} seconds", count, fps, kVideoSecondsMax)};
    }
    if (!(config.video_fps > 0.0 && config.video_fps <= kFpsMax) || (seconds && !std::isfinite(*seconds)) ||
        !(config.video_seconds_max > 0.0 && config.video_seconds_max * config.video_fps <= kFramesMax)) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("a video of {} seconds sampled {} times per second for at most {} seconds: no such limits",
                                 seconds.value_or(0.0), config.video_fps, config.video_seconds_max)};
    }
    // nearbyint rounds halves to even, as the reference's round() does.
    const double duration = seconds && *seconds > 0.0 ? *seconds : std::nearbyint((count - 1) / fps) + 1.0;
    std::vector<int> all = duration <= config.video_seconds_max ? frames_at_rate(count, fps, duration, config)
                                                                : frames_spread(count, fps, duration, config);
    FrameChoice choice;
    std::set<int> seen;
    std::copy_if(all.begin(), all.end(), std::back_inserter(choice.indices),
                 [&](int index) { return seen.insert(index).second; });
    if (choice.indices.size() % 2 == 1) {
        choice.indices.push_back(choice.indices.back());
    }
    const auto per_patch = static_cast<std::size_t>(config.temporal_patch_size);
    const std::size_t patches = (choice.indices.size() + per_patch - 1) / per_patch;
    // One stamp for every second frame, whatever the temporal patch is: the reference's rule.
    for (std::size_t i = 0; i < choice.indices.size() && choice.timestamps_s.size() < patches; i += 2) {
        choice.timestamps_s.push_back(static_cast<int>(choice.indices[i] / fps));
    }
    while (choice.timestamps_s.size() < patches) {
        choice.timestamps_s.push_back(choice.timestamps_s.back());
    }
    return choice;
}

} // namespace handeye
