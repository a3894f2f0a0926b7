// SPDX-License-Identifier: Apache-2.0
#include "engine/device/device_picture.h"

#include <algorithm>
#include <utility>

namespace handeye::device {
namespace {

void resize(Device& device, const ResizePass& pass, Pixels from, Pixels to, bool is_down, std::int32_t* first, std::int16_t* weights) {
    device.upload(first, pass.first.data(), pass.first.size() * sizeof(std::int32_t));
    device.upload(weights, pass.weights.data(), pass.weights.size() * sizeof(std::int16_t));
    device.run(ResizePixels{.from = from, .to = to, .is_down = is_down, .first = first, .weights = weights, .taps = pass.taps, .precision = pass.precision});
}

} // namespace

PictureCut::PictureCut(Image rgb, PatchPlan plan, const PreprocessConfig& config) : rgb_(std::move(rgb)), plan_(plan), config_(config) {
    const Size from = rgb_.size(), to = plan_.resized;
    if (from.width_px != to.width_px) {
        across_ = make_resize_pass(from.width_px, to.width_px);
    }
    if (from.height_px != to.height_px) {
        down_ = make_resize_pass(from.height_px, to.height_px);
    }
}

Result<PictureCut> PictureCut::plan(const Image& image, const PreprocessConfig& config) {
    if (image.is_empty()) {
        return Error{ErrorCode::InvalidArgument, "an empty picture cannot be shown to the model"};
    }
    return PictureCut(image.to_rgb(), TRY(plan_patches(1, image.size(), config)), config);
}

PictureCut::Space PictureCut::carve(Carver& carver) const {
    const auto pixels = [&](int width, int height) { return Pixels{carver.take<std::uint8_t>(std::int64_t{3} * width * height), width, height}; };
    const auto taps = [&](const std::optional<ResizePass>& pass, std::size_t at, Space& space) {
        if (pass) {
            space.first[at] = carver.take<std::int32_t>(static_cast<std::int64_t>(pass->first.size()));
            space.weights[at] = carver.take<std::int16_t>(static_cast<std::int64_t>(pass->weights.size()));
        }
    };
    Space space;
    space.source = pixels(rgb_.size().width_px, rgb_.size().height_px);
    space.across = across_ ? pixels(plan_.resized.width_px, rgb_.size().height_px) : space.source;
    space.resized = down_ ? pixels(plan_.resized.width_px, plan_.resized.height_px) : space.across;
    taps(across_, 0, space);
    taps(down_, 1, space);
    return space;
}

std::size_t PictureCut::space_bytes() const {
    Carver counting;
    carve(counting);
    return counting.used();
}

void PictureCut::cut(Device& device, std::byte* space, Rows patches) const {
    Carver carver(space);
    const Space at = carve(carver);
    device.upload(at.source.data, rgb_.bytes().data(), rgb_.bytes().size());
    if (across_) {
        resize(device, *across_, at.source, at.across, false, at.first[0], at.weights[0]);
    }
    if (down_) {
        resize(device, *down_, at.across, at.resized, true, at.first[1], at.weights[1]);
    }
    CutPatches op{.from = at.resized, .patch = config_.patch_size, .temporal = config_.temporal_patch_size, .merge = config_.merge_size, .to = patches};
    std::ranges::copy(plan_.scale.mean, op.mean);
    std::ranges::copy(plan_.scale.deviation, op.deviation);
    device.run(op);
}

} // namespace handeye::device
