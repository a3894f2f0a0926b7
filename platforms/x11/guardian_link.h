// SPDX-License-Identifier: Apache-2.0
// The pipe to a guardian process, which releases what this process holds when this process dies without a chance to do so
// itself (SIGKILL). Each press is reported before it is sent. Without a guardian program every call does nothing.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace handeye::x11 {

/// Any thread may report; one at a time calls ensure().
class GuardianLink {
public:
    /// Starts the guardian program that lies beside this executable; a link that does nothing where there is none.
    static Result<std::unique_ptr<GuardianLink>> start(const std::string& display, const std::vector<std::uint8_t>& cookie);
    ~GuardianLink();
    GuardianLink(const GuardianLink&) = delete;
    GuardianLink& operator=(const GuardianLink&) = delete;

    /// To be called before something is pressed: a guardian that has died, or takes nothing, is replaced by one that knows what is
    /// held. Unavailable when none can be had. Does not keep those waiting who report.
    Result<void> ensure();
    void will_press_key(std::uint8_t code) { report(keys_, 'K', code, true); }
    void did_release_key(std::uint8_t code) { report(keys_, 'k', code, false); }
    void will_press_button(std::uint8_t number) { report(buttons_, 'B', number, true); }
    void did_release_button(std::uint8_t number) { report(buttons_, 'b', number, false); }
    void did_bind(std::uint8_t code) { report(bound_, 'M', code, true); }
    void did_unbind(std::uint8_t code) { report(bound_, 'm', code, false); }

private:
    using Held = std::array<bool, 256>;
    GuardianLink() = default;
    Result<FileDescriptor> start_program();
    void report(Held& held, char what, std::uint8_t which, bool is_held);
    [[nodiscard]] std::string held_now() const; ///< the mutex is held
    void send_or_give_up(const std::string& messages);
    void end_program();

    std::string program_; ///< empty: there is none
    std::string display_;
    std::vector<std::uint8_t> cookie_;
    int pid_ = 0;
    std::mutex mutex_; // guards what follows
    FileDescriptor pipe_;
    Held keys_{};
    Held buttons_{};
    Held bound_{};
};

} // namespace handeye::x11
