// SPDX-License-Identifier: Apache-2.0
// Screens to PNG fast enough for every step: a frame is deflated in bands, and bands that did not change since the frame
// before are taken over as they are. The result is an ordinary lossless PNG. Inside this folder only.
#pragma once

#include "agent/step_sink.h"
#include "base/image.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace handeye {

struct EncodedFrame {
    Blob blob;
    bool is_new = true;  ///< false: the same pixels as the frame before; the blob was handed out already
    Size size;
    int bands_encoded = 0;
};

class FrameEncoder {
public:
    FrameEncoder();
    ~FrameEncoder();
    FrameEncoder(const FrameEncoder&) = delete;
    FrameEncoder& operator=(const FrameEncoder&) = delete;

    /// Keeps a reference to `frame` until the next call. InvalidArgument for an empty frame.
    Result<EncodedFrame> encode(const Image& frame);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The frame with every box painted over in one colour: what it hid is in no pixel of the result. O(1) without boxes.
Image masked(const Image& frame, std::span<const Rect> boxes);

/// The smallest rectangle that holds every pixel in which the two differ; empty when they are equal, all of `after` when
/// their sizes or formats differ.
Rect changed_area(const Image& before, const Image& after);
/// True for nothing, and for what a blinking text cursor changes: no proof that something happened.
bool is_no_more_than_caret(Size changed);

} // namespace handeye
