// SPDX-License-Identifier: Apache-2.0
// Connections of the endpoint: requests one after the other, each answered whole or as a stream. The I/O thread only.
#include "base/log.h"
#include "server/http_guard.h"
#include "server/openai/crowd.h"
#include "server/openai/door.h"
#include "server/openai/request_head.h"
#include "server/transport/beast_types.h"
#include "server/transport/request_head.h"

#include <deque>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr std::uint32_t kHeadBytesMax = 16U << 10U;
constexpr std::size_t kAheadBytesMax = 64U << 10U; // what a client may send before its answer
constexpr Duration kGoodbyeWait = std::chrono::seconds(2);
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);
constexpr unsigned kHttp11 = 11;

class Connection;

/// What connections share.
struct House {
    Loop& loop;
    OpenAiService& service;
    const OpenAiOptions& options;
    std::optional<std::uint16_t> guarded_port; ///< on loopback without a key Host must be of this machine, and no web page may ask
    Crowd crowd;
    std::map<std::uint64_t, std::weak_ptr<Connection>> connections;
};

OpenAiResponse refusal(int status, std::string message) { return to_response(ApiError{.status = status, .message = std::move(message)}); }

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(House& house, std::uint64_t number, AnySocket socket) : house_(house), number_(number), stream_(std::move(socket)) {}
    ~Connection() {
        stop_.request_stop();
        house_.crowd.leave(number_);
        house_.connections.erase(number_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void read_next() {
        parser_.emplace();
        parser_->header_limit(kHeadBytesMax);
        parser_->body_limit(boost::none); // judged with the rest of the head
        stop_ = std::stop_source();
        is_head_ = false;
        house_.crowd.fall_silent(number_);
        stream_.expires_after(is_first_ ? house_.options.head_timeout : house_.options.idle_timeout);
        is_first_ = false;
        http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](error_code ec, std::size_t) { self->on_head(ec); });
    }

    void drop() {
        stop_.request_stop();
        house_.crowd.leave(number_);
        house_.service.forget_gone();
        error_code ignored;
        stream_.socket().close(ignored);
    }

