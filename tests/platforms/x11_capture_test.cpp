// SPDX-License-Identifier: Apache-2.0
// Captured pixels are the pixels on the screen: whole, by window, by region, by both routes.
#include "platforms/x11/capture.h"
#include "tests/platforms/x11_fixture.h"

#include <algorithm>

namespace handeye::x11 {
namespace {

constexpr Rect kPaint{100, 60, 300, 200};

struct Colour {
    int red, green, blue;
    bool operator==(const Colour&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Colour& c) {
    return out << "(" << c.red << ", " << c.green << ", " << c.blue << ")";
}

Colour at(const Image& image, int x, int y) {
    const auto row = image.row(y);
    const auto i = static_cast<std::size_t>(x) * 3;
    return {row[i], row[i + 1], row[i + 2]};
}

/// What paint_app draws at a point of its window.
Colour painted(int x, int y) { return {x & 255, y & 255, 77}; }

class X11Capture : public X11Test {
protected:
    void start_paint(const std::string& mode = "still") {
        start_app("paint_app", {mode, std::to_string(kPaint.x), std::to_string(kPaint.y), std::to_string(kPaint.width_px),
                                std::to_string(kPaint.height_px)});
    }
    /// Captures until the pixel at (x, y) is what it should be: the application paints when it gets round to it.
    Image capture_when(Platform& platform, int x, int y, Colour want) {
        Image image;
        EXPECT_TRUE(wait_for([&] {
            const auto shot = platform.capture();
            image = shot ? shot->image.to_rgb() : Image();
            return image.size().width_px > x && image.size().height_px > y && at(image, x, y) == want;
        })) << "the pixel never came";
        return image;
    }
};

TEST_F(X11Capture, WholeDisplayShowsTheWindowAtItsPlace) {
    start_display(false);
    start_paint();
    const auto platform = open();
    const Image image = capture_when(*platform, 399, 259, painted(299, 199));
    ASSERT_EQ(image.size(), (Size{1024, 768}));
    for (int y = 0; y < kPaint.height_px; ++y) {
        for (int x = 0; x < kPaint.width_px; ++x) {
            ASSERT_EQ(at(image, kPaint.x + x, kPaint.y + y), painted(x, y)) << x << ", " << y;
        }
    }
    EXPECT_EQ(at(image, 99, 60), (Colour{0, 0, 0}));
    EXPECT_EQ(at(image, 400, 60), (Colour{0, 0, 0}));
}

TEST_F(X11Capture, WindowScopeHasTheWindowsOwnFrame) {
    start_display(true);
    start_paint();
    const auto whole = open();
    const WindowInfo window = wait_for_window(*whole, "handeye paint Ünïcode");
    PlatformOptions options;
    options.window_title = "HANDEYE Paint"; // a part of the title, letter case ignored
    const auto platform = open(options);
    const auto info = platform->display();
    ASSERT_TRUE(info);
    EXPECT_EQ(info->size, (Size{300, 200}));
    EXPECT_EQ(info->origin, (Point{window.area.x, window.area.y}));
    const Image image = capture_when(*platform, 299, 199, painted(299, 199));
    EXPECT_EQ(at(image, 0, 0), painted(0, 0));
    EXPECT_EQ(at(image, 299, 0), painted(299, 0));
    EXPECT_EQ(at(image, 0, 199), painted(0, 199));
    ASSERT_TRUE(platform->inject(PointerMove{{299, 199}}));
    EXPECT_EQ(whole->pointer().value(), (Point{window.area.x + 299, window.area.y + 199}));
    EXPECT_EQ(platform->pointer().value(), (Point{299, 199}));
    const auto outside = platform->inject(PointerMove{{300, 0}});
    ASSERT_FALSE(outside);
    EXPECT_EQ(outside.error().code, ErrorCode::OutOfBounds);
}

TEST_F(X11Capture, RegionsAtTheCornersAreExact) {
    start_display(false);
    start_paint();
    const auto whole = open();
    capture_when(*whole, 399, 259, painted(299, 199));
    for (const Rect region : {Rect{0, 0, 1, 1}, Rect{1023, 767, 1, 1}, Rect{1000, 0, 24, 10}, Rect{0, 760, 10, 8},
                              Rect{99, 59, 3, 3}, Rect{0, 0, 1024, 768}}) {
        PlatformOptions options;
        options.region = region;
        const auto platform = open(options);
        const auto shot = platform->capture();
        ASSERT_TRUE(shot);
        const auto expected = whole->capture();
        ASSERT_TRUE(expected);
        EXPECT_EQ(shot->image.to_rgb().content_hash(), expected->image.cropped(region).to_rgb().content_hash());
    }
}

TEST_F(X11Capture, RegionOutsideTheDisplayIsRefused) {
    start_display(false);
    PlatformOptions options;
    options.region = Rect{1024, 0, 10, 10};
    const auto platform = open_platform(options, clock_);
    ASSERT_FALSE(platform);
    EXPECT_EQ(platform.error().code, ErrorCode::OutOfBounds);
}

TEST_F(X11Capture, PlainRequestsReadTheSamePixels) {
    start_display(false);
    start_paint();
    const auto platform = open();
    capture_when(*platform, 399, 259, painted(299, 199));
    auto connection = Connection::open({});
    ASSERT_TRUE(connection);
    const auto shared = ScreenReader::open(**connection, CaptureRoute::SharedMemory);
    const auto plain = ScreenReader::open(**connection, CaptureRoute::Plain);
    ASSERT_TRUE(shared && plain);
    EXPECT_EQ((*shared)->route(), CaptureRoute::SharedMemory);
    EXPECT_EQ((*plain)->route(), CaptureRoute::Plain);
    const Rect area{90, 50, 333, 222};
    EXPECT_EQ((*shared)->read(area)->to_rgb().content_hash(), (*plain)->read(area)->to_rgb().content_hash());
}

TEST_F(X11Capture, ReportsTheMonitorsOfTheRoot) {
    start_display(false);
    const auto platform = open();
    const auto info = platform->display();
    ASSERT_TRUE(info);
    EXPECT_EQ(info->platform, "x11");
    EXPECT_EQ(info->backend, "xshm");
    ASSERT_FALSE(info->monitors.empty());
    EXPECT_EQ(info->monitors[0].area, (Rect{0, 0, 1024, 768}));
}

TEST_F(X11Capture, TwoMonitorsShareOneFrame) {
    start_display(false);
    const auto connection = Connection::open({});
    ASSERT_TRUE(connection);
    ::Display* display = (*connection)->get();
    XRRMonitorInfo* left = XRRAllocateMonitor(display, 0);
    left->name = (*connection)->atom("LEFT");
    left->primary = 1;
    left->x = 0, left->y = 0, left->width = 512, left->height = 768, left->mwidth = 100, left->mheight = 100;
    XRRSetMonitor(display, (*connection)->root(), left);
    left->name = (*connection)->atom("RIGHT");
    left->primary = 0;
    left->x = 512;
    XRRSetMonitor(display, (*connection)->root(), left);
    XRRFreeMonitors(left);
    if (!(*connection)->sync("monitors")) {
        GTEST_SKIP() << "SKIPPED: this server makes no monitors";
    }
    const auto platform = open();
    const auto info = platform->display();
    ASSERT_TRUE(info);
    const auto right = std::find_if(info->monitors.begin(), info->monitors.end(), [](const Monitor& m) { return m.name == "RIGHT"; });
    ASSERT_NE(right, info->monitors.end());
    EXPECT_EQ(right->area, (Rect{512, 0, 512, 768}));
    EXPECT_FALSE(right->is_primary);
    ASSERT_TRUE(platform->inject(PointerMove{{1023, 767}})); // input needs no offset: the root is the frame
    EXPECT_EQ(platform->pointer().value(), (Point{1023, 767}));
}

} // namespace
} // namespace handeye::x11
