// SPDX-License-Identifier: Apache-2.0
// One HTTP GET whose answer comes in pieces, for files that are larger than memory. Redirects are the caller's to follow, so that it
// decides what goes where.
#pragma once

#include "base/net/http_client.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

struct HttpHead {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields; ///< names in lower case, as they came
    std::optional<std::uint64_t> content_length;
    /// The first field of that lower-case name; empty: none.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct HttpGetOptions {
    TlsOptions tls;
    std::vector<std::pair<std::string, std::string>> fields;  ///< of the request
    Duration connect_timeout = std::chrono::seconds(30);      ///< socket and TLS; and again for the head of the answer
    Duration idle_timeout = std::chrono::seconds(60);         ///< between two pieces of the body
    std::uint64_t body_bytes_max = 0;                         ///< a longer body is LimitExceeded
    std::optional<TimePoint> deadline = std::nullopt;         ///< of everything together
};

enum class HttpBody { Wanted, Unwanted };
struct HttpSink {
    /// What to do with what follows this head. An error ends the request with it.
    std::function<Result<HttpBody>(const HttpHead& head)> on_head;
    /// The next piece. An error ends the request with it.
    std::function<Result<void>(std::span<const std::uint8_t> piece)> on_body;
};

/// Any status is an answer. Unavailable (also a body that ends too early), DeadlineExceeded, Cancelled, LimitExceeded. The
/// sink is called on this thread.
Result<HttpHead> http_get(const HttpUrl& url, const HttpGetOptions& options, const HttpSink& sink, const std::stop_token& stop);

} // namespace handeye
