// SPDX-License-Identifier: Apache-2.0
#include "base/net/dial.h"

#include "base/file.h"

#include <array>
#include <memory>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

namespace handeye {
namespace {

namespace ssl = asio::ssl;

constexpr std::size_t kBufferBytes = 16U << 10U; // a TLS record
constexpr std::size_t kPemBytesMax = 1U << 20U;
constexpr Duration kGoodbyeWait = std::chrono::milliseconds(500);

Error unusable(const std::filesystem::path& path, const error_code& ec) {
    return Error{ErrorCode::InvalidArgument, fmt::format("TLS: {} cannot be used: {}", path.string(), ec.message())};
}

/// An ordinary file: a FIFO would be waited for.
Result<std::string> read_pem(const std::filesystem::path& path) { return read_file(path, kPemBytesMax).with_context("TLS"); }

/// TLS to the server on one side, our end of a socket pair on the other, two copies between.
class TlsPipe : public std::enable_shared_from_this<TlsPipe> {
public:
    TlsPipe(asio::io_context& io, std::shared_ptr<ssl::context> context)
        : context_(std::move(context)), outer_(io, *context_), inner_(io), timer_(io) {}

    [[nodiscard]] AnySocket& socket() { return outer_.next_layer(); }
    Result<void> handshake(asio::io_context& io, const std::string& host, const Patience& patience, const std::string& what);
    /// The plain end.
    Result<AnySocket> open(asio::io_context& io);

private:
    void read_outer();
    void read_inner();
    void drop() {
        error_code ignored;
        timer_.cancel();
        inner_.close(ignored);
        outer_.next_layer().close(ignored);
    }

    std::shared_ptr<ssl::context> context_;
    ssl::stream<AnySocket> outer_;
    AnySocket inner_;
    asio::steady_timer timer_;
    std::array<char, kBufferBytes> from_server_{};
    std::array<char, kBufferBytes> to_server_{};
};

Result<void> TlsPipe::handshake(asio::io_context& io, const std::string& host, const Patience& patience, const std::string& what) {
    error_code ec;
    asio::ip::make_address(host, ec);
    if (ec) { // a name, not an address: say which of its certificates the server shall show
        std::string name = host; // SSL_set_tlsext_host_name() is a macro with C casts
        ::SSL_ctrl(outer_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }
    outer_.set_verify_callback(ssl::host_name_verification(host), ec);
    std::optional<error_code> done;
    outer_.async_handshake(ssl::stream_base::client, [&](error_code problem) { done = problem; });
    const auto shaken = run_until(io, done, patience, [this] { drop(); }, what);
    const long verdict = ::SSL_get_verify_result(outer_.native_handle());
    if (!shaken && verdict != X509_V_OK) {
        return Error{ErrorCode::Unavailable,
                     fmt::format("{}: its certificate does not prove that it is {}: {}", what, host, ::X509_verify_cert_error_string(verdict))};
    }
    return shaken;
}

Result<AnySocket> TlsPipe::open(asio::io_context& io) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
        return Error{ErrorCode::Unavailable, "no descriptors are left for a TLS connection"};
    }
    const asio::generic::stream_protocol protocol(AF_UNIX, 0);
    AnySocket plain(io);
    inner_.assign(protocol, ends[0]);
    plain.assign(protocol, ends[1]);
    read_outer();
    read_inner();
    return plain;
}

void TlsPipe::read_outer() {
    outer_.async_read_some(asio::buffer(from_server_), [self = shared_from_this()](error_code ec, std::size_t bytes) {
        if (ec) {
            self->drop();
            return;
        }
        asio::async_write(self->inner_, asio::buffer(self->from_server_.data(), bytes), [self](error_code problem, std::size_t) {
            problem ? self->drop() : self->read_outer();
        });
    });
}

void TlsPipe::read_inner() {
    inner_.async_read_some(asio::buffer(to_server_), [self = shared_from_this()](error_code ec, std::size_t bytes) {
        if (ec) { // our side has hung up: say so in TLS, then hang up too
            self->outer_.async_shutdown([self](error_code) { self->drop(); });
            self->timer_.expires_after(kGoodbyeWait);
            self->timer_.async_wait([self](error_code problem) { problem ? void() : self->drop(); });
            return;
        }
        asio::async_write(self->outer_, asio::buffer(self->to_server_.data(), bytes), [self](error_code problem, std::size_t) {
            problem ? self->drop() : self->read_inner();
        });
    });
}

Result<std::shared_ptr<ssl::context>> make_context(const TlsOptions& tls) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    ::SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    error_code ec;
    context->set_verify_mode(ssl::verify_peer, ec);
    if (tls.ca_file.empty()) {
        context->set_default_verify_paths(ec);
    } else {
        const std::string authorities = TRY(read_pem(tls.ca_file));
        if (context->add_certificate_authority(asio::buffer(authorities), ec); ec) {
            return unusable(tls.ca_file, ec);
        }
    }
    if (!tls.cert.empty()) {
        const std::string cert = TRY(read_pem(tls.cert));
        if (context->use_certificate_chain(asio::buffer(cert), ec); ec) {
            return unusable(tls.cert, ec);
        }
        const std::string key = TRY(read_pem(tls.key));
        if (context->use_private_key(asio::buffer(key), ssl::context::pem, ec); ec) {
            return unusable(tls.key, ec);
        }
    }
    return context;
}