private:
    void on_head(error_code ec) {
        house_.crowd.speak(number_);
        if (ec == http::error::header_limit) {
            refuse(refusal(431, "the request's head passes 16 KiB"));
        } else if (ec == http::error::end_of_stream || ec == beast::error::timeout || ec == asio::error::operation_aborted) {
            drop();
        } else if (ec) {
            refuse(refusal(400, "this is no HTTP request"));
        } else {
            take_head();
        }
    }

    void take_head() {
        const auto& request = parser_->get();
        is_head_ = request.method() == http::verb::head;
        if (house_.guarded_port) {
            if (const auto problem = check_sender(read_head(request), house_.guarded_port); problem) {
                refuse(refusal(problem->status, problem->reason));
                return;
            }
        }
        if (const auto no = house_.service.check_head(openai_head(*parser_)); no) {
            refuse(*no); // before its body is read
            return;
        }
        stream_.expires_after(house_.options.body_timeout);
        if (beast::iequals(request[http::field::expect], "100-continue")) {
            write_continue();
        } else {
            read_body();
        }
    }

    void write_continue() {
        static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(stream_, asio::buffer(kGoOn), [self = shared_from_this()](error_code ec, std::size_t) { ec ? self->drop() : self->read_body(); });
    }

    void read_body() {
        body_parser_.emplace(std::move(*parser_));
        body_parser_->eager(true);
        body_parser_->body_limit(house_.options.body_bytes_max); // of chunks, whose sum no head tells
        read_more();
    }

    // Piece by piece: what all connections have of their bodies counts, not what they announce.
    void read_more() {
        if (body_parser_->is_done()) {
            serve(body_parser_->release());
            return;
        }
        http::async_read_some(stream_, buffer_, *body_parser_, [self = shared_from_this()](error_code ec, std::size_t) { self->on_more(ec); });
    }

    void on_more(error_code ec) {
        if (ec == http::error::body_limit) {
            refuse(refusal(413, fmt::format("the body passes {} bytes", house_.options.body_bytes_max)));
        } else if (ec) {
            drop();
        } else if (!house_.crowd.hold(number_, body_parser_->get().body().size())) {
            body_parser_.reset();
            refuse(to_response({.status = 429,
                                .message = fmt::format("the requests that are being read or wait hold {} bytes, and all together may hold {}; ask again later", house_.crowd.body_bytes(), house_.crowd.limits().body_bytes_max),
                                .type = "rate_limit_error",
                                .code = "overloaded"}));
        } else {
            read_more();
        }
    }

    void serve(http::request<http::string_body>&& request) {
        stream_.expires_never(); // the answer may take its time
        keep_alive_ = request.keep_alive();
        is_answered_ = false;
        is_begun_ = false;
        speaks_http11_ = request.version() >= kHttp11;
        OpenAiRequest asked{.path = path_of({request.target().data(), request.target().size()}), .body = std::move(request.body())};
        watch();
        house_.service.handle(std::move(asked), exchange());
    }

    /// What the service answers through. From another thread it arrives on this one, in order; a connection that is gone hears nothing.
    Exchange exchange() {
        const auto on_loop = [weak = weak_from_this(), &loop = house_.loop](auto function) {
            loop.dispatch([weak, function = std::move(function)]() mutable {
                if (const auto self = weak.lock(); self) {
                    function(*self);
                }
            });
        };
        return {.respond = [on_loop](OpenAiResponse response) { on_loop([response = std::move(response)](Connection& self) { self.respond(response); }); },
                .begin_stream = [on_loop] { on_loop([](Connection& self) { self.begin_stream(); }); },
                .send = [on_loop](std::string text) { on_loop([text = std::move(text)](Connection& self) { self.send(text); }); },
                .end = [on_loop] { on_loop([](Connection& self) { self.end(); }); },
                .stop = stop_.get_token()};
    }

    // While the model thinks: the end of the client, or the beginning of its next request. The read holds this object, which must
    // live until the answer is there.
    void watch() {
        is_watching_ = true;
        stream_.async_read_some(buffer_.prepare(kAheadBytesMax), [self = shared_from_this()](error_code ec, std::size_t bytes) {
            self->is_watching_ = false;
            self->buffer_.commit(bytes);
            self->on_watched(ec);
        });
    }

    // A client that has sent all may still read: EOF is not its end. One that has closed answers our next bytes with RST, so it gets
    // some: every client of HTTP/1.1 passes over a 100. After that only RST, or a write that fails, says that nobody reads.
    void await_reset() {
        static constexpr std::string_view kAnybody = "HTTP/1.1 100 Continue\r\n\r\n";
        if (!is_begun_ && speaks_http11_) {
            std::ignore = ::send(stream_.socket().native_handle(), kAnybody.data(), kAnybody.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        is_watching_ = true;
        stream_.socket().async_wait(asio::socket_base::wait_error, [self = shared_from_this()](error_code ec) {
            self->is_watching_ = false;
            self->on_watched(ec ? ec : asio::error::connection_reset);
        });
    }

    void on_watched(error_code ec) {
        if (is_finishing_) {
            linger();
        } else if (is_answered_ && (!ec || ec == asio::error::operation_aborted)) {
            read_next();
        } else if (ec == asio::error::eof) {
            is_answered_ ? read_next() : await_reset();
        } else if (ec || buffer_.size() > kAheadBytesMax) {
            is_gone_ = true;
            drop();
        } else {
            watch();
        }
    }

    void refuse(const OpenAiResponse& response) {
        keep_alive_ = false;
        respond(response);
    }

    void respond(const OpenAiResponse& response) {
        if (is_gone_) {
            return;
        }
        is_begun_ = true;
        house_.crowd.release(number_);
        response_ = http::response<http::string_body>();
        response_.result(static_cast<unsigned>(response.status));
        response_.version(kHttp11);
        response_.set(http::field::content_type, response.content_type);
        response_.set(http::field::cache_control, "no-store");
        response_.set("X-Content-Type-Options", "nosniff");
        if (response.status == 401) {
            response_.set(http::field::www_authenticate, "Bearer");
        }
        response_.body() = response.body;
        response_.keep_alive(keep_alive_);
        response_.prepare_payload();
        if (is_head_) { // its length is told, and nothing more
            response_.body().clear();
        }
        stream_.expires_after(house_.options.write_timeout);
        http::async_write(stream_, response_, [self = shared_from_this()](error_code ec, std::size_t) {
            self->is_answered_ = true;
            if (ec || !self->keep_alive_) {
                self->finish();
            } else if (self->is_watching_) {
                self->stream_.cancel(); // on_watched() reads the next request, under its time limit
            } else {
                self->read_next();
            }
        });
    }

    void begin_stream() {
        is_begun_ = true;
        house_.crowd.release(number_);
        keep_alive_ = false; // its end is the end of the connection
        send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
             "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n");
    }

    void send(const std::string& text) {
        if (is_gone_) {
            return;
        }
        unread_bytes_ += text.size();
        if (unread_bytes_ > house_.options.unread_bytes_max) { // it does not read: the model has others to answer
            is_gone_ = true;
            drop();
            return;
        }
        queue_.push_back(text);
        if (queue_.size() == 1) {
            write_front();
        }
    }

    void write_front() {
        stream_.expires_after(house_.options.write_timeout);
        asio::async_write(stream_, asio::buffer(queue_.front()), [self = shared_from_this()](error_code ec, std::size_t) {
            self->unread_bytes_ -= self->queue_.front().size();
            self->queue_.pop_front();
            self->stream_.expires_never();
            if (ec) {
                self->is_gone_ = true;
                self->drop();
            } else if (!self->queue_.empty()) {
                self->write_front();
            } else if (self->is_ended_) {
                self->finish();
            }
        });
    }

    void end() {
        is_ended_ = true;
        if (queue_.empty()) {
            finish();
        }
    }

    /// Ends what we send and reads on for a while: closing over bytes that were not read would throw away the answer.
    void finish() {
        is_gone_ = true;
        is_finishing_ = true;
        stop_.request_stop();
        error_code ignored;
        stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
        if (is_watching_) {
            stream_.cancel();
        } else {
            linger();
        }
    }

    void linger() {
        stream_.expires_after(kGoodbyeWait);
        linger_on();
    }

    void linger_on() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(kAheadBytesMax), [self = shared_from_this()](error_code ec, std::size_t) { ec ? self->drop() : self->linger_on(); });
    }

    House& house_;
    const std::uint64_t number_;
    AnyStream stream_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::empty_body>> parser_;
    std::optional<http::request_parser<http::string_body>> body_parser_;
    http::response<http::string_body> response_;
    std::stop_source stop_; ///< of the request that is being answered
    std::deque<std::string> queue_;
    std::size_t unread_bytes_ = 0;
    bool is_first_ = true;
    bool is_head_ = false; ///< HEAD: the answer has no body
    bool keep_alive_ = false;
    bool is_begun_ = false; ///< something of the answer was sent
    bool is_answered_ = false;
    bool speaks_http11_ = false;
    bool is_watching_ = false;
    bool is_ended_ = false;
    bool is_gone_ = false;
    bool is_finishing_ = false;
};

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

