// SPDX-License-Identifier: Apache-2.0
// What `screencap` writes without -p: a header of width, height, pixel format and, since Android 9, colour space, then the rows.
#pragma once

#include "base/image.h"
#include "base/result.h"

#include <cstdint>
#include <span>

namespace handeye::android {

inline constexpr int kScreenSideMaxPx = 16384;

/// As RGB; alpha is nothing on a screen and is dropped. ParseFailed for a header that contradicts the length, Unsupported for a
/// pixel format that is not RGBA, RGBX, RGB, BGRA, RGB_565 or RGBA_1010102.
Result<Image> decode_framebuffer(std::span<const std::uint8_t> bytes);

/// Whether every pixel is black, or so dark that nobody sees it: what a phone shows of a secure window and of a screen that is off.
bool is_black(const Image& image);

} // namespace handeye::android
