// SPDX-License-Identifier: Apache-2.0
#include "remote/sse.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

} // namespace

Result<void> SseParser::end_line(const OnEvent& on_event) {
    std::string_view line = line_;
    if (std::exchange(is_first_line_, false) && line.starts_with(kByteOrderMark)) {
        line.remove_prefix(kByteOrderMark.size());
    }
    if (line.empty()) {
        event_bytes_ = 0;
        line_.clear();
        const std::string data = std::exchange(data_, "");
        return std::exchange(has_data_, false) ? on_event(data) : Result<void>();
    }
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (line.substr(0, colon) == "data") {
        line.remove_prefix(std::min(colon + 1, line.size()));
        line.remove_prefix(line.starts_with(' ') ? 1 : 0);
        data_ += has_data_ ? "\n" : "";
        data_ += line;
        has_data_ = true;
    }
    line_.clear();
    return {};
}

Result<void> SseParser::push(std::string_view bytes, const OnEvent& on_event) {
    while (!bytes.empty()) {
        if (std::exchange(was_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
        event_bytes_ += end + (end < bytes.size() ? 1 : 0);
        if (event_bytes_ > event_bytes_max_) {
            return Error{ErrorCode::LimitExceeded, fmt::format("an event of more than {} bytes", event_bytes_max_)};
        }
        line_ += bytes.substr(0, end);
        if (end == bytes.size()) {
            return {};
        }
        was_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        TRY(end_line(on_event));
    }
    return {};
}

} // namespace handeye
