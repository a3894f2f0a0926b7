// SPDX-License-Identifier: Apache-2.0
// What a model looks at of a film, for whoever decodes one: so that no other frame is kept, and none larger than it will be seen.
#pragma once

#include "base/image.h"
#include "base/result.h"

#include <vector>

namespace handeye {

struct FilmPlan {
    std::vector<int> indices; ///< of the frames, ascending, each once; 600 at most
    Size size;                ///< that the frames are handed on in: the film's own, or what the model would shrink them to anyway
    double fps = 2.0;         ///< VideoPart::fps of these frames
    int stamps_off = 0;       ///< seconds told to the model that differ from the reference's by one: none up to 300 s
};

/// By the published rules: 2 frames a second, 600 frames spread over what is longer than 300 s, 47,040,000 pixels in all. The engine
/// takes all of these frames again, with the same seconds. `frames` from 1 on, `fps` as the container says; InvalidArgument for what
/// makes no film.
Result<FilmPlan> plan_film(int frames, double fps, Size size);

/// As the model's own preprocessing would shrink it. RGB in, RGB out.
Result<Image> shrink_frame(const Image& rgb, Size size);

} // namespace handeye
