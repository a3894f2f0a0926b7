// SPDX-License-Identifier: Apache-2.0
// The one place through which keys and buttons go down and up, so that whatever is down can be let go at any moment from any thread,
// also at a server that was away meanwhile, and nothing goes down after the gate was closed.
#pragma once

#include "platforms/vnc/link.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye::vnc {

class InputGate {
public:
    explicit InputGate(Clock& clock) : clock_(clock) {}

    /// While it lives the gate sends no press, motion or character once `stop` is requested.
    class Obeying {
    public:
        Obeying(InputGate& gate, std::stop_token stop);
        ~Obeying();
        Obeying(const Obeying&) = delete;
        Obeying& operator=(const Obeying&) = delete;

    private:
        InputGate& gate_;
    };

    /// Input goes there from now on. What was held at the one before is let go: the server may be the same one.
    Result<void> use(std::shared_ptr<Link> link);

    // One thread at a time. Cancelled once the gate is closed or stopped; DeadlineExceeded when the server takes nothing any more.
    Result<void> move(Point to);
    /// `number`: 1 left, 2 middle, 3 right, 4 to 7 the wheel.
    Result<void> button(unsigned number, bool is_press);
    /// Presses remember the keysym that was sent by `name`, since Shift may change between press and release.
    Result<void> press_key(const std::string& name, std::uint32_t keysym);
    Result<void> release_key(const std::string& name, std::uint32_t keysym);
    /// Down and up at once, with no other thread's events between.
    Result<void> tap(std::uint32_t keysym);
    /// Returns when the server has taken all of it.
    Result<void> sync();
    [[nodiscard]] bool has_button_down() const;
    [[nodiscard]] std::optional<Point> pointer() const;

    // Any thread, at any moment.
    Result<void> release_all();
    /// No press is accepted any more; releases are.
    void close() { is_closed_ = true; }

private:
    Result<void> may_send() const; // mutex_ is held, as for the two below
    Result<void> send_pointer();
    Result<void> send_releases();
    Result<void> keep_pace();
    enum class Kind { None, Pointer, Key };
    Result<void> turn_to(Kind kind);

    Clock& clock_;
    std::atomic<bool> is_closed_{false};
    mutable std::mutex mutex_; // guards what follows
    std::shared_ptr<Link> link_;
    std::stop_token stop_;
    Kind last_ = Kind::None;
    unsigned buttons_ = 0; ///< bit 0 is button 1
    std::optional<Point> pointer_;
    std::map<std::string, std::uint32_t> keys_; ///< down, by name
};

} // namespace handeye::vnc
