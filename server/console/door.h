// SPDX-License-Identifier: Apache-2.0
// The console's port: a loopback TCP listener that opens on request, lets in whoever shows a one-time ticket, and
// closes when nobody has used it for a while. The I/O thread only.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "server/console/tickets.h"
#include "server/scope.h"

#include <cstdint>
#include <memory>
#include <string>

namespace handeye {

struct Core;
class ConnectionSet;

/// What a console may do at most; nothing of `admin`.
inline constexpr ScopeSet kConsoleScopes = [] {
    ScopeSet set;
    for (const Scope scope : {Scope::Observe, Scope::Control, Scope::Approve, Scope::Record, Scope::Engine}) {
        set.add(scope);
    }
    return set;
}();

class ConsoleDoor {
public:
    /// Borrows both for its life.
    ConsoleDoor(Core& core, ConnectionSet& connections);
    ~ConsoleDoor();
    ConsoleDoor(const ConsoleDoor&) = delete;
    ConsoleDoor& operator=(const ConsoleDoor&) = delete;

    struct Pass {
        std::uint16_t port = 0;
        std::string ticket;
        Duration life{}; ///< of the ticket
    };
    /// Opens the port unless it is open, and issues a ticket.
    Result<Pass> open();
    /// True once for each ticket.
    [[nodiscard]] bool enter(const std::string& ticket);
    /// For a page that is in, to come back after a reload: good for one entry as long as the port is open.
    Result<std::string> issue_return_ticket();
    void close();

private:
    struct Listening;
    void accept_next(const std::shared_ptr<Listening>& listening);
    void look_again(const std::shared_ptr<Listening>& listening);
    [[nodiscard]] bool has_console() const;

    Core& core_;
    ConnectionSet& connections_;
    TicketBook tickets_;        ///< of open()
    TicketBook return_tickets_; ///< end with the port
    TimePoint last_used_{};
    std::shared_ptr<Listening> listening_; ///< empty: closed
};

} // namespace handeye
