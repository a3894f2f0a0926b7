// SPDX-License-Identifier: Apache-2.0
#include "server/transport/connection.h"

#include "base/log.h"
#include "server/console/guard.h"
#include "server/core.h"
#include "server/http_api.h"
#include "server/http_guard.h"
#include "server/transport/request_head.h"

#include <charconv>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::uint32_t kHeadBytesMax = 16U << 10U;
constexpr Duration kCloseWait = std::chrono::seconds(2); // for what is queued, and for the other side's close frame

constexpr std::size_t kSmallBytes = 64U << 10U; // what every connection may have unread, whatever its token has elsewhere
constexpr std::size_t kUnreadQueuesMax = 8;     // full queues that one token's connections together may have unread

constexpr auto kInvalidText = static_cast<CloseCode>(1007); // RFC 6455 7.4.1

// Beast checks UTF-8 as it comes, but lets an empty last fragment end a message in the midst of a character.
bool ends_inside_a_character(std::string_view text) {
    std::size_t behind = 0;
    while (behind < text.size() && (static_cast<unsigned char>(text[text.size() - 1 - behind]) & 0xC0U) == 0x80U) {
        ++behind;
    }
    if (behind == text.size()) {
        return false;
    }
    const auto lead = static_cast<unsigned char>(text[text.size() - 1 - behind]);
    const std::size_t wanted = lead >= 0xF0U ? 3 : lead >= 0xE0U ? 2 : lead >= 0xC0U ? 1 : 0;
    return behind < wanted;
}

HttpRequest read_request(http::request<http::string_body>&& request) {
    const auto field = [&](auto name) { return std::string(request[name]); };
    const std::string_view target(request.target().data(), request.target().size());
    return {.verb = std::string(request.method_string()),
            .path = std::string(target.substr(0, target.find('?'))),
            .authorization = field(http::field::authorization),
            .content_type = field(http::field::content_type),
            .scopes = field("Handeye-Scopes"),
            .last_event_id = field("Last-Event-ID"),
            .body = std::move(request.body())};
}

} // namespace

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(ConnectionSet& set, std::uint64_t number, AnySocket socket, Entrance entrance)
        : set_(set), core_(set.core()), number_(number), entrance_(std::move(entrance)),
          stream_(std::move(socket)), write_timer_(core_.loop.context()), close_timer_(core_.loop.context()) {}
    ~Connection() { set_.remove(number_); }

    void start() {
        parser_.header_limit(kHeadBytesMax);
        parser_.body_limit(core_.options.message_bytes_max);
        beast::get_lowest_layer(stream_).expires_after(core_.options.identify_timeout);
        http::async_read_header(stream_.next_layer(), buffer_, parser_,
                                [self = shared_from_this()](error_code ec, std::size_t) { self->on_head(ec); });
    }

    /// Of the token that let it in; empty: it needed none, or has not shown it yet.
    [[nodiscard]] std::string_view token_sha256() const { return peer_ ? std::string_view(peer_->token_sha256()) : std::string_view(); }
    [[nodiscard]] std::size_t unread_bytes() const { return response_.body().size() + (is_writing_ ? outgoing_.bytes.size() : 0) + (peer_ ? peer_->queue().bytes() : 0); }
    [[nodiscard]] bool is_identified() const { return is_admitted_ || (peer_ && peer_->is_identified()); }
    [[nodiscard]] const Entrance& entrance() const { return entrance_; }

    void close(CloseCode code, const std::string& reason) {
        if (peer_) {
            peer_->close(code, reason);
        } else {
            drop();
        }
    }

    void drop() {
        hang_up_ = nullptr;
        error_code ignored;
        beast::get_lowest_layer(stream_).socket().close(ignored);
    }

