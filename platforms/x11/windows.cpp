// SPDX-License-Identifier: Apache-2.0
// Window lists, geometry and focus by EWMH, with the core protocol as the fallback.
#include "platforms/x11/windows.h"

#include "platforms/x11/window_owner.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace handeye::x11 {

namespace {

constexpr Duration kFocusPatience = std::chrono::seconds(2);
constexpr Duration kFocusLook = std::chrono::milliseconds(5);
constexpr std::size_t kWindowsMax = 4096;
constexpr unsigned long kShadowMax = 512;
constexpr int kDepthMax = 32;      // of windows in windows
constexpr int kFrameDepthMax = 3;  // a manager's frame holds its client close to the top

std::string as_text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

/// WM_NAME is Latin-1 unless its type says UTF-8.
std::string latin1_to_utf8(const std::vector<std::uint8_t>& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        if (byte < 0x80) {
            text += static_cast<char>(byte);
        } else {
            text += static_cast<char>(0xc0U | (byte >> 6U));
            text += static_cast<char>(0x80U | (byte & 0x3fU));
        }
    }
    return text;
}

std::string title_of(Connection& connection, ::Window window) {
    const Property modern = read_property(connection, window, connection.atom("_NET_WM_NAME"));
    if (!modern.bytes.empty()) {
        return as_text(modern.bytes);
    }
    const Property old = read_property(connection, window, XA_WM_NAME);
    return old.type == connection.atom("UTF8_STRING") ? as_text(old.bytes) : latin1_to_utf8(old.bytes);
}

/// The second of the two strings of WM_CLASS.
std::string class_of(Connection& connection, ::Window window) {
    const std::string both = as_text(read_property(connection, window, XA_WM_CLASS).bytes);
    const std::size_t split = both.find('\0');
    if (split == std::string::npos) {
        return both;
    }
    const std::string name = both.substr(split + 1);
    return name.substr(0, name.find('\0'));
}

bool has_window_manager(Connection& connection) {
    const Property check =
        read_property(connection, connection.root(), connection.atom("_NET_SUPPORTING_WM_CHECK"));
    return !check.values.empty();
}

struct Toplevel {
    ::Window window = 0;
    Rect area; ///< in root pixels, without the border
    bool is_popup = false;
};

/// The children of the root that are shown, topmost last.
std::vector<Toplevel> shown_toplevels(Connection& connection) {
    ::Window root = 0, parent = 0;
    ::Window* children = nullptr;
    unsigned count = 0;
    std::vector<Toplevel> shown;
    if (XQueryTree(connection.get(), connection.root(), &root, &parent, &children, &count) == 0) {
        return shown;
    }
    for (unsigned i = 0; i < count; ++i) {
        XWindowAttributes attributes{};
        if (XGetWindowAttributes(connection.get(), children[i], &attributes) != 0 &&
            attributes.map_state == IsViewable && attributes.c_class == InputOutput) {
            const Rect area{attributes.x + attributes.border_width, attributes.y + attributes.border_width, attributes.width, attributes.height};
            shown.push_back({children[i], area, attributes.override_redirect != 0});
        }
    }
    XFree(children);
    connection.ignore_errors(); // windows that went away while we asked
    return shown;
}

std::vector<::Window> children_of_root(Connection& connection) {
    std::vector<::Window> windows;
    for (const Toplevel& toplevel : shown_toplevels(connection)) {
        windows.push_back(toplevel.window);
    }
    return windows;
}

std::vector<::Window> managed_windows(Connection& connection) {
    Property list = read_property(connection, connection.root(), connection.atom("_NET_CLIENT_LIST_STACKING"));
    if (list.values.empty()) {
        list = read_property(connection, connection.root(), connection.atom("_NET_CLIENT_LIST"));
    }
    return {list.values.begin(), list.values.end()};
}

::Window active_window(Connection& connection) {
    const Property active = read_property(connection, connection.root(), connection.atom("_NET_ACTIVE_WINDOW"));
    if (!active.values.empty() && active.values.front() != 0) {
        return active.values.front();
    }
    ::Window focus = 0;
    int revert = 0;
    XGetInputFocus(connection.get(), &focus, &revert);
    return focus;
}

