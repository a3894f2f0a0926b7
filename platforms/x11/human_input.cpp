// SPDX-License-Identifier: Apache-2.0
#include "platforms/x11/human_input.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <string_view>

#include <fmt/format.h>

namespace handeye::x11 {
namespace {

constexpr unsigned kModifiers = ControlMask | Mod1Mask | Mod4Mask | ShiftMask; // of the locks a chord says nothing

unsigned modifier_mask(std::string_view name) {
    return name == "ctrl" ? ControlMask : name == "alt" ? Mod1Mask : name == "shift" ? ShiftMask : name == "super" ? Mod4Mask : 0U;
}

KeySym keysym_of(std::string name) {
    if (const KeySym as_is = XStringToKeysym(name.c_str()); as_is != NoSymbol) {
        return as_is;
    }
    name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0]))); // "escape" is Escape
    return XStringToKeysym(name.c_str());
}

} // namespace

Result<std::unique_ptr<HumanInput>> HumanInput::open(const DisplayAddress& address, SentEvents& sent, PersonWatch watch) {
    std::unique_ptr<HumanInput> input(new HumanInput(sent, std::move(watch)));
    input->connection_ = TRY(Connection::open(address));
    TRY(input->select());
    TRY(input->read_chord());
    sent.start();
    if (::pipe(input->wake_) != 0) {
        return Error{ErrorCode::IoFailed, "no pipe for the watcher of a person's input"};
    }
    input->thread_ = std::thread([raw = input.get()] { raw->run(); });
    return input;
}

HumanInput::~HumanInput() {
    if (wake_[1] >= 0) {
        ::close(wake_[1]);
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    if (wake_[0] >= 0) {
        ::close(wake_[0]);
    }
}

Result<void> HumanInput::select() {
    ::Display* const display = connection_->get();
    int event = 0, error = 0, major = 2, minor = 1;
    if (XQueryExtension(display, "XInputExtension", &opcode_, &event, &error) == 0 || XIQueryVersion(display, &major, &minor) != 0) {
        return Error{ErrorCode::Unsupported, "the display has no XInput 2.1: a person's input cannot be told from others'"};
    }
    int count = 0;
    XIDeviceInfo* const devices = XIQueryDevice(display, XIAllDevices, &count);
    for (int i = 0; i < count; ++i) {
        if (std::string_view(devices[i].name).find("XTEST") != std::string_view::npos) {
            test_devices_.insert(devices[i].deviceid);
        }
    }
    XIFreeDeviceInfo(devices);
    std::array<unsigned char, XIMaskLen(XI_LASTEVENT)> bits{};
    for (const int type : {XI_RawMotion, XI_RawButtonPress, XI_RawKeyPress, XI_RawKeyRelease}) {
        XISetMask(bits.data(), type);
    }
    XIEventMask mask{XIAllMasterDevices, static_cast<int>(bits.size()), bits.data()};
    XISelectEvents(display, connection_->root(), &mask, 1);
    TRY(connection_->sync("watching a person's input"));
    std::array<char, 32> keys{};
    XQueryKeymap(display, keys.data());
    for (std::size_t code = 0; code < is_down_.size(); ++code) {
        is_down_[code] = (static_cast<unsigned char>(keys[code / 8]) >> (code % 8) & 1U) != 0;
    }
    read_modifiers();
    return {};
}

void HumanInput::read_modifiers() {
    modifier_of_.fill(0);
    XModifierKeymap* const map = XGetModifierMapping(connection_->get());
    if (map == nullptr) {
        return;
    }
    for (int i = 0; i < 8 * map->max_keypermod; ++i) {
        modifier_of_[map->modifiermap[i]] |= 1U << static_cast<unsigned>(i / map->max_keypermod);
    }
    modifier_of_[0] = 0; // unused places of the map
    XFreeModifiermap(map);
}

Result<void> HumanInput::read_chord() {
    std::string_view rest = watch_.kill_chord;
    while (!rest.empty()) {
        const std::size_t plus = rest.find('+');
        const std::string part(rest.substr(0, plus));
        rest.remove_prefix(plus == std::string_view::npos ? rest.size() : plus + 1);
        const unsigned mask = modifier_mask(part);
        kill_modifiers_ |= mask;
        if (mask == 0) {
            kill_key_ = part.empty() ? KeyCode{0} : XKeysymToKeycode(connection_->get(), keysym_of(part));
        }
    }
    if (!watch_.kill_chord.empty() && kill_key_ == 0) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is not a hot key such as ctrl+alt+escape", watch_.kill_chord)};
    }
    return {};
}

void HumanInput::run() {
    std::array<pollfd, 2> waits{{{connection_->fd(), POLLIN, 0}, {wake_[0], POLLIN, 0}}};
    while (!connection_->is_lost()) {
        while (!connection_->is_lost() && XPending(connection_->get()) > 0) {
            XEvent event;
            XNextEvent(connection_->get(), &event);
            if (event.type == MappingNotify) {
                read_modifiers();
            }
            if (event.type == GenericEvent && event.xcookie.extension == opcode_ && XGetEventData(connection_->get(), &event.xcookie) != 0) {
                const auto* const raw = static_cast<const XIRawEvent*>(event.xcookie.data);
                hear(raw->evtype, raw->detail, raw->sourceid);
                XFreeEventData(connection_->get(), &event.xcookie);
            }
        }
        if (::poll(waits.data(), waits.size(), -1) < 0 || waits[1].revents != 0) {
            return;
        }
    }
}

void HumanInput::hear(int type, int detail, int source) {
    const bool is_made = test_devices_.contains(source);
    const auto number = static_cast<unsigned>(detail);
    switch (type) {
    case XI_RawMotion:
        if (!is_made || !sent_.take_move()) {
            watch_.on_act(PersonAct::Pointer);
        }
        break;
    case XI_RawButtonPress:
        if (!is_made || !sent_.take_button(number)) {
            watch_.on_act(PersonAct::Button);
        }
        break;
    case XI_RawKeyRelease: is_down_[number % is_down_.size()] = false; break;
    case XI_RawKeyPress:
        if (!is_made || !sent_.take_key(number)) {
            is_down_[number % is_down_.size()] = true; // what we hold ourselves does not spoil a person's chord
            watch_.on_act(is_kill_chord(static_cast<KeyCode>(number)) ? PersonAct::KillSwitch : PersonAct::Key);
        }
        break;
    default: break;
    }
}

/// By what was heard so far, not by the keyboard's state: a short chord is over before it could be asked for.
bool HumanInput::is_kill_chord(KeyCode code) const {
    if (kill_key_ == 0 || code != kill_key_) {
        return false;
    }
    unsigned held = 0;
    for (std::size_t key = 0; key < is_down_.size(); ++key) {
        held |= is_down_[key] ? modifier_of_[key] : 0U;
    }
    return (held & kModifiers) == kill_modifiers_;
}

} // namespace handeye::x11
