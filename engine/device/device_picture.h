// SPDX-License-Identifier: Apache-2.0
// A picture's patches made on a device, from the picture's bytes: the counterpart of preprocess_image(), the same floats.
#pragma once

#include "base/image.h"
#include "engine/device/device.h"
#include "engine/vision/preprocess.h"
#include "engine/vision/resize.h"

#include <cstddef>
#include <optional>

namespace handeye::device {

class PictureCut {
public:
    /// Errors: preprocess_image()'s.
    static Result<PictureCut> plan(const Image& image, const PreprocessConfig& config);

    [[nodiscard]] GridThw grid() const { return plan_.grid; }
    [[nodiscard]] int patch_floats() const { return 3 * config_.temporal_patch_size * config_.patch_size * config_.patch_size; }
    /// Bytes of a device that it needs besides the patches.
    [[nodiscard]] std::size_t space_bytes() const;
    /// Uploads the picture into `space` and runs what makes `patches` (grid().patches(), patch_floats()) of it. The space is free for what is given to
    /// the device after that.
    void cut(Device& device, std::byte* space, Rows patches) const;

private:
    struct Space {
        Pixels source, across, resized; ///< a pass that is left out has the pixels of the one before
        std::int32_t* first[2] = {};    ///< of across_ and down_
        std::int16_t* weights[2] = {};
    };
    PictureCut(Image rgb, PatchPlan plan, const PreprocessConfig& config);
    Space carve(Carver& carver) const;

    Image rgb_;
    PatchPlan plan_;
    PreprocessConfig config_;
    std::optional<ResizePass> across_, down_; ///< unset where the length stays
};

} // namespace handeye::device
