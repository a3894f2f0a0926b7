// SPDX-License-Identifier: Apache-2.0
// A window with nothing in it: TITLE CLASS COLOUR X Y WIDTH HEIGHT [menu]. As a menu no window manager takes care of it. It becomes
// ready by its title; it ignores what it is sent. COLOUR is hexadecimal.
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include <cstdlib>

int main(int argc, char** argv) {
    Display* display = XOpenDisplay(nullptr);
    if (display == nullptr || (argc != 8 && argc != 9)) {
        return 2;
    }
    const int x = std::atoi(argv[4]), y = std::atoi(argv[5]);
    const auto width = static_cast<unsigned>(std::atoi(argv[6])), height = static_cast<unsigned>(std::atoi(argv[7]));
    XSetWindowAttributes attributes{};
    attributes.override_redirect = argc == 9 ? 1 : 0;
    attributes.background_pixel = std::strtoul(argv[3], nullptr, 16);
    attributes.event_mask = ButtonPressMask | ButtonReleaseMask | KeyPressMask | KeyReleaseMask | PointerMotionMask;
    const Window window = XCreateWindow(display, XDefaultRootWindow(display), x, y, width, height, 0, CopyFromParent, InputOutput, nullptr,
                                        CWOverrideRedirect | CWBackPixel | CWEventMask, &attributes);
    XStoreName(display, window, argv[1]);
    XClassHint hint{argv[2], argv[2]};
    XSetClassHint(display, window, &hint);
    XSizeHints size{};
    size.flags = USPosition | USSize;
    XSetWMNormalHints(display, window, &size);
    XMapRaised(display, window);
    for (XEvent event;;) {
        XNextEvent(display, &event);
    }
}
