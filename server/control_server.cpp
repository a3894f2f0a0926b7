// SPDX-License-Identifier: Apache-2.0
// Listeners, start and orderly end of the control server.
#include "server/control_server.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/transport/connection.h"
#include "server/console/door.h"
#include "server/core.h"
#include "server/listen_socket.h"
#include "server/tls_gate.h"

#include <algorithm>
#include <array>
#include <future>

#include <arpa/inet.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr Duration kSessionsGrace = std::chrono::seconds(8); // of the 10 s that an end may take
constexpr Duration kDrainGrace = std::chrono::seconds(1);    // for the last events to reach who follows
constexpr Duration kPollStep = std::chrono::milliseconds(5);
constexpr Duration kTokenLook = std::chrono::seconds(1);     // how late a revoked or expired token may be noticed
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

struct Listener {
    Listener(ListenSocket socket_in, asio::io_context& context) : socket(std::move(socket_in)), acceptor(context) {}
    ListenSocket socket;
    bool is_tls = false;
    Acceptor acceptor; // on a duplicate of the socket's descriptor
};

// For the limit on wrong tokens: the address, not the port.
std::string address_of(const AnySocket& socket) {
    error_code ec;
    const auto remote = socket.remote_endpoint(ec);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto* const any = static_cast<const sockaddr*>(remote.data());
    const void* const bytes = any->sa_family == AF_INET6
                                  ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(any)->sin6_addr)
                                  : &reinterpret_cast<const sockaddr_in*>(any)->sin_addr;
    return !ec && ::inet_ntop(any->sa_family, bytes, text.data(), text.size()) != nullptr ? text.data() : "unknown";
}

TlsGate::Timeouts timeouts_of(const ControlServerOptions& options) { return {options.identify_timeout, options.write_timeout}; }

class Server final : public ControlServer {
public:
    Server(ControlServerOptions options, ControlServices services)
        : core_(std::make_unique<Core>(std::move(options), std::move(services))) {
        connections_ = std::make_unique<ConnectionSet>(*core_);
        console_ = std::make_unique<ConsoleDoor>(*core_, *connections_);
        core_->console = console_.get();
    }
    ~Server() override;

    Result<void> listen();

    void set_model_loading(const std::string& stage) override { core_->gate.set_loading(stage); }
    void set_model(ChatModel& model) override { core_->gate.set_ready(model); }
    void set_model_failed(const Error& error) override { core_->gate.set_failed(error); }
    Result<void> reload(const FreshOptions& fresh) override;
    void deny_approval(const std::string& session, const std::string& approval, const std::string& by) override {
        if (const auto found = core_->hub.find(session); found) {
            (void)found->approvals().decide(approval, {ApprovalDecision::Deny, by, ""}, "");
        }
    }
    std::uint16_t tcp_port() const override {
        for (const auto& listener : listeners_) {
            if (listener->socket.port()) {
                return *listener->socket.port();
            }
        }
        return 0;
    }
    void stop_all(const std::string& reason) override { core_->stop_all(reason); }

private:
    void accept_next(Listener& listener);
    void on_accept(Listener& listener, AnySocket socket);
    void tick();
    void look_at_tokens();
    /// Runs `is_done` on the loop until it holds or `grace` is over.
    void wait_on_loop(Duration grace, std::function<bool()> is_done);

    std::unique_ptr<ConnectionSet> connections_; // before core_: connections end with its loop and take themselves out
    std::unique_ptr<Core> core_;
    std::unique_ptr<ConsoleDoor> console_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::shared_ptr<TlsGate> tls_; // the loop's: reload() replaces it there
    bool is_running_ = false;
};

/// Anywhere: spoken to through TLS.
Result<ListenSocket::Reach> reach_of(const Endpoint& endpoint, const TlsFiles& tls) {
    if (endpoint.is_tls && tls.cert.empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("listening on {} needs a certificate and its key", to_string(endpoint))};
    }
    const bool is_beyond = endpoint.unix_path.empty() && (endpoint.is_tls || !is_loopback(endpoint)) && !tls.cert.empty();
    return is_beyond ? ListenSocket::Reach::Anywhere : ListenSocket::Reach::ThisMachine;
}

Result<void> Server::listen() {
    core_->instance_id = TRY(make_ulid(core_->services.clock->wall_now()));
    TRY(make_private_dir(core_->options.sessions_dir));
    TRY(core_->ledger.open(core_->options.sessions_dir / "request_keys.jsonl"));
    if (!core_->options.tls.cert.empty()) {
        tls_ = TRY(TlsGate::open(core_->options.tls, timeouts_of(core_->options)));
    }
    for (const Endpoint& endpoint : core_->options.listen) {
        const ListenSocket::Reach reach = TRY(reach_of(endpoint, core_->options.tls));
        ListenSocket socket = TRY(ListenSocket::open(endpoint, reach));
        if (socket.port() && core_->options.token.empty()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("listening on {} needs a token", to_string(endpoint))};
        }
        auto listener = std::make_unique<Listener>(std::move(socket), core_->loop.context());
        listener->is_tls = reach == ListenSocket::Reach::Anywhere;
        const int family = !listener->socket.port() ? AF_UNIX : listener->socket.is_ipv6() ? AF_INET6 : AF_INET;
        const int protocol = family == AF_UNIX ? 0 : static_cast<int>(IPPROTO_TCP);
        error_code ec;
        listener->acceptor.assign(asio::generic::stream_protocol(family, protocol), ::dup(listener->socket.get()), ec);
        if (ec) {
            return Error{ErrorCode::Unavailable, fmt::format("cannot listen on {}: {}", to_string(endpoint), ec.message())};
        }
        listeners_.push_back(std::move(listener));
    }
    for (const auto& listener : listeners_) {
        accept_next(*listener);
    }
    look_at_tokens();
    if (core_->options.tick > Duration::zero() && core_->options.on_tick) {
        tick();
    }
    core_->recordings.sweep_soon();
    core_->loop.run_on_thread();
    is_running_ = true;
    return {};
}

