// SPDX-License-Identifier: Apache-2.0
// The server tells of a change of the keyboard's state between the raw events before and after it, on the same connection.
#include "platforms/x11/raw_input.h"

#include <array>

namespace handeye::x11 {

Result<std::unique_ptr<RawInput>> RawInput::open(const DisplayAddress& address) {
    std::unique_ptr<RawInput> input(new RawInput);
    input->connection_ = TRY(Connection::open(address));
    TRY(input->select());
    return input;
}

Result<void> RawInput::select() {
    ::Display* const display = connection_->get();
    int event = 0, error = 0, major = 2, minor = 1;
    if (XQueryExtension(display, "XInputExtension", &input_opcode_, &event, &error) == 0 || XIQueryVersion(display, &major, &minor) != 0) {
        return Error{ErrorCode::Unsupported, "the display has no XInput 2.1: a person's input cannot be followed"};
    }
    int opcode = 0, xkb_major = XkbMajorVersion, xkb_minor = XkbMinorVersion;
    if (XkbQueryExtension(display, &opcode, &xkb_event_, &error, &xkb_major, &xkb_minor) == 0) {
        return Error{ErrorCode::Unsupported, "the display has no XKB extension: what keys type cannot be known"};
    }
    XkbSelectEvents(display, XkbUseCoreKbd, XkbStateNotifyMask, XkbStateNotifyMask);
    std::array<unsigned char, XIMaskLen(XI_LASTEVENT)> bits{};
    for (const int type : {XI_RawKeyPress, XI_RawKeyRelease, XI_RawButtonPress, XI_RawButtonRelease}) {
        XISetMask(bits.data(), type);
    }
    XIEventMask mask{XIAllMasterDevices, static_cast<int>(bits.size()), bits.data()};
    XISelectEvents(display, connection_->root(), &mask, 1);
    XkbStateRec state{};
    if (XkbGetState(display, XkbUseCoreKbd, &state) == 0) {
        state_ = static_cast<unsigned>(XkbBuildCoreState(state.lookup_mods, state.group));
    }
    return connection_->sync("following a person's input");
}

std::vector<HeardInput> RawInput::read() {
    std::vector<HeardInput> out;
    while (!connection_->is_lost() && XPending(connection_->get()) > 0) {
        XEvent event;
        XNextEvent(connection_->get(), &event);
        hear(event, out);
    }
    return out;
}

void RawInput::hear(XEvent& event, std::vector<HeardInput>& out) {
    if (event.type == xkb_event_ && reinterpret_cast<const XkbAnyEvent&>(event).xkb_type == XkbStateNotify) {
        const auto& state = reinterpret_cast<const XkbStateNotifyEvent&>(event);
        state_ = static_cast<unsigned>(XkbBuildCoreState(static_cast<unsigned>(state.lookup_mods), static_cast<unsigned>(state.group)));
        return;
    }
    if (event.type != GenericEvent || event.xcookie.extension != input_opcode_ || XGetEventData(connection_->get(), &event.xcookie) == 0) {
        return;
    }
    const auto* const raw = static_cast<const XIRawEvent*>(event.xcookie.data);
    HeardInput heard;
    switch (raw->evtype) {
    case XI_RawKeyPress: heard.type = KeyPress; break;
    case XI_RawKeyRelease: heard.type = KeyRelease; break;
    case XI_RawButtonPress: heard.type = ButtonPress; break;
    case XI_RawButtonRelease: heard.type = ButtonRelease; break;
    default: break;
    }
    heard.detail = static_cast<unsigned>(raw->detail);
    heard.state = state_;
    heard.time_ms = static_cast<std::uint32_t>(raw->time);
    if (heard.type != 0) {
        out.push_back(heard);
    }
    XFreeEventData(connection_->get(), &event.xcookie);
}

} // namespace handeye::x11
