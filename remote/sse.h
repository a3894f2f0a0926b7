// SPDX-License-Identifier: Apache-2.0
// Server-sent events out of bytes that are cut anywhere (HTML standard, 9.2). Pure; bounded, as the server may be anybody.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace handeye {

class SseParser {
public:
    /// An event that passes `event_bytes_max`, its line ends and names included, is LimitExceeded.
    explicit SseParser(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max) {}

    /// Called with the data of one event, its lines joined by line feeds. Its error ends the push with it.
    using OnEvent = std::function<Result<void>(std::string_view data)>;
    /// What an event says beside its data, and comments, are passed over. An event that no blank line ended does not count.
    Result<void> push(std::string_view bytes, const OnEvent& on_event);

private:
    Result<void> end_line(const OnEvent& on_event);

    const std::size_t event_bytes_max_;
    std::string line_;
    std::string data_;
    bool has_data_ = false;
    bool was_return_ = false; ///< a line feed now belongs to the line end before it
    bool is_first_line_ = true;
    std::size_t event_bytes_ = 0;
};

} // namespace handeye