/// id 0: it is gone.
WindowInfo describe(Connection& connection, ::Window window, bool is_focused) {
    const auto area = window_area(connection, window);
    if (!area && area.error().code == ErrorCode::NotFound) {
        return {};
    }
    WindowInfo info;
    info.id = window;
    info.title_utf8 = title_of(connection, window);
    info.window_class = class_of(connection, window);
    info.area = area.value_or(Rect{});
    info.pid = pid_of(connection, window);
    info.app = program_of(info.pid);
    info.is_focused = is_focused;
    return info;
}

/// A window that a manager takes care of carries this.
bool is_client(Connection& connection, ::Window window) {
    return read_property(connection, window, connection.atom("WM_STATE")).type != 0;
}

std::vector<::Window> children_of(Connection& connection, ::Window window, ::Window* parent) {
    ::Window root = 0, above = 0;
    ::Window* children = nullptr;
    unsigned count = 0;
    std::vector<::Window> found;
    if (XQueryTree(connection.get(), window, &root, &above, &children, &count) != 0) {
        found.assign(children, children + count);
        XFree(children);
    }
    if (parent != nullptr) {
        *parent = above;
    }
    return found;
}

::Window client_below(Connection& connection, ::Window frame, int depth) {
    if (is_client(connection, frame)) {
        return frame;
    }
    if (depth > 0) {
        const std::vector<::Window> children = children_of(connection, frame, nullptr);
        for (auto child = children.rbegin(); child != children.rend(); ++child) { // openbox has 55 below the client
            if (const ::Window client = client_below(connection, *child, depth - 1); client != 0) {
                return client;
            }
        }
    }
    return 0;
}

/// The window behind a child of the root: the client in a manager's frame; a menu, which no manager knows, is itself.
::Window owner_of(Connection& connection, ::Window toplevel) {
    XWindowAttributes attributes{};
    if (XGetWindowAttributes(connection.get(), toplevel, &attributes) == 0 || attributes.override_redirect != 0) {
        return toplevel;
    }
    const ::Window client = client_below(connection, toplevel, kFrameDepthMax);
    return client != 0 ? client : toplevel;
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

void ask_manager_to_activate(Connection& connection, ::Window window) {
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = window;
    event.xclient.message_type = connection.atom("_NET_ACTIVE_WINDOW");
    event.xclient.format = 32;
    event.xclient.data.l[0] = 2; // source: a pager, which may take the focus
    XSendEvent(connection.get(), connection.root(), 0, SubstructureRedirectMask | SubstructureNotifyMask,
               &event);
}

} // namespace

Result<std::vector<WindowInfo>> list_windows(Connection& connection) {
    TRY(connection.check("listing windows"));
    const bool is_managed = has_window_manager(connection);
    auto windows = is_managed ? managed_windows(connection) : children_of_root(connection);
    windows.resize(std::min(windows.size(), kWindowsMax));
    const ::Window active = active_window(connection);
    std::vector<WindowInfo> infos;
    for (const ::Window window : windows) {
        if (const WindowInfo info = describe(connection, window, window == active); info.id != 0) {
            infos.push_back(info);
        }
    }
    TRY(connection.check("listing windows"));
    return infos;
}

Result<std::vector<StackedWindow>> list_stack(Connection& connection) {
    TRY(connection.check("listing what is shown"));
    std::vector<StackedWindow> stack;
    for (const Toplevel& toplevel : shown_toplevels(connection)) {
        StackedWindow window;
        window.outer = toplevel.area;
        window.is_popup = toplevel.is_popup;
        const ::Window client = toplevel.is_popup ? toplevel.window : client_below(connection, toplevel.window, kFrameDepthMax);
        window.info.id = client != 0 ? client : toplevel.window;
        const auto area = window.info.id == toplevel.window ? Result<Rect>(toplevel.area) : window_area(connection, client);
        if (!area) {
            continue; // gone, or hidden, since
        }
        window.info.area = *area;
        window.info.title_utf8 = title_of(connection, window.info.id);
        window.info.pid = pid_of(connection, window.info.id);
        const auto shadow = read_property(connection, window.info.id, connection.atom("_GTK_FRAME_EXTENTS")).values;
        if (shadow.size() == 4 && std::all_of(shadow.begin(), shadow.end(), [](unsigned long side) { return side < kShadowMax; })) {
            window.shadow = {static_cast<int>(shadow[0]), static_cast<int>(shadow[1]), static_cast<int>(shadow[2]), static_cast<int>(shadow[3])};
        }
        stack.push_back(std::move(window));
        if (stack.size() >= kWindowsMax) {
            break;
        }
    }
    connection.ignore_errors(); // windows that went away while we asked
    TRY(connection.check("listing what is shown"));
    return stack;
}

