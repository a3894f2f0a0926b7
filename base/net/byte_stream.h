// SPDX-License-Identifier: Apache-2.0
// One connection that carries plain bytes both ways, for protocols that no library speaks for us: the adb server's.
#pragma once

#include "base/net/client.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>

namespace handeye {

/// How long one read or write may take, and what ends it before. The time is the machine's steady clock's.
struct StreamWait {
    TimePoint deadline{};
    Duration timeout{}; ///< for messages: what the deadline was made from
    std::stop_token stop;

    static StreamWait lasting(Duration timeout, std::stop_token stop = {}) {
        return {std::chrono::steady_clock::now() + timeout, timeout, std::move(stop)};
    }
};

/// One thread at a time.
class ByteStream {
public:
    /// Unavailable: nobody listens there. DeadlineExceeded, Cancelled.
    static Result<std::unique_ptr<ByteStream>> connect(const Endpoint& endpoint, const StreamWait& wait, const TlsOptions& tls = {});
    /// Closes it.
    virtual ~ByteStream() = default;

    /// At least one byte, as soon as there is one; 0: the other side has ended the connection in order. DeadlineExceeded and
    /// Cancelled close it. `into` is not empty.
    virtual Result<std::size_t> read_some(std::span<std::uint8_t> into, const StreamWait& wait) = 0;
    /// Fills `into`. Unavailable names how many bytes came when the connection ends before.
    Result<void> read_exact(std::span<std::uint8_t> into, const StreamWait& wait);
    /// Returns when the operating system has taken all bytes.
    virtual Result<void> write_all(std::string_view bytes, const StreamWait& wait) = 0;
};

} // namespace handeye
