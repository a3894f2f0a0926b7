// SPDX-License-Identifier: Apache-2.0
#include "tests/authority/raw_log.h"

#include <array>
#include <utility>

namespace handeye::x11 {

RawLog::RawLog(const DisplayAddress& address) {
    auto connection = Connection::open(address);
    if (!connection) {
        return; // the first use says so
    }
    connection_ = *std::move(connection);
    ::Display* const display = connection_->get();
    int event = 0, error = 0, major = 2, minor = 1;
    XQueryExtension(display, "XInputExtension", &opcode_, &event, &error);
    XIQueryVersion(display, &major, &minor);
    std::array<unsigned char, XIMaskLen(XI_LASTEVENT)> bits{};
    for (const int type : {XI_RawMotion, XI_RawButtonPress, XI_RawButtonRelease, XI_RawKeyPress, XI_RawKeyRelease}) {
        XISetMask(bits.data(), type);
    }
    XIEventMask mask{XIAllMasterDevices, static_cast<int>(bits.size()), bits.data()};
    XISelectEvents(display, connection_->root(), &mask, 1);
    window_ = XCreateSimpleWindow(display, connection_->root(), 0, 0, 1, 1, 0, 0, 0);
    XSelectInput(display, window_, PropertyChangeMask);
    XSync(display, 0);
}

void RawLog::mark() {
    const unsigned char nothing = 0;
    XChangeProperty(connection_->get(), window_, XA_INTEGER, XA_INTEGER, 8, PropModeReplace, &nothing, 1);
    read();
}

std::vector<RawEntry> RawLog::take() {
    read();
    return std::exchange(entries_, {});
}

void RawLog::read() {
    using What = RawEntry::What;
    XSync(connection_->get(), 0);
    while (XPending(connection_->get()) > 0) {
        XEvent event;
        XNextEvent(connection_->get(), &event);
        if (event.type == PropertyNotify) {
            entries_.push_back({What::Mark, 0, at_, event.xproperty.time});
        }
        if (event.type != GenericEvent || event.xcookie.extension != opcode_ || XGetEventData(connection_->get(), &event.xcookie) == 0) {
            continue;
        }
        const auto* const raw = static_cast<const XIRawEvent*>(event.xcookie.data);
        const auto number = static_cast<unsigned>(raw->detail);
        switch (raw->evtype) {
        case XI_RawMotion:
            if (raw->valuators.mask_len > 0 && (raw->valuators.mask[0] & 3U) == 3U) {
                at_ = {static_cast<int>(raw->raw_values[0]), static_cast<int>(raw->raw_values[1])};
            }
            entries_.push_back({What::Move, 0, at_, raw->time});
            break;
        case XI_RawButtonPress: entries_.push_back({What::ButtonDown, number, at_, raw->time}); break;
        case XI_RawButtonRelease: entries_.push_back({What::ButtonUp, number, at_, raw->time}); break;
        case XI_RawKeyPress: entries_.push_back({What::KeyDown, number, at_, raw->time}); break;
        case XI_RawKeyRelease: entries_.push_back({What::KeyUp, number, at_, raw->time}); break;
        default: break;
        }
        XFreeEventData(connection_->get(), &event.xcookie);
    }
}

std::string RawLog::key_name(unsigned code) const {
    const char* const name = XKeysymToString(XkbKeycodeToKeysym(connection_->get(), static_cast<KeyCode>(code), 0, 0));
    return name == nullptr ? "?" : name;
}

} // namespace handeye::x11
