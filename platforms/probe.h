// SPDX-License-Identifier: Apache-2.0
// A small window of our own that tells what really arrived: `handeye doctor` looks at it, clicks it and types into it.
// Platform::open_probe() shows it.
#pragma once

#include "base/clock.h"
#include "base/geometry.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// One thing that was tried without a window of ours, and what came of it.
struct ProbeFact {
    std::string check; ///< "capture", "input", ...
    bool is_proven = false;
    std::string detail; ///< what was found; of input also what was not proven
    std::string fix;    ///< the command or the switch that helps; empty when it is proven
};

class ProbeWindow {
public:
    virtual ~ProbeWindow() = default;

    /// In the platform's frame.
    [[nodiscard]] virtual Rect area() const = 0;
    [[nodiscard]] virtual std::array<std::uint8_t, 3> background_rgb() const = 0;
    /// Where the next button press arrived, in the platform's frame; nullopt when none came in time.
    virtual std::optional<Point> wait_click(Duration timeout) = 0;
    virtual Result<void> take_focus() = 0;
    /// All text received since take_focus(), as soon as it equals `expected` or when time is up.
    virtual std::string wait_text(std::string_view expected, Duration timeout) = 0;
};

} // namespace handeye
