// SPDX-License-Identifier: Apache-2.0
// The WebSocket client: one io_context and one thread per connection; callers talk to it through two bounded queues.
#include "base/net/beast_types.h"
#include "base/net/client.h"
#include "base/net/dial.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <fmt/format.h>

namespace handeye {
namespace {

constexpr Duration kCloseWait = std::chrono::milliseconds(500);
constexpr std::uint16_t kBrokeOff = 1006; // RFC 6455, 7.1.5: no close frame came

std::string in_words(const WebSocketClose& end) {
    if (end.code == kBrokeOff) {
        return "the connection broke off: the other program ended, or the way to it did";
    }
    return fmt::format("the other side closed the connection: {} ({})", end.reason.empty() ? "it did not say why" : end.reason, end.code);
}

struct Outgoing {
    std::string text;
    bool is_written = false;
};

class Client final : public WebSocketClient {
public:
    explicit Client(WebSocketOptions options) : options_(std::move(options)), stream_(io_), timer_(io_) {}
    ~Client() override { finish(); }

    Result<void> open(const Endpoint& endpoint, const std::stop_token& stop);
    Result<void> send_text(std::string_view text, TimePoint deadline) override;
    Result<WebSocketMessage> receive(TimePoint deadline, std::stop_token stop) override;
    void close(std::uint16_t code, std::string_view reason) override;
    WebSocketClose close_reason() const override {
        const std::lock_guard lock(mutex_);
        return closed_.value_or(WebSocketClose{});
    }

private:
    void finish();
    // On the io thread.
    void read_next();
    void write_next();
    void start_close(websocket::close_reason reason);
    void ended();

    WebSocketOptions options_;
    asio::io_context io_{1};
    WebSocketStream stream_;
    asio::steady_timer timer_;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_; // until ended(): reading may pause
    beast::flat_buffer buffer_;
    std::deque<std::shared_ptr<Outgoing>> outbox_; // io thread only
    bool is_reading_ = false;                      // io thread only
    bool is_closing_ = false;                      // io thread only
    bool is_ended_ = false;                        // io thread only

    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::deque<WebSocketMessage> inbox_;
    std::size_t inbox_bytes_ = 0;
    std::optional<WebSocketClose> closed_;

    std::thread thread_;
};

Result<void> Client::open(const Endpoint& endpoint, const std::stop_token& stop) {
    const Patience patience{std::chrono::steady_clock::now() + options_.connect_timeout, options_.connect_timeout, stop};
    AnySocket& socket = beast::get_lowest_layer(stream_).socket();
    socket = TRY(dial(io_, endpoint, options_.tls, patience));
    stream_.set_option(websocket::stream_base::timeout{std::chrono::seconds(30), websocket::stream_base::none(), false});
    stream_.set_option(websocket::stream_base::decorator([this](websocket::request_type& request) {
        for (const auto& [name, value] : options_.headers) {
            request.set(name, value);
        }
    }));
    stream_.read_message_max(options_.message_bytes_max);
    std::string authority = "localhost";
    if (endpoint.unix_path.empty()) {
        Endpoint plain = endpoint;
        plain.is_tls = false;
        authority = to_string(plain);
    }
    std::optional<error_code> done;
    websocket::response_type response;
    stream_.async_handshake(response, authority, options_.target, [&](error_code ec) { done = ec; });
    const auto give_up = [&socket] {
        error_code ignored;
        socket.close(ignored);
    };
    if (auto answered = run_until(io_, done, patience, give_up, to_string(endpoint)); !answered) {
        Error error = std::move(answered).error();
        if (*done == websocket::error::upgrade_declined) {
            error.message = fmt::format("{} answered {} {} to the WebSocket upgrade", to_string(endpoint),
                                        response.result_int(), std::string(response.reason()));
        }
        return error;
    }
    io_.restart();
    work_.emplace(io_.get_executor());
    read_next();
    thread_ = std::thread([this] { io_.run(); });
    return {};
}

void Client::read_next() {
    {
        const std::lock_guard lock(mutex_);
        if (is_reading_ || is_ended_ || inbox_bytes_ > options_.inbox_bytes_max) {
            return; // receive() asks again when there is room
        }
    }
    is_reading_ = true;
    stream_.async_read(buffer_, [this](error_code ec, std::size_t) {
        is_reading_ = false;
        if (ec) {
            ended();
            return;
        }
        WebSocketMessage message{stream_.got_text(), beast::buffers_to_string(buffer_.data())};
        buffer_.consume(buffer_.size());
        {
            const std::lock_guard lock(mutex_);
            inbox_bytes_ += message.bytes.size();
            inbox_.push_back(std::move(message));
        }
        changed_.notify_all();
        read_next();
    });
}

void Client::ended() {
    is_ended_ = true;
    work_.reset();
    timer_.cancel();
    outbox_.clear();
    error_code ignored;
    beast::get_lowest_layer(stream_).socket().close(ignored);
    io_.stop(); // else the stream's own timer of the closing handshake, 30 s, keeps finish() waiting where no close frame comes back
    {
        const std::lock_guard lock(mutex_);
        if (!closed_) {
            const websocket::close_reason& said = stream_.reason();
            closed_ = said.code == websocket::close_code::none
                          ? WebSocketClose{}
                          : WebSocketClose{said.code, std::string(said.reason.data(), said.reason.size())};
        }
    }
    changed_.notify_all();
}

void Client::write_next() {
    stream_.text(true);
    const std::shared_ptr<Outgoing> outgoing = outbox_.front(); // its text outlives the writing of it, though ended() empties the outbox
    stream_.async_write(asio::buffer(outgoing->text), [this, outgoing](error_code ec, std::size_t) {
        if (ec || outbox_.empty()) {
            outbox_.clear();
            if (ec && !is_reading_) {
                ended(); // else the pending read reports the end
            }
            return;
        }
        {
            const std::lock_guard lock(mutex_);
            outgoing->is_written = true;
        }
        changed_.notify_all();
        outbox_.pop_front();
        if (!outbox_.empty()) {
            write_next();
        }
    });
}

Result<void> Client::send_text(std::string_view text, TimePoint deadline) {
    const auto outgoing = std::make_shared<Outgoing>(Outgoing{std::string(text)});
    asio::post(io_, [this, outgoing] {
        if (is_ended_ || is_closing_) {
            return;
        }
        outbox_.push_back(outgoing);
        if (outbox_.size() == 1) {
            write_next();
        }
    });
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return outgoing->is_written || closed_; });
    if (outgoing->is_written) {
        return {};
    }
    if (closed_) {
        return Error{ErrorCode::Unavailable, in_words(*closed_)};
    }
    return Error{ErrorCode::DeadlineExceeded, fmt::format("message of {} bytes was not taken in time", text.size())};
}

