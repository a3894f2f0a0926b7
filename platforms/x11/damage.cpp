// SPDX-License-Identifier: Apache-2.0
// Reads DamageNotify events. The server reports each newly damaged rectangle until we subtract it, so events that nobody
// reads stay few however much is painted.
#include "platforms/x11/damage.h"

#include <poll.h>

#include <algorithm>

namespace handeye::x11 {

namespace {

constexpr Duration kStopCheck = std::chrono::milliseconds(10); // a stop is seen within this long

} // namespace

Result<std::unique_ptr<DamageWatcher>> DamageWatcher::open(Connection& connection, Clock& clock) {
    std::unique_ptr<DamageWatcher> watcher(new DamageWatcher(connection, clock));
    int error_base = 0;
    if (XDamageQueryExtension(connection.get(), &watcher->event_base_, &error_base) == 0) {
        return Error{ErrorCode::Unsupported, "the X server has no XDamage extension"};
    }
    watcher->damage_ =
        XDamageCreate(connection.get(), connection.root(), XDamageReportDeltaRectangles);
    TRY(connection.sync("watching the screen for changes"));
    return watcher;
}

DamageWatcher::~DamageWatcher() {
    if (!connection_.is_lost()) {
        XDamageDestroy(connection_.get(), damage_);
        XSync(connection_.get(), 0);
    }
}

void DamageWatcher::mark() {
    if (connection_.is_lost()) {
        return;
    }
    has_changed_ = false;
    marked_serial_ = XNextRequest(connection_.get());
    XDamageSubtract(connection_.get(), damage_, kNone, kNone);
}

bool DamageWatcher::drain(Rect area) {
    bool has_news = false;
    bool has_events = false;
    while (!connection_.is_lost() && XPending(connection_.get()) > 0) {
        XEvent event;
        XNextEvent(connection_.get(), &event);
        if (event.type != event_base_ + XDamageNotify) {
            continue;
        }
        has_events = true;
        const auto& notify = reinterpret_cast<const XDamageNotifyEvent&>(event);
        const Rect changed{notify.area.x, notify.area.y, notify.area.width, notify.area.height};
        const bool is_newer = notify.serial >= marked_serial_;
        has_news = has_news || (is_newer && !changed.intersected(area).size().is_empty());
    }
    if (has_events && !connection_.is_lost()) { // ask to be told again
        XDamageSubtract(connection_.get(), damage_, kNone, kNone);
        XFlush(connection_.get());
    }
    has_changed_ = has_changed_ || has_news;
    return has_news;
}

bool DamageWatcher::take_changed(Rect area) {
    drain(area);
    return std::exchange(has_changed_, false);
}

void DamageWatcher::wait_readable(Duration timeout) const {
    pollfd ready{connection_.fd(), POLLIN, 0};
    const auto ns = std::max<std::int64_t>(timeout.count(), 0);
    const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
    static_cast<void>(ppoll(&ready, 1, &time, nullptr)); // early returns only cost a turn
}

Result<Settled> DamageWatcher::settle(Rect area, const SettleOptions& options,
                                      std::stop_token stop) {
    const TimePoint start = clock_.now();
    const TimePoint deadline = start + options.deadline;
    TimePoint last_change = start;
    TimePoint now = start;
    TRY(connection_.sync("settling")); // what is on its way is on our side now
    while (true) {
        if (drain(area)) {
            last_change = now;
        }
        TRY(connection_.check("settling"));
        if (stop.stop_requested()) {
            return Error{ErrorCode::Cancelled, "settling was stopped"};
        }
        const TimePoint quiet_at = last_change + options.quiet;
        if (now >= quiet_at || now >= deadline) {
            return Settled{now >= quiet_at, std::exchange(has_changed_, false), now - start};
        }
        wait_readable(std::min({quiet_at - now, deadline - now, kStopCheck}));
        now = clock_.now();
    }
}

} // namespace handeye::x11
