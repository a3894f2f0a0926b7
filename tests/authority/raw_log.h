// SPDX-License-Identifier: Apache-2.0
// The X server's own account of input: every press, release and motion it has taken, in its order, whatever window they went to.
#pragma once

#include "platforms/x11/connection.h"

#include <memory>
#include <string>
#include <vector>

namespace handeye::x11 {

struct RawEntry {
    enum class What { Move, ButtonDown, ButtonUp, KeyDown, KeyUp, Mark };
    What what = What::Mark;
    unsigned number = 0; ///< of the button; the code of the key
    Point at;            ///< where the pointer was by then, as far as this log knows
    Time time = 0;       ///< the server's, in milliseconds
    [[nodiscard]] bool is_release() const { return what == What::ButtonUp || what == What::KeyUp; }
};

class RawLog {
public:
    explicit RawLog(const DisplayAddress& address);
    /// Notes this moment among the entries, with the server's time: what the server takes afterwards comes after it.
    void mark();
    /// All entries so far, oldest first; forgets them.
    std::vector<RawEntry> take();
    /// "Return" for a key's code.
    [[nodiscard]] std::string key_name(unsigned code) const;

private:
    void read();

    std::unique_ptr<Connection> connection_;
    ::Window window_ = 0;
    int opcode_ = 0;
    Point at_;
    std::vector<RawEntry> entries_;
};

} // namespace handeye::x11
