// SPDX-License-Identifier: Apache-2.0
// Pasting: offers a text as the clipboard until the program with the focus has fetched it.
#pragma once

#include "base/clock.h"
#include "platforms/x11/connection.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace handeye::x11 {

class Clipboard {
public:
    static Result<std::unique_ptr<Clipboard>> open(const DisplayAddress& address, Clock& clock);

    /// Owns CLIPBOARD and PRIMARY with `text`, calls `press_paste`, and serves the text until somebody has fetched it or the
    /// deadline came. The text is withdrawn before this returns: what was in the clipboard before is gone, since its owner has
    /// lost it. Returns whether the text was fetched.
    Result<bool> paste(std::string_view text_utf8, const std::function<Result<void>()>& press_paste, TimePoint deadline,
                       std::stop_token stop);

    /// What the clipboard holds as text; empty: no text. LimitExceeded for more than kTextBytesMax; DeadlineExceeded when its owner
    /// does not answer.
    static constexpr std::size_t kTextBytesMax = 1 << 20;
    Result<std::string> read(TimePoint deadline);

private:
    Result<std::string> take_property(::Atom property);
    Clipboard(std::unique_ptr<Connection> connection, Clock& clock);
    bool answer(const XSelectionRequestEvent& request, std::string_view text_utf8);
    bool serve_pending(std::string_view text_utf8);
    void own(::Window window);

    std::unique_ptr<Connection> connection_;
    Clock& clock_;
    ::Window window_ = 0;
};

} // namespace handeye::x11
