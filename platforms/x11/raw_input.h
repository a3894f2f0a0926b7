// SPDX-License-Identifier: Apache-2.0
// All keys and buttons of a display by raw events of XInput 2, each key with the keyboard's state of its moment. They do not tell where
// the pointer was; but other than the RECORD extension's none of them is ever lost.
#pragma once

#include "base/result.h"
#include "platforms/x11/connection.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace handeye::x11 {

/// A press or release, as the core protocol numbers them.
struct HeardInput {
    int type = 0;        ///< KeyPress, KeyRelease, ButtonPress, ButtonRelease
    unsigned detail = 0; ///< key code or button
    unsigned state = 0;  ///< modifiers and group before it; of keys
    Point at;            ///< of the pointer, in the display's frame; not of raw events
    std::uint32_t time_ms = 0; ///< by the server's clock
    [[nodiscard]] bool is_key() const { return type == KeyPress || type == KeyRelease; }
    /// One and the same event, told in two ways. A raw event has the number of a button before it was mapped.
    [[nodiscard]] bool is_same(const HeardInput& other) const { return type == other.type && time_ms == other.time_ms && (!is_key() || detail == other.detail); }
};

class RawInput {
public:
    /// Unsupported without XInput 2.1 or XKB. Everything else: one thread.
    static Result<std::unique_ptr<RawInput>> open(const DisplayAddress& address);

    [[nodiscard]] int fd() const { return connection_->fd(); }
    [[nodiscard]] bool is_lost() const { return connection_->is_lost(); }
    /// What came since; does not wait.
    std::vector<HeardInput> read();

private:
    RawInput() = default;
    Result<void> select();
    void hear(XEvent& event, std::vector<HeardInput>& out);

    std::unique_ptr<Connection> connection_;
    int input_opcode_ = 0;
    int xkb_event_ = 0;
    unsigned state_ = 0; ///< of the keyboard: modifiers and group
};

} // namespace handeye::x11
