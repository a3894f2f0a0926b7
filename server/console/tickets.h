// SPDX-License-Identifier: Apache-2.0
// One-time tickets: 256 random bits each, good for one entry within their life. One thread.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace handeye {

class TicketBook {
public:
    static constexpr std::size_t kTicketsMax = 32; ///< unused; one more pushes out the oldest

    Result<std::string> issue(TimePoint now, Duration life);
    /// True once for each ticket that is not too old. Takes as long for a wrong ticket as for a right one.
    [[nodiscard]] bool redeem(std::string_view ticket, TimePoint now);
    /// Some ticket can still be redeemed.
    [[nodiscard]] bool has_valid(TimePoint now) const;
    void clear() { tickets_.clear(); }

private:
    struct Ticket {
        std::string text;
        TimePoint until{};
    };
    std::deque<Ticket> tickets_;
};

} // namespace handeye
