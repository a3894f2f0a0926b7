// SPDX-License-Identifier: Apache-2.0
// The calls that libgvnc makes into other libraries and that handeye-vnc answers itself, because libgvnc offers no other way to them:
// the bytes to and from the server in the clear, the authorities that sign certificates, and parameters of a key exchange that only
// servers need. For its one thread.
#pragma once

#include "platforms/vnc/greeting.h"
#include "platforms/vnc/messages.h"

#include <cstdint>
#include <functional>
#include <string>

namespace handeye::vnc {

struct Taps {
    std::uint64_t bytes_sent = 0; ///< by libgvnc, to the server
    std::string ca_pem;           ///< authorities that are trusted
    bool is_in_tls = false;       ///< what goes over the socket is encrypted
    Greeting greeting;
    std::function<void(const std::string& reason)> on_refused; ///< in place of a list of security types; it does not return
    bool is_initialized = false;  ///< the handshake is over: messages follow
    ClientMessages ours;
    std::string raw;              ///< whole messages, sent before libgvnc's next one
    ServerMessages theirs;
    std::string ready;            ///< read from the server, for libgvnc
};
Taps& taps();

} // namespace handeye::vnc
