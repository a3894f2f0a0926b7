// SPDX-License-Identifier: Apache-2.0
#include "server/tls_gate.h"

#include "base/log.h"

#include <array>

#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace handeye {
namespace {

namespace ssl = asio::ssl;

constexpr int kHandshakesMax = 64;
constexpr mode_t kOthers = 0077;
constexpr Duration kFarewell = std::chrono::seconds(1);
constexpr std::size_t kBufferBytes = 16U << 10U; // a TLS record

/// One client: its TLS stream on one side, our end of the socket pair on the other, two copies between.
class Pipe : public std::enable_shared_from_this<Pipe> {
public:
    Pipe(AnySocket socket, ssl::context& context, TlsGate::Timeouts timeouts, std::shared_ptr<int> handshakes)
        : outer_(std::move(socket), context), inner_(outer_.get_executor()), timer_(outer_.get_executor()), timeouts_(timeouts),
          handshakes_(std::move(handshakes)) {
        ++*handshakes_;
    }
    ~Pipe() { end_handshake(); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    void start(TlsGate::OnPlain on_plain) {
        drop_after(timeouts_.handshake);
        outer_.async_handshake(ssl::stream_base::server, [self = shared_from_this(), on_plain = std::move(on_plain)](error_code ec) {
            self->on_handshake(ec, on_plain);
        });
    }

private:
    void drop_after(Duration timeout) {
        timer_.expires_after(timeout);
        timer_.async_wait([weak = weak_from_this()](error_code ec) {
            if (const auto self = weak.lock(); self && !ec) {
                self->drop();
            }
        });
    }
    void on_handshake(error_code ec, const TlsGate::OnPlain& on_plain) {
        timer_.cancel();
        end_handshake();
        std::array<int, 2> ends{};
        if (ec || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
            drop();
            return;
        }
        const asio::generic::stream_protocol protocol(AF_UNIX, 0);
        AnySocket theirs(outer_.get_executor());
        error_code ignored;
        inner_.assign(protocol, ends[0], ignored);
        theirs.assign(protocol, ends[1], ignored);
        on_plain(std::move(theirs));
        read_outer();
        read_inner();
    }
    void read_outer() {
        outer_.async_read_some(asio::buffer(from_client_), [self = shared_from_this()](error_code ec, std::size_t bytes) {
            if (ec) {
                self->drop();
                return;
            }
            asio::async_write(self->inner_, asio::buffer(self->from_client_.data(), bytes), [self](error_code problem, std::size_t) {
                problem ? self->drop() : self->read_outer();
            });
        });
    }
    void read_inner() {
        inner_.async_read_some(asio::buffer(to_client_), [self = shared_from_this()](error_code ec, std::size_t bytes) {
            if (ec) { // the server has hung up: say so in TLS, then hang up too
                self->outer_.async_shutdown([self](error_code) { self->drop(); });
                self->drop_after(kFarewell);
                return;
            }
            self->drop_after(self->timeouts_.write); // the server may have hung up long ago: only this end would wait
            asio::async_write(self->outer_, asio::buffer(self->to_client_.data(), bytes), [self](error_code problem, std::size_t) {
                self->timer_.cancel();
                problem ? self->drop() : self->read_inner();
            });
        });
    }
    void drop() {
        error_code ignored;
        timer_.cancel();
        inner_.close(ignored);
        outer_.lowest_layer().close(ignored);
    }
    void end_handshake() {
        if (handshakes_) {
            --*handshakes_;
            handshakes_.reset();
        }
    }

    ssl::stream<AnySocket> outer_;
    AnySocket inner_;
    asio::steady_timer timer_;
    const TlsGate::Timeouts timeouts_;
    std::shared_ptr<int> handshakes_; // how many are at it; unset when this one is done
    std::array<char, kBufferBytes> from_client_{};
    std::array<char, kBufferBytes> to_client_{};
};

class PemGate final : public TlsGate {
public:
    explicit PemGate(Timeouts timeouts) : timeouts_(timeouts) {}

    Result<void> load(const TlsFiles& files) {
        ::SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
        error_code ec;
        context_.use_certificate_chain_file(files.cert.string(), ec);
        if (ec) {
            return unusable(files.cert, ec);
        }
        TRY(check_private(files.key));
        context_.use_private_key_file(files.key.string(), ssl::context::pem, ec);
        if (ec) {
            return unusable(files.key, ec);
        }
        if (!files.client_ca.empty()) {
            context_.load_verify_file(files.client_ca.string(), ec);
            if (ec) {
                return unusable(files.client_ca, ec);
            }
            context_.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
        }
        return {};
    }
    void accept(AnySocket socket, OnPlain on_plain) override {
        if (*handshakes_ >= kHandshakesMax) {
            log::warn("tls", "too many clients shake hands at one time: one is dropped");
            return;
        }
        std::make_shared<Pipe>(std::move(socket), context_, timeouts_, handshakes_)->start(std::move(on_plain));
    }

private:
    /// A file that is not there is for use_private_key_file() to name.
    static Result<void> check_private(const std::filesystem::path& path) {
        struct stat about {};
        if (::stat(path.c_str(), &about) == 0 && (about.st_mode & kOthers) != 0) {
            return Error{ErrorCode::PermissionDenied, fmt::format("tls: {} cannot be used: its mode is {:04o} and others may read it: chmod 600",
                                                                  path.string(), about.st_mode & 07777U)};
        }
        return {};
    }
    static Error unusable(const std::filesystem::path& path, const error_code& ec) {
        return Error{ErrorCode::InvalidArgument, fmt::format("tls: {} cannot be used: {}", path.string(), ec.message())};
    }
    const Timeouts timeouts_;
    ssl::context context_{ssl::context::tls_server};
    std::shared_ptr<int> handshakes_ = std::make_shared<int>(0);
};

} // namespace

Result<std::unique_ptr<TlsGate>> TlsGate::open(const TlsFiles& files, Timeouts timeouts) {
    auto gate = std::make_unique<PemGate>(timeouts);
    TRY(gate->load(files));
    return std::unique_ptr<TlsGate>(std::move(gate));
}

} // namespace handeye
