// SPDX-License-Identifier: Apache-2.0
// From a picture to normalised patch rows in merge-block order, and the configuration files that steer it.
#include "engine/vision/preprocess.h"

#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace handeye {
namespace {

constexpr std::size_t kChannels = 3;
constexpr std::int64_t kRowFloatsMax = 1 << 28;     // 1 GiB; the published limits need 142 million
constexpr std::int64_t kVolumeMax = 1LL << 42;      // t*h*w pixels

// (x - 255 mean) / (255 std) in float32: the reference's fused form.
ChannelScale make_scale(const PreprocessConfig& config) {
    ChannelScale scale;
    for (std::size_t c = 0; c < kChannels; ++c) {
        scale.mean[c] = config.mean[c] * 255.0F;
        scale.deviation[c] = config.std[c] * 255.0F;
    }
    return scale;
}

/// The rows of one temporal patch, whose frames are `frames` (one per temporal index, all of the grid's size).
class BandWriter {
public:
    BandWriter(const PreprocessConfig& config, const PatchPlan& plan)
        : scale_(plan.scale), grid_(plan.grid), patch_(static_cast<std::size_t>(config.patch_size)),
          temporal_(static_cast<std::size_t>(config.temporal_patch_size)), merge_(config.merge_size),
          width_px_(static_cast<std::size_t>(grid_.w) * patch_), planes_(patch_ * kChannels * width_px_) {}

    [[nodiscard]] std::size_t row_floats() const { return kChannels * temporal_ * patch_ * patch_; }

    void write(std::span<const Image> frames, float* out) {
        for (int band = 0; band < grid_.h; ++band) {
            for (std::size_t t = 0; t < temporal_; ++t) {
                const bool same = t > 0 && frames[t].bytes().data() == frames[t - 1].bytes().data();
                if (!same) {
                    load(frames[t], band);
                }
                for (int column = 0; column < grid_.w; ++column) {
                    store(column, out + row_index(band, column) * row_floats() + t * patch_ * patch_);
                }
            }
        }
    }

private:
    // Blocks of merge x merge patches are consecutive rows.
    [[nodiscard]] std::size_t row_index(int band, int column) const {
        const int block = (band / merge_) * (grid_.w / merge_) + column / merge_;
        return static_cast<std::size_t>((block * merge_ + band % merge_) * merge_ + column % merge_);
    }

    // planes_ is (patch y, channel, width).
    void load(const Image& frame, int band) {
        for (std::size_t y = 0; y < patch_; ++y) {
            const auto row = frame.row(band * static_cast<int>(patch_) + static_cast<int>(y));
            normalize_row(row.first(width_px_ * kChannels), scale_, &planes_[y * kChannels * width_px_]);
        }
    }

    void store(int column, float* out) const {
        // The published patch size as a constant: 900,000 copies of 56 bytes for a screenshot.
        constexpr std::size_t kUsualPatch = 14;
        if (patch_ == kUsualPatch) {
            store_rows(column, std::integral_constant<std::size_t, kUsualPatch>(), out);
        } else {
            store_rows(column, patch_, out);
        }
    }

    template <class Count>
    void store_rows(int column, Count patch, float* out) const {
        const float* from = planes_.data() + static_cast<std::size_t>(column) * patch_;
        for (std::size_t c = 0; c < kChannels; ++c) {
            for (std::size_t y = 0; y < patch_; ++y) {
                std::memcpy(out + (c * temporal_ * patch_ + y) * patch_, from + (y * kChannels + c) * width_px_,
                            patch * sizeof(float));
            }
        }
    }

    ChannelScale scale_;
    GridThw grid_;
    std::size_t patch_;
    std::size_t temporal_;
    int merge_;
    std::size_t width_px_;
    std::vector<float> planes_;
};

Result<void> check_config(const PreprocessConfig& config) {
    const auto outside = [](int value, int most) { return value < 1 || value > most; };
    if (outside(config.patch_size, 256) || outside(config.temporal_patch_size, 16) || outside(config.merge_size, 16)) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("patch_size {}, temporal_patch_size {}, merge_size {}: the limits are 1 to 256, 16, 16",
                                 config.patch_size, config.temporal_patch_size, config.merge_size)};
    }
    if (config.min_volume < 1 || config.max_volume < 1 || std::max(config.min_volume, config.max_volume) > kVolumeMax) {
        return Error{ErrorCode::InvalidArgument, fmt::format("shortest_edge {} and longest_edge {}: the limits are 1 to {}",
                                                             config.min_volume, config.max_volume, kVolumeMax)};
    }
    for (std::size_t c = 0; c < config.std.size(); ++c) {
        if (!std::isfinite(config.mean[c]) || !std::isfinite(config.std[c]) || config.std[c] <= 0.0F) {
            return Error{ErrorCode::InvalidArgument, fmt::format("image_mean {} and image_std {}: the second must be positive",
                                                                 config.mean[c], config.std[c])};
        }
    }
    if (!(config.video_fps > 0.0 && config.video_fps <= 1000.0) ||
        !(config.video_seconds_max > 0.0 && config.video_seconds_max <= 1e6)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("fps {} and max_duration {}: the limits are 1000 and 1000000",
                                                             config.video_fps, config.video_seconds_max)};
    }
    return {};
}

