// SPDX-License-Identifier: Apache-2.0
#include "base/net/http_stream.h"

#include "base/net/dial.h"
#include "base/net/http_head.h"

#include <array>

namespace handeye {
namespace {

constexpr unsigned kHttp11 = 11;
constexpr std::size_t kPieceBytes = 64U << 10U;

class BeastStream final : public HttpStream {
public:
    explicit BeastStream(const HttpUrl& url) : url_(url), what_(origin_of(url)), socket_(io_), piece_(kPieceBytes) {
        parser_.header_limit(kHeadBytesMax);
        parser_.body_limit(boost::none); // who reads counts
    }

    Result<void> open(const TlsOptions& tls, const StreamWait& wait) {
        socket_ = TRY(dial(io_, url_.endpoint, tls, patience(wait)));
        return {};
    }

    Result<void> send(const HttpStreamRequest& given, const StreamWait& wait) override {
        using Body = http::span_body<const char>;
        http::request<Body> request(http::string_to_verb(given.method), url_.target, kHttp11);
        request.set(http::field::host, what_.substr(what_.find("//") + 2));
        request.set(http::field::user_agent, "handeye");
        request.set(http::field::accept_encoding, "identity");
        if (!given.body.empty()) {
            request.set(http::field::content_type, "application/json");
        }
        for (const auto& [name, value] : given.fields) {
            request.set(name, value);
        }
        request.keep_alive(false);
        request.body() = Body::value_type(given.body.data(), given.body.size());
        request.prepare_payload();
        return until_done(wait, [&] { http::async_write(socket_, request, [this](error_code ec, std::size_t) { done_ = ec; }); });
    }

    Result<HttpHead> read_head(const StreamWait& wait) override {
        TRY(until_done(wait, [this] { http::async_read_header(socket_, buffer_, parser_, [this](error_code ec, std::size_t) { done_ = ec; }); }));
        return head_of(parser_);
    }

    Result<std::string_view> read_some(const StreamWait& wait) override {
        while (!parser_.is_done()) {
            auto& body = parser_.get().body();
            body.data = piece_.data();
            body.size = piece_.size();
            body.more = true;
            const auto read = until_done(wait, [this] { http::async_read_some(socket_, buffer_, parser_, [this](error_code ec, std::size_t) { done_ = ec; }); });
            const std::size_t bytes = piece_.size() - body.size;
            if (!read && *done_ != http::error::need_buffer && bytes == 0) {
                return read.error();
            }
            if (bytes > 0) { // what broke off behind them, the next call says
                return std::string_view(piece_.data(), bytes);
            }
        }
        return std::string_view();
    }

private:
    static Patience patience(const StreamWait& wait) { return {wait.deadline, wait.timeout, wait.stop}; }

    Result<void> until_done(const StreamWait& wait, const std::function<void()>& start) {
        return run_operation(io_, socket_, done_, patience(wait), what_, start);
    }

    const HttpUrl url_;
    const std::string what_;
    asio::io_context io_{1};
    AnySocket socket_;
    beast::flat_buffer buffer_;
    PieceParser parser_;
    std::vector<char> piece_;
    std::optional<error_code> done_;
};

} // namespace

Result<std::unique_ptr<HttpStream>> HttpStream::open(const HttpUrl& url, const TlsOptions& tls, const StreamWait& wait) {
    auto stream = std::make_unique<BeastStream>(url);
    TRY(stream->open(tls, wait));
    return std::unique_ptr<HttpStream>(std::move(stream));
}

} // namespace handeye
