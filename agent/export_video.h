// SPDX-License-Identifier: Apache-2.0
// A recording as a film: each step's screen with the place where it acted, then what came of it, under a line of what was done.
// A library of its own, because those that write films are large.
#pragma once

#include "agent/recorder.h"
#include "base/geometry.h"
#include "base/result.h"

#include <filesystem>

namespace handeye {

struct VideoOptions {
    double step_seconds_max = 2; ///< a step that took longer is shown for this long
    int width_px_max = 1920;     ///< of the film; a larger screen is made smaller
};
struct VideoExport {
    Size size; ///< the caption below the screen included
    int frames = 0;
    double frames_per_second = 0;
    int steps = 0;
};
/// H.264 in MP4, into `file`, which is replaced and whose name must end in ".mp4". Every frame has the size of the first screen; others
/// are fitted into it. What was painted over or withheld stays so. InvalidArgument: the recording holds no step. IoFailed: it could not
/// be written, or no encoder is there.
Result<VideoExport> export_video(const Recording& recording, const std::filesystem::path& file, const VideoOptions& options = {});

} // namespace handeye
