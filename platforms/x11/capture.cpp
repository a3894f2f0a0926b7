// SPDX-License-Identifier: Apache-2.0
// XShmGetImage into one segment that is kept for the life of the reader; XGetImage where the server shares no memory with us.
#include "platforms/x11/capture.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

struct XImageDeleter {
    void operator()(XImage* image) const { XDestroyImage(image); }
};
using XImagePtr = std::unique_ptr<XImage, XImageDeleter>;

PixelLayout layout_of(const XImage& image) {
    return {image.bits_per_pixel, image.byte_order == LSBFirst,
            static_cast<std::uint32_t>(image.red_mask), static_cast<std::uint32_t>(image.green_mask),
            static_cast<std::uint32_t>(image.blue_mask)};
}

Result<Image> convert(const XImage& image, Size size) {
    const auto stride = static_cast<std::size_t>(image.bytes_per_line);
    const auto* data = reinterpret_cast<const std::uint8_t*>(image.data);
    return image_from_server({data, stride * static_cast<std::size_t>(image.height)}, stride, size,
                             layout_of(image));
}

} // namespace

Result<std::unique_ptr<ScreenReader>> ScreenReader::open(Connection& connection,
                                                         CaptureRoute wanted) {
    std::unique_ptr<ScreenReader> reader(new ScreenReader(connection));
    if (wanted == CaptureRoute::SharedMemory && XShmQueryExtension(connection.get()) != 0) {
        const int screen = XDefaultScreen(connection.get());
        const auto bytes = static_cast<std::size_t>(XDisplayWidth(connection.get(), screen)) *
                           static_cast<std::size_t>(XDisplayHeight(connection.get(), screen)) * 4;
        if (reader->attach_segment(bytes)) {
            reader->route_ = CaptureRoute::SharedMemory;
        }
    }
    TRY(connection.check("opening the screen reader"));
    return reader;
}

ScreenReader::~ScreenReader() { detach_segment(); }

bool ScreenReader::attach_segment(std::size_t bytes) {
    detach_segment();
    segment_.shmid = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    if (segment_.shmid < 0) {
        return false;
    }
    void* address = shmat(segment_.shmid, nullptr, 0);
    const bool is_mapped = address != reinterpret_cast<void*>(-1);
    bool is_attached = false;
    if (is_mapped) {
        segment_.shmaddr = static_cast<char*>(address);
        segment_.readOnly = 0;
        is_attached = XShmAttach(connection_.get(), &segment_) != 0 &&
                      connection_.sync("attaching shared memory").has_value();
    }
    shmctl(segment_.shmid, IPC_RMID, nullptr); // lives on while attached; gone when both sides are
    if (is_mapped && !is_attached) {
        shmdt(address);
    }
    segment_bytes_ = is_attached ? bytes : 0;
    return is_attached;
}

void ScreenReader::detach_segment() {
    if (segment_bytes_ == 0) {
        return;
    }
    if (!connection_.is_lost()) {
        XShmDetach(connection_.get(), &segment_);
        XSync(connection_.get(), 0);
    }
    shmdt(segment_.shmaddr);
    segment_bytes_ = 0;
}

Result<Image> ScreenReader::read(Rect area) {
    TRY(connection_.check("capture"));
    return route_ == CaptureRoute::SharedMemory ? read_shared(area) : read_plain(area);
}

Result<Image> ScreenReader::read_shared(Rect area) {
    const int screen = XDefaultScreen(connection_.get());
    ::Display* display = connection_.get();
    XImagePtr image(XShmCreateImage(display, XDefaultVisual(display, screen),
                                    static_cast<unsigned>(XDefaultDepth(display, screen)), ZPixmap,
                                    segment_.shmaddr, &segment_,
                                    static_cast<unsigned>(area.width_px),
                                    static_cast<unsigned>(area.height_px)));
    if (!image) {
        return Error{ErrorCode::OutOfMemory, "no memory for an X image header"};
    }
    const auto needed = static_cast<std::size_t>(image->bytes_per_line) *
                        static_cast<std::size_t>(image->height);
    if (needed > segment_bytes_ && !attach_segment(needed)) { // the screen has grown
        route_ = CaptureRoute::Plain;
        return read_plain(area);
    }
    image->data = segment_.shmaddr;
    const auto is_read = XShmGetImage(display, connection_.root(), image.get(), area.x, area.y,
                                      AllPlanes) != 0;
    TRY(connection_.check("capture"));
    if (!is_read) {
        return Error{ErrorCode::Unavailable, "capture: the X server returned no pixels"};
    }
    Result<Image> result = convert(*image, area.size());
    image->data = nullptr; // the segment's, not XDestroyImage's to free
    return result;
}

Result<Image> ScreenReader::read_plain(Rect area) {
    const XImagePtr image(XGetImage(connection_.get(), connection_.root(), area.x, area.y,
                                    static_cast<unsigned>(area.width_px),
                                    static_cast<unsigned>(area.height_px), AllPlanes, ZPixmap));
    TRY(connection_.check("capture"));
    if (!image) {
        return Error{ErrorCode::Unavailable, "capture: the X server returned no pixels"};
    }
    return convert(*image, area.size());
}

} // namespace handeye::x11