private:
    void on_head(error_code ec) {
        if (ec) {
            if (ec != http::error::end_of_stream && ec != beast::error::timeout && ec != asio::error::operation_aborted) {
                refuse(ec == http::error::header_limit ? HttpRefusal{431, "the request head passes 16 KiB"}
                       : ec == http::error::body_limit ? HttpRefusal{413, "the body passes the limit"}
                                                       : HttpRefusal{400, "this is no HTTP request"});
            }
            return;
        }
        if (is_upgrade_wanted(read_head(parser_.get()))) {
            upgrade();
        }
    }

    /// False: the request has had its answer, or gets it.
    bool is_upgrade_wanted(const RequestHead& head) {
        if (!entrance_.is_console) {
            const bool is_api = is_api_path(std::string_view(head.target).substr(0, head.target.find('?')));
            // A TLS client was led here by the certificate, not by a name that might rebind.
            const auto port = entrance_.is_tls ? std::nullopt : entrance_.tcp_port;
            const auto refusal = is_api ? check_sender(head, port) : check_request(head, port);
            const bool has_body = parser_.content_length().value_or(0) > 0 || parser_.chunked();
            if (has_body && !is_api) {
                refuse({413, "no request here has a body"});
                return false;
            }
            if (refusal) {
                refuse(*refusal);
            } else if (is_api) {
                read_body();
            }
            return !refusal && !is_api;
        }
        const auto routed = route_console_request(head, *entrance_.tcp_port);
        if (const auto* const refusal = std::get_if<HttpRefusal>(&routed); refusal != nullptr) {
            refuse(*refusal);
        } else if (const auto* const file = std::get_if<const ConsoleFile*>(&routed); file != nullptr) {
            send_file(**file);
        }
        return std::holds_alternative<ConsoleUpgrade>(routed);
    }

    void upgrade() {
        if (buffer_.size() != 0) { // bytes behind the head, before our answer: not what a WebSocket client does
            refuse({400, "the client speaks before its turn"});
            return;
        }
        beast::get_lowest_layer(stream_).expires_never(); // the WebSocket has timeouts of its own
        stream_.set_option(websocket::stream_base::timeout{core_.options.identify_timeout, core_.options.idle_timeout, true});
        stream_.read_message_max(core_.options.message_bytes_max);
        stream_.auto_fragment(false);
        stream_.async_accept(parser_.get(), [self = shared_from_this()](error_code problem) { self->on_accept(problem); });
    }

    void read_body() {
        body_parser_.emplace(std::move(parser_));
        http::async_read(stream_.next_layer(), buffer_, *body_parser_, [self = shared_from_this()](error_code ec, std::size_t) {
            if (!ec) {
                self->serve(read_request(self->body_parser_->release()));
            } else if (ec == http::error::body_limit) {
                self->refuse({413, "the body passes the limit"});
            }
        });
    }

    void serve(const HttpRequest& request) {
        beast::get_lowest_layer(stream_).expires_never(); // the answer may take its time
        const Peer::Link link{[weak = weak_from_this()] {
                                  if (const auto self = weak.lock(); self && self->is_event_stream_ && !self->is_shed()) {
                                      self->write_events();
                                  }
                              },
                              [weak = weak_from_this()](CloseCode, const std::string&) {
                                  if (const auto self = weak.lock(); self) {
                                      self->drop();
                                  }
                              }};
        auto admitted = admit(core_, {!entrance_.tcp_port.has_value(), entrance_.address}, link, request);
        if (const auto* const refusal = std::get_if<HttpResponse>(&admitted); refusal != nullptr) {
            answer(*refusal);
            return;
        }
        const auto peer = std::get<std::shared_ptr<Peer>>(admitted);
        peer_ = peer; // counts as a connection of its token until the answer is read
        is_admitted_ = peer->origin().is_local_user || !peer->token_sha256().empty(); // others come this far for /health and /ready
        if (const auto session = event_stream_session(request); session && peer->scopes().has(Scope::Observe)) {
            stream_events(peer, *session, request.last_event_id);
            return;
        }
        is_answered_ = false;
        hang_up_ = serve_http(core_, peer, request, [self = shared_from_this()](const HttpResponse& response) {
            self->is_answered_ = true;
            self->hang_up_ = nullptr; // it holds this function, and with it the connection
            if (self->exceeds_share(response.body.size())) { // an answer of this size was a question, which can be asked again
                self->answer(to_response({ErrorKind::Overloaded,
                                          fmt::format("what this token's connections have not read passes {} bytes", self->share_bytes()), ""}));
            } else {
                self->answer(response);
            }
        });
        if (is_answered_) {
            hang_up_ = nullptr;
        } else {
            watch_for_hang_up();
        }
    }

    // A client that half-closes still gets its answer, if there is one.
    void watch_for_hang_up() {
        stream_.next_layer().async_read_some(buffer_.prepare(1), [self = shared_from_this()](error_code ec, std::size_t) {
            if (!ec && !self->is_answered_) {
                self->watch_for_hang_up(); // noise
            } else if (const auto hang_up = std::exchange(self->hang_up_, nullptr); hang_up) {
                hang_up();
            }
        });
    }

    [[nodiscard]] std::size_t share_bytes() const { return kUnreadQueuesMax * core_.options.queue_bytes_max; }

    /// True when `bytes` here are too many beside those that the token's other connections have not read.
    [[nodiscard]] bool exceeds_share(std::size_t bytes) const {
        const std::size_t beside = bytes > kSmallBytes ? set_.unread_beside(*this) : 0;
        return beside > 0 && beside + bytes > share_bytes();
    }

    /// True: it had more than its share, and is closing.
    bool is_shed() {
        const bool is_over = peer_ && exceeds_share(unread_bytes());
        if (is_over) {
            peer_->close_slow();
        }
        return is_over;
    }

    void answer(const HttpResponse& response) {
        response_.result(static_cast<unsigned>(response.status));
        response_.set(http::field::content_type, response.content_type);
        response_.body() = response.body;
        respond();
    }

    // Server-sent events: the peer's own subscription, written as text; Last-Event-ID is the cursor.
    void stream_events(const std::shared_ptr<Peer>& peer, const std::string& session, const std::string& last_event_id) {
        std::uint64_t last = 0;
        const char* const end = last_event_id.data() + last_event_id.size();
        const auto parsed = std::from_chars(last_event_id.data(), end, last);
        if (!last_event_id.empty() && (parsed.ec != std::errc() || parsed.ptr != end || last == std::numeric_limits<std::uint64_t>::max())) {
            answer({400, "text/plain; charset=utf-8", "Last-Event-ID is the number of an event\n"});
            return;
        }
        const auto made = peer->feed().subscribe({.sessions = {session}, .types = {}, .from_seq = last + 1});
        if (const auto* const error = std::get_if<RpcError>(&made); error != nullptr) {
            answer({404, "text/plain; charset=utf-8", error->message + "\n"});
            return;
        }
        is_event_stream_ = true;
        is_writing_ = true;
        outgoing_.bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                          "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";
        write_outgoing();
        watch_for_end();
    }

    void watch_for_end() {
        stream_.next_layer().async_read_some(buffer_.prepare(1), [self = shared_from_this()](error_code, std::size_t) {
            self->drop(); // who listens has nothing to say: this is the end, or noise
            self->peer_.reset();
        });
    }

    void write_events() {
        while (!is_writing_ && peer_ && !peer_->queue().is_empty()) {
            outgoing_.bytes = to_server_sent(peer_->queue().pop().bytes);
            is_writing_ = !outgoing_.bytes.empty();
            if (is_writing_) {
                write_outgoing();
            }
        }
    }

    void write_outgoing() {
        beast::get_lowest_layer(stream_).expires_after(core_.options.write_timeout);
        asio::async_write(stream_.next_layer(), asio::buffer(outgoing_.bytes), [self = shared_from_this()](error_code ec, std::size_t) {
            self->is_writing_ = false;
            beast::get_lowest_layer(self->stream_).expires_never();
            if (ec || !self->peer_) {
                self->drop();
                return;
            }
            self->peer_->on_sent();
            self->write_events();
        });
    }

    void refuse(const HttpRefusal& refusal) {
        response_.result(static_cast<unsigned>(refusal.status));
        response_.set(http::field::content_type, "text/plain; charset=utf-8");
        response_.body() = refusal.reason + "\n";
        respond();
    }

    void send_file(const ConsoleFile& file) {
        const std::string tag = entity_tag_of(file);
        const bool is_known = parser_.get()[http::field::if_none_match] == tag;
        response_.result(is_known ? http::status::not_modified : http::status::ok);
        response_.set(http::field::content_type, content_type_of(file));
        response_.set(http::field::etag, tag);
        response_.set(http::field::cache_control, "no-cache"); // keep it, and ask each time: the program may be a newer one
        response_.set("Content-Security-Policy", kConsoleContentPolicy);
        response_.set("Cross-Origin-Opener-Policy", "same-origin");
        response_.set("Cross-Origin-Resource-Policy", "same-origin");
        response_.body() = is_known ? std::string_view() : file.text;
        respond();
    }

    void respond() {
        response_.set("X-Content-Type-Options", "nosniff");
        response_.set("Referrer-Policy", "no-referrer");
        response_.keep_alive(false);
        response_.prepare_payload();
        beast::get_lowest_layer(stream_).expires_after(core_.options.write_timeout); // who does not read it holds no place
        http::async_write(stream_.next_layer(), response_, [self = shared_from_this()](error_code, std::size_t) {
            error_code ignored;
            beast::get_lowest_layer(self->stream_).socket().shutdown(asio::socket_base::shutdown_send, ignored);
            self->drop(); // ends the watch, too
        });
    }

    void on_accept(error_code ec) {
        if (ec) {
            return;
        }
        peer_ = std::make_shared<Peer>(core_, Peer::Origin{!entrance_.tcp_port.has_value(), entrance_.address, entrance_.is_console},
                                       Peer::Link{[weak = weak_from_this()] {
                                                      if (const auto self = weak.lock(); self && !self->is_shed()) {
                                                          self->write_next();
                                                      }
                                                  },
                                                  [weak = weak_from_this()](CloseCode code, const std::string& reason) {
                                                      if (const auto self = weak.lock(); self) {
                                                          self->begin_close(code, reason);
                                                      }
                                                  }});
        peer_->open();
        read_next();
    }

    void read_next() {
        stream_.async_read(buffer_, [self = shared_from_this()](error_code ec, std::size_t) { self->on_read(ec); });
    }

    void on_read(error_code ec) {
        if (ec) {
            drop(); // also ends a write that is under way
            return;
        }
        if (!stream_.got_text()) {
            peer_->take_binary();
        } else {
            const auto data = buffer_.data();
            const std::string_view text{static_cast<const char*>(data.data()), data.size()};
            if (ends_inside_a_character(text)) {
                peer_->close(kInvalidText, "text must be UTF-8");
            } else {
                peer_->take_text(text);
            }
        }
        buffer_.consume(buffer_.size());
        if (peer_->is_identified() && peer_->scopes().has(Scope::Engine)) {
            stream_.read_message_max(kPictureMessageBytesMax);
        }
        read_next();
    }

    void write_next() {
        if (is_writing_ || is_close_sent_) {
            return;
        }
        if (peer_->queue().is_empty()) {
            if (close_) {
                is_close_sent_ = true;
                stream_.async_close(*close_, [self = shared_from_this()](error_code) { self->drop(); });
            }
            return;
        }
        is_writing_ = true;
        outgoing_ = peer_->queue().pop();
        stream_.text(!outgoing_.is_binary);
        write_timer_.expires_after(core_.options.write_timeout);
        write_timer_.async_wait([weak = weak_from_this()](error_code ec) {
            if (const auto self = weak.lock(); self && !ec) {
                self->peer_->close_slow();
            }
        });
        stream_.async_write(asio::buffer(outgoing_.bytes), [self = shared_from_this()](error_code ec, std::size_t) { self->on_write(ec); });
    }

    void on_write(error_code ec) {
        is_writing_ = false;
        write_timer_.cancel();
        if (ec) {
            drop();
            return;
        }
        peer_->on_sent();
        write_next();
    }

    void begin_close(CloseCode code, const std::string& reason) {
        close_.emplace(static_cast<websocket::close_code>(code));
        const std::string_view shown = std::string_view(reason).substr(0, 123); // what a close frame can hold
        close_->reason.assign(shown.data(), shown.size());
        close_timer_.expires_after(kCloseWait);
        close_timer_.async_wait([weak = weak_from_this()](error_code ec) {
            if (const auto self = weak.lock(); self && !ec) {
                self->drop();
            }
        });
        write_next();
    }

    ConnectionSet& set_;
    Core& core_;
    const std::uint64_t number_;
    const Entrance entrance_;
    WebSocketStream stream_;
    beast::flat_buffer buffer_;
    http::request_parser<http::empty_body> parser_;
    std::optional<http::request_parser<http::string_body>> body_parser_;
    http::response<http::string_body> response_;
    bool is_admitted_ = false; ///< its request came from this user, or with a token
    bool is_event_stream_ = false;
    bool is_answered_ = false; ///< the HTTP request
    HangUp hang_up_;           ///< until it is
    OutMessage outgoing_;
    bool is_writing_ = false;
    bool is_close_sent_ = false;
    std::optional<websocket::close_reason> close_;
    asio::steady_timer write_timer_;
    asio::steady_timer close_timer_;
    std::shared_ptr<Peer> peer_;
};

