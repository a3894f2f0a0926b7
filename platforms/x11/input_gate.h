// SPDX-License-Identifier: Apache-2.0
// The one place through which keys and buttons go down and up (XTest), so that whatever is down can be let go at any moment
// from any thread, and nothing goes down after the gate was closed.
#pragma once

#include "platforms/x11/connection.h"
#include "platforms/x11/sent_events.h"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>

namespace handeye::x11 {

class GuardianLink;

class InputGate {
public:
    /// Unsupported when the server has no XTest.
    static Result<std::unique_ptr<InputGate>> open(const DisplayAddress& address);
    ~InputGate();
    InputGate(const InputGate&) = delete;
    InputGate& operator=(const InputGate&) = delete;

    /// While it lives the gate sends no press, motion or character once `stop` is requested. What was on its way when a
    /// release_all() came is in the server when that returns: after a request and a release_all() only releases follow.
    class Obeying {
    public:
        Obeying(InputGate& gate, std::stop_token stop);
        ~Obeying();
        Obeying(const Obeying&) = delete;
        Obeying& operator=(const Obeying&) = delete;

    private:
        InputGate& gate_;
    };

    // One thread at a time. Each returns when the server has taken the event; Cancelled once the gate is closed, Unavailable when
    // nothing would let go if this process were killed now.
    Result<void> move(Point root_position);
    Result<void> button(unsigned number, bool is_press);
    Result<void> key(KeyCode code, bool is_press);
    /// Presses and releases a wheel button `count` times.
    Result<void> wheel(unsigned number, int count);
    /// Modifiers down, key down and up, modifiers up again, sent as one: nothing stays down in between calls. Does not wait
    /// for the server: call sync() now and then and at the end.
    Result<void> tap(std::span<const KeyCode> modifiers, KeyCode code);
    Result<void> sync();
    /// A key that somebody else left down is released (nothing is remembered).
    Result<void> force_up(KeyCode code);

    [[nodiscard]] bool is_down(KeyCode code) const { return keys_[code]; }
    [[nodiscard]] bool has_button_down() const;
    /// The connection that events are sent on, for questions about the keyboard and the pointer.
    Connection& connection() { return *input_; }
    SentEvents& sent() { return sent_; }

    // Changes of the keyboard that restore_keyboard() takes back.
    void note_bound(KeyCode code);
    void note_unlocked(unsigned modifiers) { unlocked_ = modifiers; }

    // Any thread, at any moment; within 50 ms even while another thread is stuck in the server.
    Result<void> release_all();
    /// Takes back temporary key bindings and locks (Caps Lock) that were opened for typing.
    Result<void> restore_keyboard();
    /// No press is accepted any more; releases are.
    void close() { is_closed_ = true; }

private:
    InputGate() = default;
    Result<void> may_send();
    void send_key(KeyCode code, bool is_press);
    Result<void> finish(std::string_view doing);

    std::unique_ptr<Connection> input_;    // guarded by mutex_
    std::unique_ptr<Connection> releaser_; // guarded by release_mutex_
    SentEvents sent_;
    std::timed_mutex mutex_;
    std::stop_token stop_;    // guarded by mutex_
    bool has_unread_ = false; // characters that the server may not have read yet; guarded by mutex_
    std::mutex release_mutex_;
    std::atomic<bool> is_closed_{false};
    std::array<std::atomic<bool>, 256> keys_{};
    std::array<std::atomic<bool>, 16> buttons_{};
    std::array<std::atomic<bool>, 256> bound_{};
    std::atomic<unsigned> unlocked_{0};
    std::unique_ptr<GuardianLink> guardian_;
};

} // namespace handeye::x11
