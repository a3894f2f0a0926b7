// SPDX-License-Identifier: Apache-2.0
// One HTTP request whose answer is read as it comes, for servers that write an answer for minutes. Redirects are not followed.
#pragma once

#include "base/net/byte_stream.h"
#include "base/net/http_get.h"
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace handeye {

struct HttpStreamRequest {
    std::string method = "POST"; ///< or GET
    std::vector<std::pair<std::string, std::string>> fields;
    std::string_view body; ///< JSON; empty: none
};

/// One thread at a time, and in this order: send, read_head, read_some until it is empty. Each returns Unavailable when the connection
/// breaks, DeadlineExceeded or Cancelled as its wait says; the latter two close the connection.
class HttpStream {
public:
    /// Connects, and shakes hands where the URL says https.
    static Result<std::unique_ptr<HttpStream>> open(const HttpUrl& url, const TlsOptions& tls, const StreamWait& wait);
    /// Closes it: the other side sees that nobody listens any more.
    virtual ~HttpStream() = default;

    /// A server that refuses a body unread may close while it is sent: then this fails, and read_head() may still give its answer.
    virtual Result<void> send(const HttpStreamRequest& request, const StreamWait& wait) = 0;
    virtual Result<HttpHead> read_head(const StreamWait& wait) = 0;
    /// At least one byte of the body as soon as there is one, valid until the next call; empty: the body is whole.
    virtual Result<std::string_view> read_some(const StreamWait& wait) = 0;
};

} // namespace handeye