Result<WebSocketMessage> Client::receive(TimePoint deadline, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, deadline, [&] { return !inbox_.empty() || closed_; });
    if (!inbox_.empty()) {
        WebSocketMessage message = std::move(inbox_.front());
        inbox_.pop_front();
        const bool was_full = inbox_bytes_ > options_.inbox_bytes_max;
        inbox_bytes_ -= message.bytes.size();
        if (was_full) {
            asio::post(io_, [this] { read_next(); });
        }
        return message;
    }
    if (closed_) {
        return Error{ErrorCode::Unavailable, in_words(*closed_)};
    }
    if (stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, "stopped while waiting for a message"};
    }
    return Error{ErrorCode::DeadlineExceeded, "no message in time"};
}

void Client::start_close(websocket::close_reason reason) {
    if (is_ended_ || is_closing_) {
        return;
    }
    is_closing_ = true;
    timer_.expires_after(kCloseWait);
    timer_.async_wait([this](error_code ec) {
        if (!ec) {
            error_code ignored;
            beast::get_lowest_layer(stream_).socket().close(ignored);
        }
    });
    stream_.async_close(reason, [this](error_code) {
        if (!is_reading_) {
            ended(); // no read is pending that would notice
        }
    });
}

void Client::close(std::uint16_t code, std::string_view reason) {
    websocket::close_reason said(static_cast<websocket::close_code>(code));
    const std::string_view shown = reason.substr(0, 123); // what a close frame can hold
    said.reason.assign(shown.data(), shown.size());
    asio::post(io_, [this, said] { start_close(said); });
}

void Client::finish() {
    if (!thread_.joinable()) {
        return; // never opened
    }
    close(1000, "");
    thread_.join(); // ended() stops the context; the timer bounds how long the other side may put that off
}

} // namespace

Result<std::unique_ptr<WebSocketClient>> WebSocketClient::connect(const Endpoint& endpoint, const WebSocketOptions& options,
                                                                  std::stop_token stop) {
    auto client = std::make_unique<Client>(options);
    try {
        TRY(client->open(endpoint, stop));
    } catch (const std::exception& problem) { // an allocation or a bad path inside Asio
        return Error{ErrorCode::Unavailable, fmt::format("cannot connect to {}: {}", to_string(endpoint), problem.what())};
    }
    return std::unique_ptr<WebSocketClient>(std::move(client));
}

} // namespace handeye
