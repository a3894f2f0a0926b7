// SPDX-License-Identifier: Apache-2.0
// One connection to a VNC server, which handeye-vnc holds for it. What that process says is checked like any stranger's word.
#pragma once

#include "base/child_process.h"
#include "base/clock.h"
#include "base/geometry.h"
#include "base/image.h"
#include "base/result.h"
#include "platforms/vnc/address.h"
#include "platforms/vnc/wire.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

namespace handeye::vnc {

struct LinkOptions {
    Address address;
    std::string user;
    std::optional<std::string> password;
    std::string ca_pem; ///< authorities; empty: certificates cannot be verified
    std::string tls = "auto";
};

/// What is known of the server now.
struct LinkState {
    Size size;
    std::string name;
    bool takes_unicode = false; ///< its clipboard
    bool is_encrypted = false;
    bool may_paint_pointer = false; ///< the server gave its shape away to nobody: it may be in the picture
    std::uint64_t changes = 0; ///< counts notices of changed pixels
    std::uint64_t changes_shown = 0; ///< those that the last snapshot shows
    TimePoint changed_at{};
    std::optional<std::string> clipboard_utf8;
    std::uint64_t fetches = 0; ///< of our clipboard's text, by programs there
    std::optional<Error> failure; ///< it is over
};

class Link {
public:
    /// Connected, and the first pixels are there. Unavailable: nobody there; PermissionDenied: wrong password, or no trust;
    /// DeadlineExceeded: the server said nothing for `patience`; ParseFailed: it breaks the protocol.
    static Result<std::unique_ptr<Link>> open(const LinkOptions& options, Duration patience, std::stop_token stop);
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // Any thread.
    [[nodiscard]] LinkState state() const;
    Result<void> send_pointer(PointerAsk pointer);
    Result<void> send_key(KeyAsk key);
    /// UTF-8; Latin-1 alone where the server takes no more. Empty: it is given up.
    Result<void> send_clipboard(std::string_view text_utf8);
    /// Asks for a sign that the server has read everything so far; returns its number.
    Result<std::uint64_t> begin_fence();
    /// DeadlineExceeded when the sign does not come, Cancelled when `stop` is requested.
    Result<void> wait_fence(std::uint64_t number, TimePoint deadline, const std::stop_token& stop);
    /// Both, and no more than one on its way: input is so many events ahead of the server at most.
    Result<void> keep_pace(TimePoint deadline, const std::stop_token& stop);
    /// Waits for a notice of changed pixels that is newer than `seen`; false: none until then.
    Result<bool> wait_change(std::uint64_t seen, TimePoint until, const std::stop_token& stop);

    /// Waits until our clipboard's text was fetched more often than `seen`; false: not until then.
    Result<bool> wait_fetch(std::uint64_t seen, TimePoint until, const std::stop_token& stop);

    /// The pixels with every change that the server knew of when it was asked. One thread at a time.
    Result<Image> snapshot(TimePoint deadline, const std::stop_token& stop);

private:
    explicit Link(LinkOptions options) : options_(std::move(options)) {}
    void run(const std::stop_token& stop);
    bool take_tell(int socket);
    void take_size(const std::vector<std::uint8_t>& payload, FileDescriptor pixels);
    void end(Error error);
    Result<void> send(Ask kind, std::string_view payload);
    [[nodiscard]] Error failure_now() const; ///< mutex_ is held

    const LinkOptions options_;
    mutable std::mutex mutex_; // guards what follows
    mutable std::condition_variable_any changed_;
    LinkState state_;
    bool is_ready_ = false;
    std::shared_ptr<FileDescriptor> socket_;
    pid_t pid_ = -1;         ///< of handeye-vnc, while it is ours to end
    bool is_over_ = false;   ///< nothing more is heard
    FileDescriptor pixels_;
    std::uint64_t fences_begun_ = 0;
    std::uint64_t fences_answered_ = 0;
    std::uint64_t pace_ = 0;     ///< the fence that input waits for
    int events_ahead_ = 0;       ///< since then
    std::mutex send_mutex_;      // whole messages
    std::jthread thread_;        // last: it starts the process, which dies with the thread that did
};

} // namespace handeye::vnc
