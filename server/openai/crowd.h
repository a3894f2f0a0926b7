// SPDX-License-Identifier: Apache-2.0
// Who is connected to the endpoint, how much of it each takes, and who has to go when somebody comes. Pure: knows no sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace handeye {

struct CrowdLimits {
    std::size_t connections_max = 0;
    std::size_t address_connections_max = 0;
    std::size_t silent_max = 0;      ///< connections without a request
    std::size_t body_bytes_max = 0;  ///< of all requests that are not answered yet, together
};

/// One thread.
class Crowd {
public:
    explicit Crowd(const CrowdLimits& limits) : limits_(limits) {}

    struct Admission {
        bool is_admitted = false;
        std::optional<std::uint64_t> leaves; ///< has to be dropped; it is not counted any more
    };
    /// A newcomer, silent at first, takes the place of the connection that has been silent longest where a limit is reached: of its
    /// own address when that has its share already. Where nobody is silent it is not admitted. `number` is new.
    Admission admit(std::uint64_t number, const std::string& address);
    /// Its request's head has been read.
    void speak(std::uint64_t number);
    /// It waits for a request. One that was silent already stays in its place.
    void fall_silent(std::uint64_t number);
    /// Its body has `bytes` now, of which it is told more and more. False: too much beside the others, and not counted.
    bool hold(std::uint64_t number, std::size_t bytes);
    /// The body is not needed any more.
    void release(std::uint64_t number);
    /// Of no effect on one that has left.
    void leave(std::uint64_t number);

    [[nodiscard]] std::size_t body_bytes() const { return body_bytes_; }
    [[nodiscard]] const CrowdLimits& limits() const { return limits_; }

private:
    struct Guest {
        std::string address;
        std::optional<std::uint64_t> silent_since; ///< a turn, not a time
        std::size_t body_bytes = 0;
    };
    /// The one that has been silent longest, of `address` unless it is empty.
    [[nodiscard]] std::optional<std::uint64_t> longest_silent(const std::string& address) const;

    const CrowdLimits limits_;
    std::map<std::uint64_t, Guest> guests_;
    std::map<std::string, std::size_t> per_address_;
    std::map<std::uint64_t, std::uint64_t> silent_; ///< turn to number
    std::uint64_t next_turn_ = 0;
    std::size_t body_bytes_ = 0;
};

} // namespace handeye