Result<void> Server::reload(const FreshOptions& fresh) {
    std::shared_ptr<TlsGate> gate;
    if (!core_->options.tls.cert.empty() && !fresh.server.tls.cert.empty()) { // a certificate that was renewed
        gate = TRY(TlsGate::open(fresh.server.tls, timeouts_of(fresh.server)));
    }
    core_->loop.post([this, fresh, gate] {
        tls_ = gate ? gate : tls_;
        core_->take(fresh);
    });
    return {};
}

void Server::tick() {
    core_->options.on_tick();
    core_->loop.after(core_->options.tick, [this] { tick(); });
}

void Server::look_at_tokens() {
    core_->expel_strangers();
    core_->loop.after(kTokenLook, [this] { look_at_tokens(); });
}

void Server::accept_next(Listener& listener) {
    listener.acceptor.async_accept([this, &listener](error_code ec, AnySocket socket) {
        if (ec == asio::error::operation_aborted) {
            return;
        }
        if (ec) { // out of descriptors, most likely: give others time to close
            log::warn("server", fmt::format("cannot accept: {}", ec.message()));
            core_->loop.after(kAcceptRetry, [this, &listener] {
                if (listener.acceptor.is_open()) {
                    accept_next(listener);
                }
            });
            return;
        }
        on_accept(listener, std::move(socket));
        accept_next(listener);
    });
}

void Server::on_accept(Listener& listener, AnySocket socket) {
    if (listener.socket.port()) {
        error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        const Entrance entrance{.tcp_port = listener.socket.port(),
                                .address = listener.is_tls ? address_of(socket) : "loopback",
                                .is_tls = listener.is_tls};
        if (listener.is_tls) {
            tls_->accept(std::move(socket), entrance.address, [this, entrance](AnySocket plain) { connections_->accept(std::move(plain), entrance); });
        } else {
            connections_->accept(std::move(socket), entrance);
        }
        return;
    }
    const auto is_ours = is_same_user(socket.native_handle());
    if (!is_ours || !*is_ours) {
        log::warn("server", "refused a peer of another user on the Unix socket");
        return;
    }
    connections_->accept(std::move(socket), {.tcp_port = std::nullopt, .address = "unix"});
}

void Server::wait_on_loop(Duration grace, std::function<bool()> is_done) {
    std::promise<void> done;
    const TimePoint deadline = std::chrono::steady_clock::now() + grace;
    std::function<void()> look = [&] {
        if (is_done() || std::chrono::steady_clock::now() >= deadline) {
            done.set_value();
        } else {
            core_->loop.after(kPollStep, [&look] { look(); });
        }
    };
    core_->loop.post([&look] { look(); });
    done.get_future().wait();
}

Server::~Server() {
    if (!is_running_) {
        return;
    }
    core_->ending.request_stop();
    std::promise<void> closed;
    core_->loop.post([this, &closed] {
        for (const auto& listener : listeners_) {
            error_code ignored;
            listener->acceptor.close(ignored);
        }
        console_->close();
        closed.set_value();
    });
    closed.get_future().wait();
    const bool is_clean = core_->hub.shut_down(std::chrono::steady_clock::now() + kSessionsGrace);
    wait_on_loop(kDrainGrace, [this] {
        return std::all_of(core_->peers.begin(), core_->peers.end(), [](Peer* peer) { return peer->feed().is_caught_up(); });
    });
    wait_on_loop(kDrainGrace, [this, is_told = false]() mutable {
        if (!std::exchange(is_told, true)) {
            connections_->close_all(CloseCode::GoingAway, "the server is ending");
        }
        return connections_->size() == 0;
    });
    core_->loop.stop();
    if (!is_clean) {
        // A thread that would not end still uses these; better to leave them to the end of the process than to pull them away.
        static_cast<void>(core_.release());
        static_cast<void>(connections_.release());
        static_cast<void>(console_.release());
    }
}

} // namespace

Result<void> ControlServer::check(const ControlServerOptions& options) {
    if (!options.tls.cert.empty()) {
        TRY(TlsGate::open(options.tls, timeouts_of(options)));
    }
    for (const Endpoint& endpoint : options.listen) {
        const ListenSocket::Reach reach = TRY(reach_of(endpoint, options.tls));
        TRY(ListenSocket::check(endpoint, reach));
    }
    return {};
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(ControlServerOptions options, ControlServices services) {
    auto server = std::make_unique<Server>(std::move(options), std::move(services));
    TRY(server->listen());
    return std::unique_ptr<ControlServer>(std::move(server));
}

} // namespace handeye
