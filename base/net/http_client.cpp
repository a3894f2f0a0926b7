// SPDX-License-Identifier: Apache-2.0
#include "base/net/http_client.h"

#include "base/net/dial.h"

#include <algorithm>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kUrlBytesMax = 8192; // signed links of content networks are long
constexpr unsigned kHttp11 = 11;

} // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
    const Error bad{ErrorCode::InvalidArgument, "the URL is none of the form http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH"};
    const bool is_tls = text.starts_with("https://");
    const bool is_printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
    if ((!is_tls && !text.starts_with("http://")) || text.size() > kUrlBytesMax || !is_printable || text.find_first_of("#\"<>\\") != std::string_view::npos) {
        return bad;
    }
    text.remove_prefix(is_tls ? 8 : 7);
    const std::size_t slash = std::min(text.find_first_of("/?"), text.size());
    std::string authority(text.substr(0, slash));
    const bool is_bracketed = authority.starts_with('['); // an IPv6 address has colons of its own
    if (is_bracketed ? authority.ends_with(']') : authority.find(':') == std::string::npos) {
        authority += is_tls ? ":443" : ":80";
    }
    auto endpoint = parse_endpoint(authority);
    if (!endpoint || authority.find('@') != std::string::npos || endpoint->is_tls || !endpoint->unix_path.empty() || endpoint->port == 0) {
        return bad;
    }
    endpoint->is_tls = is_tls;
    std::string target(text.substr(slash));
    if (!target.starts_with('/')) {
        target.insert(0, "/");
    }
    return HttpUrl{std::move(*endpoint), std::move(target)};
}

std::string origin_of(const HttpUrl& url) {
    Endpoint plain = url.endpoint;
    plain.is_tls = false;
    return (url.endpoint.is_tls ? "https://" : "http://") + to_string(plain);
}

Result<HttpAnswer> http_post_json(const HttpUrl& url, std::string_view json, const HttpPostOptions& options, const std::stop_token& stop) {
    asio::io_context io{1};
    const Patience patience{std::chrono::steady_clock::now() + options.timeout, options.timeout, stop};
    const std::string what = origin_of(url);
    AnySocket socket = TRY(dial(io, url.endpoint, options.tls, patience));
    const auto close = [&socket] {
        error_code ignored;
        socket.close(ignored);
    };
    http::request<http::string_body> request(http::verb::post, url.target, kHttp11, std::string(json));
    request.set(http::field::host, what.substr(what.find("//") + 2));
    request.set(http::field::user_agent, "handeye");
    request.set(http::field::content_type, "application/json");
    request.keep_alive(false);
    request.prepare_payload();
    std::optional<error_code> done;
    http::async_write(socket, request, [&](error_code ec, std::size_t) { done = ec; });
    TRY(run_until(io, done, patience, close, what));
    done.reset();
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(options.answer_bytes_max);
    http::async_read(socket, buffer, parser, [&](error_code ec, std::size_t) { done = ec; });
    if (auto read = run_until(io, done, patience, close, what); !read) {
        return *done == http::error::body_limit ? Error{ErrorCode::LimitExceeded, fmt::format("{}: an answer of more than {} bytes", what, options.answer_bytes_max)}
                                                : std::move(read).error();
    }
    return HttpAnswer{static_cast<int>(parser.get().result_int()), parser.get().body()};
}

} // namespace handeye