Result<void> connect_socket(asio::io_context& io, AnySocket& socket, const Endpoint& endpoint, const Patience& patience) {
    const std::string what = "cannot connect to " + to_string(endpoint);
    std::optional<error_code> done;
    const auto close = [&socket] {
        error_code ignored;
        socket.close(ignored);
    };
    if (!endpoint.unix_path.empty()) {
        socket.async_connect(asio::local::stream_protocol::endpoint(endpoint.unix_path.string()), [&](error_code ec) { done = ec; });
        return run_until(io, done, patience, close, what);
    }
    asio::ip::tcp::resolver resolver(io);
    std::vector<AnySocket::endpoint_type> found;
    resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), asio::ip::resolver_base::numeric_service,
                           [&](error_code ec, const asio::ip::tcp::resolver::results_type& results) {
                               for (const auto& result : results) {
                                   found.emplace_back(result.endpoint());
                               }
                               done = ec;
                           });
    TRY(run_until(io, done, patience, [&resolver] { resolver.cancel(); }, what));
    done.reset();
    asio::async_connect(socket, found, [&](error_code ec, const AnySocket::endpoint_type&) { done = ec; });
    TRY(run_until(io, done, patience, close, what));
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    return {};
}

} // namespace

Result<void> run_until(asio::io_context& io, std::optional<error_code>& done, const Patience& patience, const std::function<void()>& give_up,
                       std::string_view what) {
    // What is posted may run after this has returned, on another thread's turn: then there is nothing to give up any more.
    const auto armed = std::make_shared<const std::function<void()>*>(&give_up);
    const auto end_it = [&io, armed] {
        asio::post(io, [armed] {
            if (*armed != nullptr) {
                (**armed)();
            }
        });
    };
    const std::stop_callback on_stop(patience.stop, end_it);
    bool is_late = false;
    io.restart();
    while (!done) {
        if (is_late) {
            io.run_one();
        } else if (io.run_one_until(patience.deadline) == 0 && !done) {
            is_late = true;
            io.restart();
            end_it();
        }
    }
    *armed = nullptr;
    if (!*done) {
        return {};
    }
    if (patience.stop.stop_requested()) {
        return Error{ErrorCode::Cancelled, fmt::format("{}: stopped", what)};
    }
    if (is_late) {
        return Error{ErrorCode::DeadlineExceeded,
                     fmt::format("{}: no answer within {} ms", what, std::chrono::floor<std::chrono::milliseconds>(patience.timeout).count())};
    }
    return Error{ErrorCode::Unavailable, fmt::format("{}: {}", what, done->message())};
}

Result<void> run_operation(asio::io_context& io, AnySocket& socket, std::optional<error_code>& done, const Patience& patience, std::string_view what,
                           const std::function<void()>& start) {
    done.reset();
    start();
    const auto close = [&socket] {
        error_code ignored;
        socket.close(ignored);
    };
    return run_until(io, done, patience, close, what);
}

Result<AnySocket> dial(asio::io_context& io, const Endpoint& endpoint, const TlsOptions& tls, const Patience& patience) {
    if (!endpoint.is_tls) {
        AnySocket socket(io);
        TRY(connect_socket(io, socket, endpoint, patience));
        return socket;
    }
    const auto pipe = std::make_shared<TlsPipe>(io, TRY(make_context(tls)));
    TRY(connect_socket(io, pipe->socket(), endpoint, patience));
    TRY(pipe->handshake(io, tls.server_name.empty() ? endpoint.host : tls.server_name, patience, to_string(endpoint)));
    return pipe->open(io);
}

} // namespace handeye
