// SPDX-License-Identifier: Apache-2.0
// A closer look at a place: a part of the picture, enlarged, and the way back of what is pointed at there. Pure.
#pragma once

#include "actions/action.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"

namespace handeye {

/// How much of the picture a closer look shows, in each direction: measured with the bundled model, which reads letters of one size
/// (tests/e2e/click_eval). At half it gets lost, at nine tenths it sees nothing new.
inline constexpr double kZoomShare = 0.85;

/// That part of a picture around a place in thousandths, whole pixels within the picture.
Rect zoom_area(Size picture, const Spot& place);
/// The same action with its places, which are thousandths of `area`, in thousandths of the picture.
Action seen_from_afar(Action action, const Rect& area, Size picture);
/// What the model is shown of `area`: it alone, in the size of the whole picture.
Result<Image> zoomed(const Image& picture, const Rect& area);

} // namespace handeye