Result<WindowInfo> find_window_at(Connection& connection, Point in_root) {
    TRY(connection.check("looking for the window at a point"));
    ::Window toplevel = 0;
    int x = 0, y = 0;
    XTranslateCoordinates(connection.get(), connection.root(), connection.root(), in_root.x, in_root.y, &x, &y, &toplevel);
    WindowInfo info;
    if (toplevel != 0) {
        info = describe(connection, owner_of(connection, toplevel), false);
    }
    connection.ignore_errors(); // it may have gone meanwhile
    TRY(connection.check("looking for the window at a point"));
    return info;
}

Result<WindowInfo> find_focused_window(Connection& connection) {
    TRY(connection.check("looking for the focus"));
    ::Window window = 0;
    int revert = 0;
    XGetInputFocus(connection.get(), &window, &revert);
    if (window == PointerRoot) { // keys go to whatever is under the pointer
        ::Window root = 0, child = 0;
        int root_x = 0, root_y = 0, x = 0, y = 0;
        unsigned mask = 0;
        XQueryPointer(connection.get(), connection.root(), &root, &child, &root_x, &root_y, &x, &y, &mask);
        return find_window_at(connection, {root_x, root_y});
    }
    for (int depth = 0; depth < kDepthMax && window != 0 && window != connection.root(); ++depth) {
        ::Window parent = 0;
        if (is_client(connection, window)) {
            break;
        }
        (void)children_of(connection, window, &parent);
        if (parent == connection.root()) {
            window = owner_of(connection, window);
            break;
        }
        window = parent;
    }
    const WindowInfo info = window == 0 || window == connection.root() ? WindowInfo{} : describe(connection, window, true);
    connection.ignore_errors(); // as above
    TRY(connection.check("looking for the focus"));
    return info;
}

Result<WindowInfo> find_window(Connection& connection, std::string_view title) {
    const auto windows = TRY(list_windows(connection));
    const auto found = std::find_if(windows.rbegin(), windows.rend(), [&](const WindowInfo& window) {
        return contains_ignoring_case(window.title_utf8, title);
    });
    if (found != windows.rend()) {
        return *found;
    }
    std::string titles;
    for (const WindowInfo& window : windows) {
        titles += fmt::format("{}\"{}\"", titles.empty() ? "" : ", ", window.title_utf8.substr(0, 80));
    }
    return Error{ErrorCode::NotFound,
                 fmt::format("no window's title contains \"{}\"; there is {}", title.substr(0, 200),
                             titles.empty() ? "no window" : titles)};
}

Result<Rect> window_area(Connection& connection, ::Window window) {
    TRY(connection.check("window geometry"));
    XWindowAttributes attributes{};
    ::Window child = 0;
    int x = 0, y = 0;
    const bool is_there = XGetWindowAttributes(connection.get(), window, &attributes) != 0 &&
                          XTranslateCoordinates(connection.get(), window, connection.root(), 0, 0, &x,
                                                &y, &child) != 0;
    if (connection.is_lost()) {
        return connection.check("window geometry").error();
    }
    if (!is_there) {
        connection.ignore_errors();
        return Error{ErrorCode::NotFound, fmt::format("window 0x{:x} went away", window)};
    }
    if (attributes.map_state != IsViewable) {
        return Error{ErrorCode::Unavailable,
                     fmt::format("window 0x{:x} is not shown (minimised or on another desktop)", window)};
    }
    return Rect{x, y, attributes.width, attributes.height};
}

Result<void> activate_window(Connection& connection, ::Window window, Clock& clock) {
    const bool is_managed = has_window_manager(connection);
    if (is_managed) {
        ask_manager_to_activate(connection, window);
    } else {
        TRY(window_area(connection, window)); // focus on a hidden window is an error
        XRaiseWindow(connection.get(), window);
        XSetInputFocus(connection.get(), window, RevertToPointerRoot, CurrentTime);
    }
    TRY(connection.sync("activating a window"));
    const TimePoint deadline = clock.now() + kFocusPatience;
    while (active_window(connection) != window) {
        TRY(connection.check("activating a window"));
        if (clock.now() >= deadline) {
            return Error{ErrorCode::DeadlineExceeded,
                         fmt::format("window 0x{:x} did not get the focus within 2 s", window)};
        }
        clock.sleep_for(kFocusLook, {});
    }
    return {};
}

} // namespace handeye::x11
