// SPDX-License-Identifier: Apache-2.0
// Set of marks: numbers drawn on a screenshot, beside the elements that carry them. Pure. Inside this folder only.
#pragma once

#include "base/image.h"
#include "platforms/platform.h"

#include <span>

namespace handeye {

/// A copy with a dashed red box around each element that has a number, and the number in white on red at the box's top left corner,
/// as the models were shown them. Boxes are in the picture's frame; what lies outside of it is left out.
Image with_marks(const Image& screenshot, std::span<const Element> elements);

} // namespace handeye
