// SPDX-License-Identifier: Apache-2.0
// TLS in front of the server: shakes hands, then passes plain bytes on through a socket pair, so that nothing behind it knows of
// TLS. The I/O thread only.
#pragma once

#include "base/result.h"
#include "server/control_server.h"
#include "server/transport/beast_types.h"

#include <functional>
#include <memory>
#include <string>

namespace handeye {

class TlsGate {
public:
    using OnPlain = std::function<void(AnySocket plain)>;
    /// Reads certificate and key; TLS 1.2 at least. With a client CA a client without its certificate is refused.
    /// InvalidArgument names the file that cannot be used, PermissionDenied a key that others may read.
    struct Timeouts {
        Duration handshake{};
        Duration write{}; ///< a client that takes nothing for so long is dropped
    };
    static Result<std::unique_ptr<TlsGate>> open(const TlsFiles& files, Timeouts timeouts);
    virtual ~TlsGate() = default;

    /// `on_plain` runs once the client has shaken hands; a client that does not is dropped. At most 64 are at it at one time, 32 of
    /// one address; one more pushes out the oldest that has said nothing.
    virtual void accept(AnySocket socket, const std::string& address, OnPlain on_plain) = 0;
};

} // namespace handeye
