// SPDX-License-Identifier: Apache-2.0
// A platform reduced to pixels and input, and to its upper left part: it tells no elements, nothing beyond that part is seen or reached, and
// no picture is taken twice of a screen that nothing was done to in between. Borrows the real one.
#pragma once

#include "platforms/platform.h"

namespace handeye::miniwob {

class PixelPlatform final : public Platform {
public:
    /// `part`: in captured pixels, from the upper left corner on.
    PixelPlatform(Platform& platform, Clock& clock, Size part) : platform_(platform), clock_(clock), part_(part) {}

    /// The last picture again where it is a few milliseconds old and no input came after it: the one at the end of a step is the one
    /// at the beginning of the next.
    Result<Screenshot> capture() override;
    Result<std::vector<Element>> elements() override { return std::vector<Element>{}; }

    Result<DisplayInfo> display() override;
    Result<std::vector<WindowInfo>> windows() override { return platform_.windows(); }
    Result<WindowInfo> window_at(Point in_target) override { return platform_.window_at(in_target); }
    Result<WindowInfo> focused_window() override { return platform_.focused_window(); }
    Result<std::optional<Point>> pointer() override { return platform_.pointer(); }
    Result<void> inject(const InputEvent& event) override;
    Result<void> inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) override;
    Result<std::shared_ptr<void>> freeze() override { return platform_.freeze(); }
    Result<TextResult> type_text(std::string_view text_utf8, std::stop_token stop) override;
    Result<void> perform(const Command& command) override;
    Result<std::string> clipboard() override { return platform_.clipboard(); }
    Result<Settled> settle(const SettleOptions& options, std::stop_token stop) override;
    Result<void> release_all() override { return platform_.release_all(); }

private:
    void forget() { last_.reset(); }

    Platform& platform_;
    Clock& clock_;
    Size part_;
    std::optional<Screenshot> last_;
};

} // namespace handeye::miniwob
