// SPDX-License-Identifier: Apache-2.0
// Pictures to patch rows: smart resize, the antialiased bicubic resize of 8-bit pictures, normalisation, patch order.
// Rules and their source: the GLM-4.1V image processor of transformers 5.23 (torchvision path), bit for bit.
#pragma once

#include "base/image.h"
#include "base/result.h"
#include "engine/vision/large_buffer.h"
#include "engine/vision/normalize.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace handeye {

/// preprocessor_config.json / video_preprocessor_config.json; the defaults are the published ones.
struct PreprocessConfig {
    int patch_size = 14;
    int temporal_patch_size = 2;
    int merge_size = 2;
    std::int64_t min_volume = 12544;    ///< size.shortest_edge: t*h*w pixels, not an edge
    std::int64_t max_volume = 9'633'792;///< size.longest_edge: t*h*w pixels, not an edge
    std::array<float, 3> mean{0.48145466F, 0.4578275F, 0.40821073F};
    std::array<float, 3> std{0.26862954F, 0.26130258F, 0.27577711F};
    double video_fps = 2.0;             ///< sampling rate
    double video_seconds_max = 300.0;
};
/// Reads one of the two files; keys that are absent keep `defaults`.
Result<PreprocessConfig> read_preprocess_config(const std::filesystem::path& path, const PreprocessConfig& defaults);

/// (t, h, w) in patches.
struct GridThw {
    int t = 0;
    int h = 0;
    int w = 0;
    bool operator==(const GridThw&) const = default;
    [[nodiscard]] int patches() const { return t * h * w; }
};

/// The resized size in pixels; halves round to even. Errors: frames < temporal patch, aspect ratio above 200.
Result<Size> smart_resize(int frames, Size size, const PreprocessConfig& config);

/// The two-pass integer resize, bit for bit the reference's. RGB in, RGB out.
Result<Image> resize_bicubic(const Image& rgb, Size size);

/// What pictures of one size become, before any pixel is touched.
struct PatchPlan {
    Size resized;
    GridThw grid;
    ChannelScale scale; ///< of resized pixels: (byte - mean) / deviation
};
/// Errors: settings outside their limits, smart_resize()'s, more values than the limit.
Result<PatchPlan> plan_patches(int frames, Size size, const PreprocessConfig& config);

struct Patches {
    LargeVector<float> rows; ///< (grid.patches(), 3 * temporal * patch * patch), merge-block order
    GridThw grid;
    std::vector<int> timestamps_s; ///< video only: one per temporal patch, truncated seconds
    Size resized;                  ///< what the model sees, in pixels
};
Result<Patches> preprocess_image(const Image& image, const PreprocessConfig& config);

/// Which frames of a video the model sees, and when.
struct FrameChoice {
    std::vector<int> indices;      ///< even count; the last may repeat the one before
    std::vector<int> timestamps_s; ///< one per temporal patch, truncated seconds
};
/// `seconds`: what the container says; unset: round((count - 1) / fps) + 1. Errors: no frames, fps not positive.
Result<FrameChoice> choose_frames(int count, double fps, std::optional<double> seconds, const PreprocessConfig& config);

/// Chooses frames (fps, duration), resizes all to one size.
Result<Patches> preprocess_video(const std::vector<Image>& frames, double fps, const PreprocessConfig& config);

} // namespace handeye