CrowdLimits crowd_limits(const OpenAiOptions& options) {
    return {.connections_max = options.connections_max,
            .address_connections_max = options.address_connections_max,
            .silent_max = options.silent_connections_max,
            .body_bytes_max = options.body_sum_factor * options.body_bytes_max};
}

/// The address's bytes; of IPv6 the first 64 bits, since one machine may have all the rest.
std::string address_of(const AnySocket& socket) {
    constexpr std::size_t kNetworkBytes = 8;
    error_code ec;
    const auto remote = socket.remote_endpoint(ec);
    if (ec) {
        return {}; // it has gone already
    }
    if (remote.protocol().family() == AF_INET6) {
        const auto* const six = reinterpret_cast<const sockaddr_in6*>(remote.data());
        const std::string bytes(reinterpret_cast<const char*>(&six->sin6_addr), sizeof six->sin6_addr);
        return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? bytes.substr(sizeof six->sin6_addr - sizeof(in_addr)) : bytes.substr(0, kNetworkBytes);
    }
    const auto* const four = reinterpret_cast<const sockaddr_in*>(remote.data());
    return {reinterpret_cast<const char*>(&four->sin_addr), sizeof four->sin_addr};
}

class Door final : public OpenAiDoor {
public:
    Door(Loop& loop, OpenAiService& service, const OpenAiOptions& options, ListenSocket socket)
        : house_{.loop = loop, .service = service, .options = options, .crowd = Crowd(crowd_limits(options))}, socket_(std::move(socket)), acceptor_(std::make_unique<Acceptor>(loop.context())) {
        if (options.api_key.empty() && is_loopback(options.listen)) {
            house_.guarded_port = socket_.port();
        }
    }

    Result<void> listen() {
        error_code ec;
        acceptor_->assign(asio::generic::stream_protocol(socket_.is_ipv6() ? AF_INET6 : AF_INET, IPPROTO_TCP), ::dup(socket_.get()), ec);
        if (ec) {
            return Error{ErrorCode::Unavailable, fmt::format("cannot listen: {}", ec.message())};
        }
        accept_next();
        return {};
    }

    void close() override {
        acceptor_.reset(); // its loop goes on without it
        const auto now = house_.connections;
        for (const auto& [number, weak] : now) {
            if (const auto connection = weak.lock(); connection) {
                connection->drop();
            }
        }
    }
    std::uint16_t port() const override { return socket_.port().value_or(0); }

private:
    void accept_next() {
        acceptor_->async_accept([this](error_code ec, AnySocket socket) {
            if (ec == asio::error::operation_aborted) {
                return;
            }
            if (ec) { // out of descriptors, most likely: give others time to close
                log::warn("serve", fmt::format("cannot accept: {}", ec.message()));
                house_.loop.after(kAcceptRetry, [this] { acceptor_ ? accept_next() : void(); });
                return;
            }
            take(std::move(socket));
            accept_next();
        });
    }

    void take(AnySocket socket) {
        const std::uint64_t number = next_number_++;
        const Crowd::Admission admission = house_.crowd.admit(number, address_of(socket));
        if (admission.leaves) {
            const auto silent = house_.connections.find(*admission.leaves);
            if (const auto connection = silent != house_.connections.end() ? silent->second.lock() : nullptr; connection) {
                connection->drop();
            }
        }
        if (!admission.is_admitted) {
            return; // the socket closes with this call
        }
        error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        const auto connection = std::make_shared<Connection>(house_, number, std::move(socket));
        house_.connections[number] = connection;
        connection->read_next();
    }

    House house_;
    ListenSocket socket_;
    std::unique_ptr<Acceptor> acceptor_;
    std::uint64_t next_number_ = 1;
};

} // namespace

Result<std::unique_ptr<OpenAiDoor>> OpenAiDoor::open(Loop& loop, OpenAiService& service, const OpenAiOptions& options, ListenSocket socket) {
    auto door = std::make_unique<Door>(loop, service, options, std::move(socket));
    TRY(door->listen());
    return std::unique_ptr<OpenAiDoor>(std::move(door));
}

} // namespace handeye
