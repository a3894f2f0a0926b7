// SPDX-License-Identifier: Apache-2.0
// Covers the whole screen and writes every pointer and key event it receives to a file (argv[1]), one line each:
// "motion X Y BUTTONS", "press N X Y", "release N X Y", "keydown SYM STATE", "keyup SYM STATE". The line "ready" comes first.
#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include <cstdio>

namespace {

constexpr unsigned kButtons = Button1Mask | Button2Mask | Button3Mask;

void log_key(std::FILE* out, const char* what, XKeyEvent& event) {
    char text[64] = {};
    KeySym keysym = 0;
    XLookupString(&event, text, sizeof text - 1, &keysym, nullptr);
    const char* name = XKeysymToString(keysym);
    std::fprintf(out, "%s %s %u\n", what, name == nullptr ? "?" : name, event.state);
}

void log_event(std::FILE* out, XEvent& event) {
    switch (event.type) {
    case MotionNotify:
        std::fprintf(out, "motion %d %d %u\n", event.xmotion.x_root, event.xmotion.y_root, event.xmotion.state & kButtons);
        break;
    case ButtonPress:
        std::fprintf(out, "press %u %d %d\n", event.xbutton.button, event.xbutton.x_root, event.xbutton.y_root);
        break;
    case ButtonRelease:
        std::fprintf(out, "release %u %d %d\n", event.xbutton.button, event.xbutton.x_root, event.xbutton.y_root);
        break;
    case KeyPress: log_key(out, "keydown", event.xkey); break;
    case KeyRelease: log_key(out, "keyup", event.xkey); break;
    case MappingNotify: XRefreshKeyboardMapping(&event.xmapping); break;
    default: break;
    }
}

} // namespace

int main(int argc, char** argv) {
    Display* display = XOpenDisplay(nullptr);
    std::FILE* out = argc == 2 ? std::fopen(argv[1], "w") : nullptr;
    if (display == nullptr || out == nullptr) {
        return 2;
    }
    const int screen = XDefaultScreen(display);
    XSetWindowAttributes attributes{};
    attributes.override_redirect = 1;
    attributes.event_mask = PointerMotionMask | ButtonPressMask | ButtonReleaseMask | KeyPressMask | KeyReleaseMask | ExposureMask;
    const Window window = XCreateWindow(display, XDefaultRootWindow(display), 0, 0,
                                        static_cast<unsigned>(XDisplayWidth(display, screen)),
                                        static_cast<unsigned>(XDisplayHeight(display, screen)), 0, CopyFromParent, InputOutput,
                                        nullptr, CWOverrideRedirect | CWEventMask, &attributes);
    XStoreName(display, window, "handeye event log");
    XMapRaised(display, window);
    XEvent event;
    do {
        XNextEvent(display, &event);
    } while (event.type != Expose);
    XSetInputFocus(display, window, RevertToPointerRoot, CurrentTime);
    XSync(display, 0);
    std::fprintf(out, "ready\n");
    std::fflush(out);
    while (true) {
        XNextEvent(display, &event);
        log_event(out, event);
        if (XPending(display) == 0) {
            std::fflush(out);
        }
    }
}
