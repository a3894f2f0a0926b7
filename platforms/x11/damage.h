// SPDX-License-Identifier: Apache-2.0
// Change notices of the screen (XDamage): whether pixels changed, and waiting until they no longer do.
#pragma once

#include "platforms/platform.h"
#include "platforms/x11/connection.h"

#include <memory>

namespace handeye::x11 {

class DamageWatcher {
public:
    /// Unsupported when the server has no XDamage. `connection` and `clock` outlive the watcher; the watcher reads all of the
    /// connection's events.
    static Result<std::unique_ptr<DamageWatcher>> open(Connection& connection, Clock& clock);
    ~DamageWatcher();
    DamageWatcher(const DamageWatcher&) = delete;
    DamageWatcher& operator=(const DamageWatcher&) = delete;

    /// From now on only later changes count: call right before a capture on the same connection.
    void mark();
    /// Whether pixels of `area` (root pixels) changed since mark() or the last call. No round trip.
    bool take_changed(Rect area);
    /// Waits until `area` was still for options.quiet, or the deadline. Cancelled when stopped.
    Result<Settled> settle(Rect area, const SettleOptions& options, std::stop_token stop);

private:
    DamageWatcher(Connection& connection, Clock& clock) : connection_(connection), clock_(clock) {}
    bool drain(Rect area);
    void wait_readable(Duration timeout) const;

    Connection& connection_;
    Clock& clock_;
    int event_base_ = 0;
    unsigned long damage_ = 0;
    unsigned long marked_serial_ = 0;
    bool has_changed_ = false;
};

} // namespace handeye::x11
