// SPDX-License-Identifier: Apache-2.0
// XRandR monitors; their areas are in root pixels, the frame of capture and input.
#include "platforms/x11/monitors.h"

namespace handeye::x11 {

Result<Size> root_size(Connection& connection) {
    TRY(connection.check("screen size"));
    ::Window root = 0;
    int x = 0, y = 0;
    unsigned width = 0, height = 0, border = 0, depth = 0;
    XGetGeometry(connection.get(), connection.root(), &root, &x, &y, &width, &height, &border,
                 &depth);
    TRY(connection.check("screen size"));
    return Size{static_cast<int>(width), static_cast<int>(height)};
}

Result<std::vector<Monitor>> list_monitors(Connection& connection) {
    const Size size = TRY(root_size(connection));
    std::vector<Monitor> monitors;
    int event_base = 0, error_base = 0, major = 0, minor = 0;
    const bool has_randr =
        XRRQueryExtension(connection.get(), &event_base, &error_base) != 0 &&
        XRRQueryVersion(connection.get(), &major, &minor) != 0 && (major > 1 || minor >= 5);
    int count = 0;
    XRRMonitorInfo* infos =
        has_randr ? XRRGetMonitors(connection.get(), connection.root(), 1, &count) : nullptr;
    for (int i = 0; i < count; ++i) {
        const XRRMonitorInfo& info = infos[i];
        char* name = info.name == 0 ? nullptr : XGetAtomName(connection.get(), info.name);
        monitors.push_back({name == nullptr ? "monitor" : name,
                            {info.x, info.y, info.width, info.height},
                            info.primary != 0});
        if (name != nullptr) {
            XFree(name);
        }
    }
    if (infos != nullptr) {
        XRRFreeMonitors(infos);
    }
    TRY(connection.check("listing monitors"));
    if (monitors.empty()) {
        monitors.push_back({"screen", {0, 0, size.width_px, size.height_px}, true});
    }
    return monitors;
}

} // namespace handeye::x11
