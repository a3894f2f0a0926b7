// SPDX-License-Identifier: Apache-2.0
// A line of text as a picture, in any script. Inside this folder only.
#pragma once

#include "base/image.h"
#include "base/result.h"

#include <string>

namespace handeye {

struct Caption {
    std::string text_utf8; ///< what does not fit is cut with an ellipsis; control characters are shown
    std::string mark_utf8; ///< at the right end
    Size size;
};
/// White on black, RGB.
Result<Image> draw_caption(const Caption& caption);

} // namespace handeye
