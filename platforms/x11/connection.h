// SPDX-License-Identifier: Apache-2.0
// One connection to an X server whose errors are values: a protocol error or a lost server never ends the process.
// A Connection is used by one thread at a time.
#pragma once

#include "base/geometry.h"
#include "base/result.h"
#include "platforms/x11/xlib.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace handeye::x11 {

/// How to reach a server: its name and, where the server asks for one, the cookie.
struct DisplayAddress {
    std::string name;                    ///< ":99"; empty: $DISPLAY
    std::vector<std::uint8_t> cookie;    ///< MIT-MAGIC-COOKIE-1; empty: what Xlib finds in $XAUTHORITY
};

class Connection {
public:
    /// Unavailable, naming the display and the remedy, when no server answers.
    static Result<std::unique_ptr<Connection>> open(const DisplayAddress& address);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] ::Display* get() const { return display_; }
    [[nodiscard]] ::Window root() const { return root_; }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int fd() const;
    /// The atom's id, asked from the server once.
    Atom atom(const char* name);

    [[nodiscard]] bool is_lost() const { return state_->lost; }
    /// What went wrong since the last check: Unavailable when the server went away, otherwise the first protocol error, named
    /// after `doing`. Does no round trip: call sync() first where the errors of requests without reply matter.
    Result<void> check(std::string_view doing);
    /// Waits until the server has processed all requests sent so far, then checks.
    Result<void> sync(std::string_view doing);
    /// Forgets protocol errors: for requests about windows that may be gone by then.
    void ignore_errors();

    /// Protocol errors of one connection; written by Xlib's process-wide handlers.
    struct State {
        std::atomic<bool> lost{false};
        std::mutex mutex;
        std::optional<Error> first_error;
    };

private:
    Connection() = default;

    ::Display* display_ = nullptr;
    ::Window root_ = 0;
    std::string name_;
    std::shared_ptr<State> state_;
    std::vector<std::pair<std::string, Atom>> atoms_;
};

/// A property's raw value in 8-bit bytes or longs; empty when the window or the property is not there.
struct Property {
    Atom type = 0;
    std::vector<std::uint8_t> bytes;   ///< format 8
    std::vector<unsigned long> values; ///< format 32
};
Property read_property(Connection& connection, ::Window window, Atom property);

} // namespace handeye::x11
