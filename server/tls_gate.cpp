// SPDX-License-Identifier: Apache-2.0
#include "server/tls_gate.h"

#include "base/file.h"
#include "base/log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace handeye {
namespace {

namespace ssl = asio::ssl;

constexpr std::size_t kHandshakesMax = 64;
constexpr std::size_t kHandshakesOfAnAddressMax = 32; // nobody alone takes every place
constexpr Duration kWarningEvery = std::chrono::seconds(10);
constexpr std::size_t kPemBytesMax = 1U << 20U;
constexpr mode_t kOthers = 0077;
constexpr Duration kFarewell = std::chrono::seconds(1);
constexpr std::size_t kBufferBytes = 16U << 10U; // a TLS record

class Pipe;
using Handshakes = std::vector<Pipe*>; // that are under way, the oldest first

/// One client: its TLS stream on one side, our end of the socket pair on the other, two copies between.
class Pipe : public std::enable_shared_from_this<Pipe> {
public:
    Pipe(AnySocket socket, std::string address, ssl::context& context, TlsGate::Timeouts timeouts, std::shared_ptr<Handshakes> handshakes)
        : outer_(std::move(socket), context), inner_(outer_.get_executor()), timer_(outer_.get_executor()), timeouts_(timeouts),
          address_(std::move(address)), handshakes_(std::move(handshakes)) {
        handshakes_->push_back(this);
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

    [[nodiscard]] const std::string& address() const { return address_; }
    /// True until its first message has come.
    [[nodiscard]] bool is_silent() { return ::SSL_get_state(outer_.native_handle()) == TLS_ST_BEFORE; }
    void drop() {
        error_code ignored;
        timer_.cancel();
        end_handshake();
        inner_.close(ignored);
        outer_.lowest_layer().close(ignored);
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
    void end_handshake() {
        if (handshakes_) {
            std::erase(*handshakes_, this);
            handshakes_.reset();
        }
    }

    ssl::stream<AnySocket> outer_;
    AnySocket inner_;
    asio::steady_timer timer_;
    const TlsGate::Timeouts timeouts_;
    const std::string address_;
    std::shared_ptr<Handshakes> handshakes_; // this one among them; unset when it is done
    std::array<char, kBufferBytes> from_client_{};
    std::array<char, kBufferBytes> to_client_{};
};

class PemGate final : public TlsGate {
public:
    explicit PemGate(Timeouts timeouts) : timeouts_(timeouts) {}

    Result<void> load(const TlsFiles& files) {
        SSL_CTX* const native = context_.native_handle();
        ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
        ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF); // no session is resumed: each time a client shows its certificate
        ::SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
        ::SSL_CTX_set_num_tickets(native, 0);
        error_code ec;
        const std::string cert = TRY(read_pem(files.cert));
        if (context_.use_certificate_chain(asio::buffer(cert), ec); ec) {
            return unusable(files.cert, ec);
        }
        TRY(check_private(files.key));
        const std::string key = TRY(read_pem(files.key));
        if (context_.use_private_key(asio::buffer(key), ssl::context::pem, ec); ec) {
            return unusable(files.key, ec);
        }
        if (!files.client_ca.empty()) {
            const std::string authorities = TRY(read_pem(files.client_ca));
            if (context_.add_certificate_authority(asio::buffer(authorities), ec); ec) {
                return unusable(files.client_ca, ec);
            }
            context_.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, ec);
        }
        return {};
    }
    void accept(AnySocket socket, const std::string& address, OnPlain on_plain) override {
        make_room(address);
        std::make_shared<Pipe>(std::move(socket), address, context_, timeouts_, handshakes_)->start(std::move(on_plain));
    }

private:
    /// Drops one that is not done, of `address` where that has too many: who has said nothing yet goes first, then the oldest.
    void make_room(const std::string& address) {
        Handshakes candidates = *handshakes_;
        std::erase_if(candidates, [&](const Pipe* one) { return one->address() != address; });
        if (candidates.size() < kHandshakesOfAnAddressMax) {
            candidates = *handshakes_;
            if (candidates.size() < kHandshakesMax) {
                return;
            }
        }
        const auto silent = std::find_if(candidates.begin(), candidates.end(), [](Pipe* one) { return one->is_silent(); });
        (silent != candidates.end() ? *silent : candidates.front())->drop();
        count_dropped();
    }
    void count_dropped() {
        ++dropped_;
        if (const TimePoint now = std::chrono::steady_clock::now(); now >= next_warning_) {
            log::warn("tls", fmt::format("too many clients shake hands at one time: dropped {} that were not done", std::exchange(dropped_, 0)));
            next_warning_ = now + kWarningEvery;
        }
    }
    /// A file that is not there is for read_pem() to name.
    static Result<void> check_private(const std::filesystem::path& path) {
        struct stat about {};
        if (::stat(path.c_str(), &about) == 0 && (about.st_mode & kOthers) != 0) {
            return Error{ErrorCode::PermissionDenied, fmt::format("tls: {} cannot be used: its mode is {:04o} and others may read it: chmod 600",
                                                                  path.string(), about.st_mode & 07777U)};
        }
        return {};
    }
    static Result<std::string> read_pem(const std::filesystem::path& path) { return read_file(path, kPemBytesMax).with_context("tls"); }
    static Error unusable(const std::filesystem::path& path, const error_code& ec) {
        return Error{ErrorCode::InvalidArgument, fmt::format("tls: {} cannot be used: {}", path.string(), ec.message())};
    }
    const Timeouts timeouts_;
    ssl::context context_{ssl::context::tls_server};
    std::shared_ptr<Handshakes> handshakes_ = std::make_shared<Handshakes>();
    std::size_t dropped_ = 0; // since the last warning
    TimePoint next_warning_;
};

} // namespace

Result<std::unique_ptr<TlsGate>> TlsGate::open(const TlsFiles& files, Timeouts timeouts) {
    auto gate = std::make_unique<PemGate>(timeouts);
    TRY(gate->load(files));
    return std::unique_ptr<TlsGate>(std::move(gate));
}

} // namespace handeye