Result<Patches> patches_of(std::span<const Image> frames, const PreprocessConfig& config) {
    const auto temporal = static_cast<std::size_t>(config.temporal_patch_size);
    const PatchPlan plan = TRY(plan_patches(static_cast<int>(frames.size()), frames[0].size(), config));
    Patches patches{.rows = {}, .grid = plan.grid, .timestamps_s = {}, .resized = plan.resized};
    BandWriter writer(config, plan);
    const std::size_t per_frame = static_cast<std::size_t>(patches.grid.h) * static_cast<std::size_t>(patches.grid.w) *
                                  writer.row_floats();
    patches.rows.resize(per_frame * static_cast<std::size_t>(patches.grid.t));
    std::vector<Image> group(temporal);
    for (std::size_t t = 0; t < static_cast<std::size_t>(patches.grid.t); ++t) {
        for (std::size_t i = 0; i < temporal; ++i) {
            const std::size_t at = t * temporal + i;
            // A repeated frame is resized once; the last one fills an incomplete group.
            const bool repeated = at >= frames.size() ||
                                  (i > 0 && frames[at].bytes().data() == frames[at - 1].bytes().data());
            group[i] = repeated ? group[i - 1] : TRY(resize_bicubic(frames[at].to_rgb(), plan.resized));
        }
        writer.write(group, patches.rows.data() + t * per_frame);
    }
    return patches;
}

// A value of the wrong type throws; absent and null keep what there is.
template <class T>
void take(const nlohmann::json& object, const char* key, T& value) {
    if (const auto found = object.find(key); found != object.end() && !found->is_null()) {
        value = found->get<T>();
    }
}

} // namespace

Result<PreprocessConfig> read_preprocess_config(const std::filesystem::path& path, const PreprocessConfig& defaults) {
    const nlohmann::json object = TRY(read_json(path));
    PreprocessConfig config = defaults;
    try {
        if (!object.is_object()) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: not a JSON object", path.string())};
        }
        take(object, "patch_size", config.patch_size);
        take(object, "temporal_patch_size", config.temporal_patch_size);
        take(object, "merge_size", config.merge_size);
        take(object, "fps", config.video_fps);
        take(object, "max_duration", config.video_seconds_max);
        take(object, "image_mean", config.mean);
        take(object, "image_std", config.std);
        if (const auto size = object.find("size"); size != object.end()) {
            take(*size, "shortest_edge", config.min_volume);
            take(*size, "longest_edge", config.max_volume);
        }
    } catch (const nlohmann::json::exception& problem) {
        return Error{ErrorCode::ParseFailed, fmt::format("{}: {}", path.string(), problem.what())};
    }
    TRY(check_config(config).with_context(path.string()));
    return config;
}

Result<PatchPlan> plan_patches(int frames, Size size, const PreprocessConfig& config) {
    TRY(check_config(config));
    const int temporal = config.temporal_patch_size;
    PatchPlan plan{.resized = TRY(smart_resize(std::max(frames, temporal), size, config)), .grid = {}, .scale = make_scale(config)};
    plan.grid = {(frames + temporal - 1) / temporal, plan.resized.height_px / config.patch_size, plan.resized.width_px / config.patch_size};
    const std::int64_t floats = std::int64_t{plan.resized.width_px} * plan.resized.height_px * std::int64_t{kChannels} * temporal * plan.grid.t;
    if (floats > kRowFloatsMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("{} frames of {}x{} make {} values, the limit is {}", frames,
                                                           plan.resized.width_px, plan.resized.height_px, floats, kRowFloatsMax)};
    }
    return plan;
}

Result<Patches> preprocess_image(const Image& image, const PreprocessConfig& config) {
    if (image.is_empty()) {
        return Error{ErrorCode::InvalidArgument, "an empty picture cannot be shown to the model"};
    }
    return patches_of(std::span<const Image>(&image, 1), config);
}

Result<Patches> preprocess_video(const std::vector<Image>& frames, double fps, const PreprocessConfig& config) {
    if (frames.empty()) {
        return Error{ErrorCode::InvalidArgument, "a video without frames cannot be shown to the model"};
    }
    const double seconds = static_cast<double>(frames.size()) / fps;
    const FrameChoice choice = TRY(choose_frames(static_cast<int>(frames.size()), fps, seconds, config));
    std::vector<Image> chosen;
    for (const int index : choice.indices) {
        const Image& frame = frames[static_cast<std::size_t>(index)];
        if (frame.is_empty() || frame.size() != frames[0].size()) {
            return Error{ErrorCode::InvalidArgument,
                         fmt::format("frame {} of the video is {}x{}, the first one {}x{}", index,
                                     frame.size().width_px, frame.size().height_px, frames[0].size().width_px,
                                     frames[0].size().height_px)};
        }
        chosen.push_back(frame);
    }
    Patches patches = TRY(patches_of(chosen, config));
    patches.timestamps_s = choice.timestamps_s;
    return patches;
}

} // namespace handeye
