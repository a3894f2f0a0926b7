// SPDX-License-Identifier: Apache-2.0
// Set of marks: numbers drawn on a screenshot, beside the elements that carry them. Pure. Inside this folder only.
#pragma once

#include "base/image.h"
#include "platforms/platform.h"
#include "prompts/render.h"

#include <span>

namespace handeye {

/// As prompts list it: a role of AT-SPI ("push button") by the tag that pages have for it, of what is typed into its text and its label.
MarkedElement marked(const Element& element);

/// A copy with a dashed red box around each element that has a number, and the number in white on red at the box's top left corner,
/// as the models were shown them. Boxes are in the picture's frame; what lies outside of it is left out.
Image with_marks(const Image& screenshot, std::span<const Element> elements);

} // namespace handeye
