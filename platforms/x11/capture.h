// SPDX-License-Identifier: Apache-2.0
// Pixels of a part of the root window. The root, and not a window's own pixmap, is read on purpose: a menu, a tooltip or a
// drop-down list that belongs to the window is a window of its own, and must be in the picture.
#pragma once

#include "platforms/x11/connection.h"
#include "platforms/x11/pixels.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#include <memory>

namespace handeye::x11 {

enum class CaptureRoute { SharedMemory, Plain };

class ScreenReader {
public:
    /// Tries shared memory when asked for it and falls back to plain requests (a remote display). `connection` outlives the reader.
    static Result<std::unique_ptr<ScreenReader>> open(Connection& connection, CaptureRoute wanted);
    ~ScreenReader();
    ScreenReader(const ScreenReader&) = delete;
    ScreenReader& operator=(const ScreenReader&) = delete;

    [[nodiscard]] CaptureRoute route() const { return route_; }
    /// `area` in root pixels, wholly inside the root.
    Result<Image> read(Rect area);

private:
    explicit ScreenReader(Connection& connection) : connection_(connection) {}
    bool attach_segment(std::size_t bytes);
    void detach_segment();
    Result<Image> read_shared(Rect area);
    Result<Image> read_plain(Rect area);

    Connection& connection_;
    CaptureRoute route_ = CaptureRoute::Plain;
    XShmSegmentInfo segment_{};
    std::size_t segment_bytes_ = 0;
};

} // namespace handeye::x11
