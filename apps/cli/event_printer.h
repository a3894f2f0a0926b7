// SPDX-License-Identifier: Apache-2.0
// A session's events for the terminal: one line per step for a person, or the API's event lines with --json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye::cli {

class EventPrinter {
public:
    /// `asks_itself`: this program asks the person at its terminal, `handeye approve` has nothing to say.
    EventPrinter(std::string session, bool json, bool asks_itself = false) : session_(std::move(session)), json_(json), asks_itself_(asks_itself) {}
    /// `data_json` is one JSON object, as stored.
    void print_event(std::uint64_t seq, const std::string& t_wall, std::int64_t t_mono_ns, const std::string& type,
                     const std::string& data_json);

private:
    void print_file_step(const std::string& type, const nlohmann::json& data);
    std::string count_drift(const nlohmann::json& data);
    void print_drift() const;

    std::string session_;
    bool json_;
    bool asks_itself_;
    int file_steps_ = 0;         ///< of a task file, that have begun or been left out
    struct Begun {
        int number = 0;
        std::string place; ///< in the file
        std::string title;
        bool is_told = false; ///< its own line came before those of what lies within it
    };
    std::vector<Begun> begun_;   ///< those under way, the innermost last
    int targets_ = 0;            ///< whose recorded place is known,
    int targets_moved_ = 0;
    int targets_found_otherwise_ = 0;
    int farthest_px_ = 0;
    bool is_fixed_step_ = false; ///< of a task file, and no goal
    std::string step_line_; ///< what is known of the step under way
};

} // namespace handeye::cli
