// SPDX-License-Identifier: Apache-2.0
// A session's events for the terminal: one line per step for a person, or the API's event lines with --json.
#pragma once

#include <cstdint>
#include <string>

namespace handeye::cli {

class EventPrinter {
public:
    EventPrinter(std::string session, bool json) : session_(std::move(session)), json_(json) {}
    /// `data_json` is one JSON object, as stored.
    void print_event(std::uint64_t seq, const std::string& t_wall, std::int64_t t_mono_ns, const std::string& type,
                     const std::string& data_json);

private:
    std::string session_;
    bool json_;
    std::string step_line_; ///< what is known of the step under way
};

} // namespace handeye::cli
