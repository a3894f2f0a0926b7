// SPDX-License-Identifier: Apache-2.0
// The format: "XSETTINGS - cross toolkit configuration proposal" 0.5, freedesktop.org. Names of settings: the XSETTINGS registry.
#include "platforms/x11/desktop_settings.h"

#include "platforms/x11/xlib.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace handeye::x11 {
namespace {

constexpr char kLittleEndian = 0;
constexpr char kInteger = 0;

void put32(std::string& out, std::uint32_t value) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(value >> shift & 0xFFU);
    }
}

void put_integer(std::string& out, std::string_view name, std::uint32_t value) {
    out += kInteger;
    out += '\0';
    out += static_cast<char>(name.size() & 0xFFU);
    out += static_cast<char>(name.size() >> 8U);
    out += name;
    out.append((4 - name.size() % 4) % 4, '\0');
    put32(out, 0); // the serial of its last change
    put32(out, value);
}

/// A still screen is one that is done: what fades for half a second after each click would have to be waited for.
std::string settings() {
    std::string out{kLittleEndian, '\0', '\0', '\0'};
    put32(out, 0); // the serial of the whole
    put32(out, 1); // settings
    put_integer(out, "Gtk/EnableAnimations", 0);
    return out;
}

} // namespace

Result<std::unique_ptr<DesktopSettings>> DesktopSettings::announce(const DisplayAddress& address) {
    auto connection = TRY(Connection::open(address));
    const Atom selection = connection->atom("_XSETTINGS_S0");
    const Atom property = connection->atom("_XSETTINGS_SETTINGS");
    const std::string bytes = settings();
    const ::Window owner = XCreateSimpleWindow(connection->get(), connection->root(), -1, -1, 1, 1, 0, 0, 0);
    XChangeProperty(connection->get(), owner, property, property, 8, PropModeReplace, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    XSetSelectionOwner(connection->get(), selection, owner, CurrentTime);
    TRY(connection->sync("announcing the settings of the display"));
    return std::unique_ptr<DesktopSettings>(new DesktopSettings(std::move(connection)));
}

} // namespace handeye::x11
