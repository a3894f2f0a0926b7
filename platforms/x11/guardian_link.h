// SPDX-License-Identifier: Apache-2.0
// The pipe to a guardian process, which releases what this process holds when this process dies without a chance to do so
// itself (SIGKILL). Each press is reported before it is sent. Without a guardian program every call does nothing.
#pragma once

#include "base/file.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace handeye::x11 {

/// Any thread may report.
class GuardianLink {
public:
    /// Starts the guardian program that lies beside this executable; a link that does nothing where there is none.
    static std::unique_ptr<GuardianLink> start(const std::string& display,
                                               const std::vector<std::uint8_t>& cookie);
    ~GuardianLink();
    GuardianLink(const GuardianLink&) = delete;
    GuardianLink& operator=(const GuardianLink&) = delete;

    [[nodiscard]] bool is_running() const { return pipe_.is_open(); }
    void will_press_key(std::uint8_t code) { report('K', code); }
    void did_release_key(std::uint8_t code) { report('k', code); }
    void will_press_button(unsigned number) { report('B', static_cast<std::uint8_t>(number)); }
    void did_release_button(unsigned number) { report('b', static_cast<std::uint8_t>(number)); }
    void did_bind(std::uint8_t code) { report('M', code); }
    void did_unbind(std::uint8_t code) { report('m', code); }

private:
    GuardianLink() = default;
    void report(char what, std::uint8_t which);

    FileDescriptor pipe_;
    int pid_ = 0;
};

} // namespace handeye::x11
