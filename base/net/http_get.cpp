// SPDX-License-Identifier: Apache-2.0
#include "base/net/http_get.h"

#include "base/net/dial.h"
#include "base/net/http_head.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr unsigned kHttp11 = 11;
constexpr std::size_t kPieceBytes = 256U << 10U;

/// One request and its answer on one socket.
class Exchange {
public:
    Exchange(const HttpUrl& url, const HttpGetOptions& options, const std::stop_token& stop)
        : url_(url), options_(options), stop_(stop), what_(origin_of(url)), socket_(io_) {}

    Result<HttpHead> run(const HttpSink& sink) {
        socket_ = TRY(dial(io_, url_.endpoint, options_.tls, patience(options_.connect_timeout)));
        TRY(send());
        parser_.header_limit(kHeadBytesMax);
        parser_.body_limit(boost::none); // counted here: a limit of its own would refuse before the caller sees the head
        TRY(until_done(options_.connect_timeout, [this] { http::async_read_header(socket_, buffer_, parser_, [this](error_code ec, std::size_t) { done_ = ec; }); }));
        HttpHead head = head_of(parser_);
        const HttpBody body = TRY(sink.on_head(head));
        if (body == HttpBody::Wanted) {
            TRY(read_body(sink));
        }
        return head;
    }

private:
    [[nodiscard]] Patience patience(Duration timeout) const {
        const TimePoint end = std::chrono::steady_clock::now() + timeout;
        return {options_.deadline ? std::min(end, *options_.deadline) : end, timeout, stop_};
    }

    Result<void> until_done(Duration timeout, const std::function<void()>& start) {
        return run_operation(io_, socket_, done_, patience(timeout), what_, start);
    }

    Result<void> send() {
        http::request<http::empty_body> request(http::verb::get, url_.target, kHttp11);
        request.set(http::field::host, what_.substr(what_.find("//") + 2));
        request.set(http::field::user_agent, "handeye");
        request.set(http::field::accept_encoding, "identity"); // what is hashed is what is sent
        for (const auto& [name, value] : options_.fields) {
            request.set(name, value);
        }
        request.keep_alive(false);
        return until_done(options_.connect_timeout, [&] { http::async_write(socket_, request, [this](error_code ec, std::size_t) { done_ = ec; }); });
    }

    Result<void> read_body(const HttpSink& sink) {
        std::vector<std::uint8_t> piece(kPieceBytes);
        std::uint64_t total = 0;
        while (!parser_.is_done()) {
            parser_.get().body().data = piece.data();
            parser_.get().body().size = piece.size();
            parser_.get().body().more = true;
            const auto read = until_done(options_.idle_timeout, [this] { http::async_read_some(socket_, buffer_, parser_, [this](error_code ec, std::size_t) { done_ = ec; }); });
            const std::size_t bytes = piece.size() - parser_.get().body().size;
            total += bytes;
            if (total > options_.body_bytes_max) {
                return Error{ErrorCode::LimitExceeded, fmt::format("{}: an answer of more than {} bytes", what_, options_.body_bytes_max)};
            }
            if (bytes > 0) {
                TRY(sink.on_body(std::span(piece).first(bytes)));
            }
            if (!read && *done_ != http::error::need_buffer) {
                return read.error();
            }
        }
        return {};
    }

    const HttpUrl& url_;
    const HttpGetOptions& options_;
    const std::stop_token& stop_;
    const std::string what_;
    asio::io_context io_{1};
    AnySocket socket_;
    beast::flat_buffer buffer_;
    PieceParser parser_;
    std::optional<error_code> done_;
};

} // namespace

HttpHead head_of(const PieceParser& parser) {
    HttpHead head{.status = static_cast<int>(parser.get().result_int())};
    for (const auto& field : parser.get()) {
        std::string name(field.name_string());
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        head.fields.emplace_back(std::move(name), std::string(field.value()));
    }
    if (const auto length = parser.content_length(); length) {
        head.content_length = *length;
    }
    return head;
}

std::string_view HttpHead::field(std::string_view name) const {
    const auto found = std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
    return found == fields.end() ? std::string_view() : std::string_view(found->second);
}

Result<HttpHead> http_get(const HttpUrl& url, const HttpGetOptions& options, const HttpSink& sink, const std::stop_token& stop) {
    return Exchange(url, options, stop).run(sink);
}

} // namespace handeye
