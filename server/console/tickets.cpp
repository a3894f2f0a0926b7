// SPDX-License-Identifier: Apache-2.0
#include "server/console/tickets.h"

#include "base/hash.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr std::size_t kTicketBytes = 32;

} // namespace

Result<std::string> TicketBook::issue(TimePoint now, Duration life) {
    std::string text = TRY(random_hex(kTicketBytes));
    std::erase_if(tickets_, [&](const Ticket& ticket) { return now >= ticket.until; });
    if (tickets_.size() >= kTicketsMax) {
        tickets_.pop_front();
    }
    tickets_.push_back({text, now + life});
    return text;
}

bool TicketBook::redeem(std::string_view ticket, TimePoint now) {
    std::size_t found = tickets_.size();
    for (std::size_t i = 0; i < tickets_.size(); ++i) { // all of them: the time says nothing about which one is near
        if (equal_constant_time(tickets_[i].text, ticket)) {
            found = i;
        }
    }
    if (found == tickets_.size()) {
        return false;
    }
    const bool is_in_time = now < tickets_[found].until;
    tickets_.erase(tickets_.begin() + static_cast<std::ptrdiff_t>(found));
    return is_in_time;
}

bool TicketBook::has_valid(TimePoint now) const {
    return std::any_of(tickets_.begin(), tickets_.end(), [&](const Ticket& ticket) { return now < ticket.until; });
}

} // namespace handeye
