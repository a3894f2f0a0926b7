// SPDX-License-Identifier: Apache-2.0
// One HTTP request at a time: JSON posted to a URL. Redirects are not followed, so that nothing is sent anywhere else.
#pragma once

#include "base/net/client.h"
#include "base/result.h"

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>

namespace handeye {

struct HttpUrl {
    Endpoint endpoint; ///< with is_tls for https
    std::string target = "/";
};
/// "http://HOST[:PORT][/PATH]" or "https://...". InvalidArgument for everything else, also for a user, a password or a fragment in it.
/// The message does not hold the text, whose path may be a secret.
Result<HttpUrl> parse_http_url(std::string_view text);
/// Without the path: "https://hooks.example:443". For logs.
std::string origin_of(const HttpUrl& url);

struct HttpPostOptions {
    TlsOptions tls;
    Duration timeout = std::chrono::seconds(10); ///< for everything together
    std::size_t answer_bytes_max = 64U << 10U;
};
struct HttpAnswer {
    int status = 0;
    std::string body;
};
/// Any status is an answer. Unavailable, DeadlineExceeded, Cancelled; LimitExceeded for an answer that is too long.
Result<HttpAnswer> http_post_json(const HttpUrl& url, std::string_view json, const HttpPostOptions& options, const std::stop_token& stop);

} // namespace handeye
