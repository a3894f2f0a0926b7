// SPDX-License-Identifier: Apache-2.0
// A window with known pixels. argv: MODE X Y W H [MS]. The pixel at (x, y) of the window is red = x, green = y, blue = 77 (mod 256).
// MODE still: nothing more; spinner: a small square changes every 20 ms; late: a click is handled for MS to MS + 160 milliseconds,
// then the window turns white, or back. It answers _NET_WM_PING. The title is "handeye paint Ünïcode".
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct App {
    Display* display;
    Window window;
    GC gc;
    int width, height;
    bool is_white = false;
    unsigned long tick = 0;
};

void paint(App& app) {
    const auto count = static_cast<std::size_t>(app.width) * static_cast<std::size_t>(app.height);
    std::vector<std::uint32_t> pixels(count, 0xffffff);
    for (int y = 0; y < app.height && !app.is_white; ++y) {
        for (int x = 0; x < app.width; ++x) {
            const auto red = static_cast<std::uint32_t>(x & 255) << 16U;
            const auto green = static_cast<std::uint32_t>(y & 255) << 8U;
            pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(app.width) + static_cast<std::size_t>(x)] = red | green | 77U;
        }
    }
    const int screen = XDefaultScreen(app.display);
    XImage* image = XCreateImage(app.display, XDefaultVisual(app.display, screen), 24, ZPixmap, 0,
                                 reinterpret_cast<char*>(pixels.data()), static_cast<unsigned>(app.width),
                                 static_cast<unsigned>(app.height), 32, 0);
    XPutImage(app.display, app.window, app.gc, image, 0, 0, 0, 0, static_cast<unsigned>(app.width),
              static_cast<unsigned>(app.height));
    image->data = nullptr; // the vector's
    XDestroyImage(image);
    XFlush(app.display);
}

void spin(App& app) {
    XSetForeground(app.display, app.gc, (++app.tick % 2 == 0) ? 0xff0000 : 0x00ff00);
    XFillRectangle(app.display, app.window, app.gc, 10, 10, 8, 8);
    XFlush(app.display);
}

void answer_ping(App& app, XEvent event) {
    const Atom ping = XInternAtom(app.display, "_NET_WM_PING", 0);
    if (event.type == ClientMessage && static_cast<Atom>(event.xclient.data.l[0]) == ping) {
        event.xclient.window = XDefaultRootWindow(app.display);
        XSendEvent(app.display, event.xclient.window, 0, SubstructureNotifyMask | SubstructureRedirectMask, &event);
        XFlush(app.display);
    }
}

Window make_window(Display* display, int x, int y, int width, int height) {
    const Window window = XCreateSimpleWindow(display, XDefaultRootWindow(display), x, y, static_cast<unsigned>(width),
                                              static_cast<unsigned>(height), 0, 0, 0);
    const std::string title = "handeye paint Ünïcode";
    XChangeProperty(display, window, XInternAtom(display, "_NET_WM_NAME", 0), XInternAtom(display, "UTF8_STRING", 0), 8,
                    PropModeReplace, reinterpret_cast<const unsigned char*>(title.data()), static_cast<int>(title.size()));
    const long pid = getpid();
    XChangeProperty(display, window, XInternAtom(display, "_NET_WM_PID", 0), XA_CARDINAL, 32, PropModeReplace,
                    reinterpret_cast<const unsigned char*>(&pid), 1);
    std::string name = "paint_app", klass = "HandeyePaint";
    XClassHint hint{name.data(), klass.data()};
    XSetClassHint(display, window, &hint);
    XSizeHints size{};
    size.flags = USPosition | USSize;
    size.x = x;
    size.y = y;
    XSetWMNormalHints(display, window, &size);
    Atom protocols[] = {XInternAtom(display, "_NET_WM_PING", 0)};
    XSetWMProtocols(display, window, protocols, 1);
    XSelectInput(display, window, ExposureMask | ButtonPressMask | KeyPressMask);
    return window;
}

} // namespace

int main(int argc, char** argv) {
    Display* display = XOpenDisplay(nullptr);
    if (display == nullptr || argc < 6) {
        return 2;
    }
    const std::string mode = argv[1];
    const int busy_ms = argc > 6 ? std::atoi(argv[6]) : 0;
    App app{display, 0, nullptr, std::atoi(argv[4]), std::atoi(argv[5])};
    app.window = make_window(display, std::atoi(argv[2]), std::atoi(argv[3]), app.width, app.height);
    app.gc = XCreateGC(display, app.window, 0, nullptr);
    XMapWindow(display, app.window);
    XFlush(display);
    while (true) {
        if (XPending(display) == 0) {
            pollfd ready{XConnectionNumber(display), POLLIN, 0};
            const int timeout = mode == "spinner" ? 20 : -1;
            if (poll(&ready, 1, timeout) == 0) {
                spin(app);
                continue;
            }
        }
        XEvent event;
        XNextEvent(display, &event);
        if (event.type == Expose) {
            paint(app);
        } else if (event.type == ButtonPress && mode == "late") {
            poll(nullptr, 0, busy_ms + static_cast<int>(app.tick++ % 5) * 40); // a handler that works: no event is read meanwhile
            app.is_white = !app.is_white;
            paint(app);
        }
        answer_ping(app, event);
    }
}
