// SPDX-License-Identifier: Apache-2.0
// The guardian: reads from its standard input which keys and buttons its parent holds and which keys it bound. When the parent is
// gone it releases what is still down and takes the bindings back. It serves one parent and one display, and writes one byte once
// it has that display.
#include "platforms/x11/connection.h"

#include <signal.h>
#include <unistd.h>

#include <array>

namespace {

using handeye::x11::DisplayAddress;

struct Held {
    std::array<bool, 256> keys{};
    std::array<bool, 256> buttons{};
    std::array<bool, 256> bound{};
};

bool read_all(unsigned char* to, std::size_t count) {
    while (count > 0) {
        const ssize_t got = read(0, to, count);
        if (got <= 0) {
            return false;
        }
        to += got;
        count -= static_cast<std::size_t>(got);
    }
    return true;
}

Held follow_parent() {
    Held held;
    unsigned char message[2] = {};
    while (read_all(message, sizeof message)) {
        switch (message[0]) {
        case 'K': held.keys[message[1]] = true; break;
        case 'k': held.keys[message[1]] = false; break;
        case 'B': held.buttons[message[1]] = true; break;
        case 'b': held.buttons[message[1]] = false; break;
        case 'M': held.bound[message[1]] = true; break;
        case 'm': held.bound[message[1]] = false; break;
        default: return held;
        }
    }
    return held;
}

void release(handeye::x11::Connection& connection, const Held& held) {
    for (unsigned i = 0; i < 256; ++i) {
        if (held.keys[i]) {
            XTestFakeKeyEvent(connection.get(), i, 0, CurrentTime);
        }
        if (held.buttons[i]) {
            XTestFakeButtonEvent(connection.get(), i, 0, CurrentTime);
        }
        if (held.bound[i]) {
            KeySym nothing = NoSymbol;
            XChangeKeyboardMapping(connection.get(), static_cast<int>(i), 1, &nothing, 1);
        }
    }
    static_cast<void>(connection.sync("releasing"));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) { // it ends when its parent does, not before
        signal(signal_number, SIG_IGN);
    }
    DisplayAddress address;
    address.name = argv[1];
    unsigned char length = 0;
    if (!read_all(&length, 1)) {
        return 0;
    }
    address.cookie.resize(length);
    if (length > 0 && !read_all(address.cookie.data(), length)) {
        return 0;
    }
    const auto connection = handeye::x11::Connection::open(address); // opened now: later may be too late
    if (!connection) {
        return 5;
    }
    const char ready = 'r';
    static_cast<void>(write(STDIN_FILENO, &ready, 1)); // it comes as a socket; a parent that is gone already left its list in it
    release(**connection, follow_parent());
    return 0;
}
