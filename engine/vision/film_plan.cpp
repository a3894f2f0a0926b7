// SPDX-License-Identifier: Apache-2.0
#include "engine/film_plan.h"

#include "engine/vision/preprocess.h"

#include <algorithm>
#include <cstdint>

namespace handeye {
namespace {

constexpr std::int64_t kVolumeMax = 47'040'000; // frames x width x height
constexpr int kTriesEachWay = 60;
constexpr double kTryStep = 2e-5; // 60 of them: a third of a second at 300 s

/// Seconds that the engine would tell of `count` frames at `fps` and that are not `wanted`; all of them where it would choose others.
int stamps_off(int count, double fps, const std::vector<int>& wanted, const PreprocessConfig& config) {
    const auto seen = choose_frames(count, fps, count / fps, config);
    if (!seen || seen->timestamps_s.size() != wanted.size() || static_cast<int>(seen->indices.size()) < count) {
        return static_cast<int>(wanted.size());
    }
    int off = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        off += seen->timestamps_s[i] == wanted[i] ? 0 : 1;
    }
    return off;
}

/// A VideoPart has one rate, the spread frames of a long film have seconds of their own: the rate that says most of them right.
void choose_rate(FilmPlan& plan, double first, const std::vector<int>& wanted, const PreprocessConfig& config) {
    const int count = static_cast<int>(plan.indices.size());
    plan.fps = first;
    plan.stamps_off = stamps_off(count, first, wanted, config);
    for (int i = 1; i <= 2 * kTriesEachWay && plan.stamps_off > 0; ++i) {
        const double fps = first * (1 + kTryStep * ((i + 1) / 2) * (i % 2 == 0 ? 1 : -1));
        if (const int off = stamps_off(count, fps, wanted, config); off < plan.stamps_off) {
            plan.fps = fps;
            plan.stamps_off = off;
        }
    }
}

} // namespace

Result<FilmPlan> plan_film(int frames, double fps, Size size) {
    PreprocessConfig config;
    config.max_volume = kVolumeMax;
    const double seconds = frames / fps;
    const FrameChoice choice = TRY(choose_frames(frames, fps, seconds, config));
    FilmPlan plan{.indices = choice.indices, .size = size};
    plan.indices.erase(std::unique(plan.indices.begin(), plan.indices.end()), plan.indices.end());
    const auto count = static_cast<int>(plan.indices.size());
    const double spread = (config.video_seconds_max * config.video_fps - 1) / seconds;
    choose_rate(plan, count == frames ? fps : seconds > config.video_seconds_max ? spread : config.video_fps, choice.timestamps_s, config);
    const std::int64_t seen = count + count % config.temporal_patch_size;
    const Size fitting = TRY(smart_resize(static_cast<int>(std::max<std::int64_t>(seen, config.temporal_patch_size)), size, config));
    if (seen * size.area() > kVolumeMax) {
        plan.size = fitting;
    }
    return plan;
}

Result<Image> shrink_frame(const Image& rgb, Size size) { return rgb.size() == size ? Result<Image>(rgb) : resize_bicubic(rgb, size); }

} // namespace handeye