std::size_t ConnectionSet::unread_beside(const Connection& connection) const {
    std::size_t bytes = 0;
    for (const auto& [number, weak] : connections_) {
        const auto other = connection.token_sha256().empty() ? nullptr : weak.lock();
        if (other && other.get() != &connection && other->token_sha256() == connection.token_sha256()) {
            bytes += other->unread_bytes();
        }
    }
    return bytes;
}

void ConnectionSet::accept(AnySocket socket, Entrance entrance) {
    std::shared_ptr<Connection> oldest;
    std::size_t unidentified = 0;
    for (const auto& [number, weak] : connections_) {
        // Of this entrance alone: strangers at one door push nobody out who came through another.
        if (const auto connection = weak.lock(); connection && !connection->is_identified() && connection->entrance().tcp_port == entrance.tcp_port) {
            ++unidentified;
            oldest = oldest ? oldest : connection;
        }
    }
    const bool is_full = connections_.size() >= core_.options.connections_max - (entrance.tcp_port ? core_.kept_places() : 0);
    if (is_full && !oldest) {
        return; // the socket closes with this call; a full house is the operator's to widen
    }
    if (oldest && (is_full || unidentified >= core_.options.unidentified_max)) {
        oldest->drop(); // newcomers get their chance: dribblers cannot fill the house
    }
    const std::uint64_t number = next_number_++;
    const auto connection = std::make_shared<Connection>(*this, number, std::move(socket), std::move(entrance));
    connections_[number] = connection;
    connection->start();
}

void ConnectionSet::close_all(CloseCode code, const std::string& reason) {
    const auto now = connections_;
    for (const auto& [number, weak] : now) {
        if (const auto connection = weak.lock(); connection) {
            connection->close(code, reason);
        }
    }
}

} // namespace handeye
