// SPDX-License-Identifier: Apache-2.0
// A program that lies to whoever asks it what it shows. hostile_accessible MODE:
//   many      100,000 children          deep     a chain without end       cycle   everything is in everything
//   huge      names of 10 MiB           controls names of control bytes    secret  a password field larger than any screen
//   silent    never answers             paths    children at ever longer paths
// It has a window "handeye hostile" of 300x200 pixels, and claims nothing within a second of it is missing.
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::string mode;
std::string own_name;
constexpr const char* kRoot = "/org/a11y/atspi/accessible/root";
constexpr int kWidth = 300;
constexpr int kHeight = 200;

std::string name_of(const std::string& path) {
    if (path == "/frame") {
        return "handeye hostile";
    }
    if (mode == "huge") {
        return std::string(10U << 20U, 'x');
    }
    return mode == "controls" ? "\x1b[31m\x01\x7f\xE2\x80\xAE evil" : "liar";
}

int append_child(sd_bus_message* reply, const std::string& path) { return sd_bus_message_append(reply, "(so)", own_name.c_str(), path.c_str()); }

void append_children(sd_bus_message* reply, const std::string& path) {
    sd_bus_message_open_container(reply, 'a', "(so)");
    if (path == kRoot) {
        append_child(reply, "/frame");
    } else if (mode == "many" && path == "/frame") {
        for (int i = 0; i < 100'000; ++i) {
            append_child(reply, "/c/n" + std::to_string(i));
        }
    } else if (mode == "deep") {
        append_child(reply, "/d/n" + std::to_string(path == "/frame" ? 0 : std::atoi(path.c_str() + 4) + 1));
    } else if (mode == "cycle") {
        for (const char* one : {"/frame", "/a", "/b", "/c"}) {
            append_child(reply, one);
        }
    } else if (mode == "paths") {
        append_child(reply, path + path);
    } else if (path == "/frame") {
        append_child(reply, "/only");
    }
    sd_bus_message_close_container(reply);
}

std::uint32_t role_of(const std::string& path) {
    const bool is_frame = path == "/frame";
    return path == kRoot ? 75 : is_frame ? 23 : mode == "secret" ? 40 : mode == "many" || mode == "huge" || mode == "controls" ? 43 : 31;
}

int answer(sd_bus_message* call, const std::string& path, const std::string& member) {
    sd_bus_message* reply = nullptr;
    if (sd_bus_message_new_method_return(call, &reply) < 0) {
        return 0;
    }
    if (member == "GetChildren") {
        append_children(reply, path);
    } else if (member == "GetRole") {
        sd_bus_message_append(reply, "u", role_of(path));
    } else if (member == "GetState") {
        sd_bus_message_append(reply, "au", 2, 1U << 8U | 1U << 24U | 1U << 25U | 1U << 30U, 0U);
    } else if (member == "GetExtents") {
        const bool is_vast = mode == "secret" && path != "/frame";
        sd_bus_message_append(reply, "(iiii)", is_vast ? -2'000'000'000 : 0, is_vast ? -2'000'000'000 : 0, is_vast ? 2'147'483'647 : kWidth,
                              is_vast ? 2'147'483'647 : kHeight);
    } else if (member == "Get") {
        const char* interface = "";
        const char* property = "";
        sd_bus_message_read(call, "ss", &interface, &property);
        const std::string asked = property;
        if (asked == "ToolkitName") {
            sd_bus_message_append(reply, "v", "s", "liar");
        } else if (asked == "ChildCount" || asked == "CharacterCount") {
            sd_bus_message_append(reply, "v", "i", 2'147'483'647);
        } else {
            sd_bus_message_append(reply, "v", "s", name_of(path).c_str());
        }
    } else if (member == "GetText") {
        sd_bus_message_append(reply, "s", name_of(path).c_str());
    }
    sd_bus_send(nullptr, reply, nullptr);
    sd_bus_message_unref(reply);
    return 1;
}

int on_message(sd_bus_message* call, void* /*data*/, sd_bus_error* /*error*/) {
    if (sd_bus_message_is_method_call(call, nullptr, nullptr) <= 0 || mode == "silent") {
        return mode == "silent" ? 1 : 0;
    }
    return answer(call, sd_bus_message_get_path(call), sd_bus_message_get_member(call));
}

Display* show_window() {
    Display* display = XOpenDisplay(nullptr);
    if (display == nullptr) {
        return nullptr;
    }
    XSetWindowAttributes attributes{};
    attributes.override_redirect = 1; // at its place, without a frame
    const Window window = XCreateWindow(display, DefaultRootWindow(display), 0, 0, kWidth, kHeight, 0, 0, InputOutput, nullptr, CWOverrideRedirect, &attributes);
    XStoreName(display, window, "handeye hostile");
    XMapRaised(display, window);
    XSync(display, 0);
    return display;
}

} // namespace

int main(int argc, char** argv) {
    const char* address = std::getenv("AT_SPI_BUS_ADDRESS");
    if (argc < 2 || address == nullptr || show_window() == nullptr) {
        return 2;
    }
    mode = argv[1];
    sd_bus* bus = nullptr;
    const char* unique = nullptr;
    if (sd_bus_new(&bus) < 0 || sd_bus_set_address(bus, address) < 0 || sd_bus_set_bus_client(bus, 1) < 0 || sd_bus_start(bus) < 0 ||
        sd_bus_get_unique_name(bus, &unique) < 0) {
        return 3;
    }
    own_name = unique;
    sd_bus_add_filter(bus, nullptr, on_message, nullptr);
    sd_bus_call_method_async(bus, nullptr, "org.a11y.atspi.Registry", kRoot, "org.a11y.atspi.Socket", "Embed", nullptr, nullptr, "(so)",
                             own_name.c_str(), kRoot);
    for (;;) {
        const int handled = sd_bus_process(bus, nullptr);
        if (handled < 0 || (handled == 0 && sd_bus_wait(bus, UINT64_MAX) < 0)) {
            return 4;
        }
    }
}
