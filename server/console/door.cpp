// SPDX-License-Identifier: Apache-2.0
#include "server/console/door.h"

#include "base/log.h"
#include "server/core.h"
#include "server/listen_socket.h"
#include "server/peer.h"
#include "server/transport/connection.h"

#include <algorithm>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr Duration kLookStep = std::chrono::seconds(1);
constexpr Duration kForever = std::chrono::hours(24 * 365);

TimePoint now() { return std::chrono::steady_clock::now(); }

} // namespace

struct ConsoleDoor::Listening {
    Listening(ListenSocket socket_in, asio::io_context& context) : socket(std::move(socket_in)), acceptor(context) {}
    ListenSocket socket;
    asio::basic_socket_acceptor<asio::generic::stream_protocol> acceptor; // on a duplicate of the socket's descriptor
};

ConsoleDoor::ConsoleDoor(Core& core, ConnectionSet& connections) : core_(core), connections_(connections) {}

ConsoleDoor::~ConsoleDoor() = default;

Result<ConsoleDoor::Pass> ConsoleDoor::open() {
    if (!listening_) {
        ListenSocket socket = TRY(ListenSocket::open({.unix_path = {}, .host = "127.0.0.1", .port = 0}));
        auto made = std::make_shared<Listening>(std::move(socket), core_.loop.context());
        error_code ec;
        made->acceptor.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP), ::dup(made->socket.get()), ec);
        if (ec) {
            return Error{ErrorCode::Unavailable, fmt::format("cannot open a port for the console: {}", ec.message())};
        }
        listening_ = std::move(made);
        log::info("console", fmt::format("port {} is open", *listening_->socket.port()));
        accept_next(listening_);
        look_again(listening_);
    }
    last_used_ = now();
    const Duration life = core_.options.console_ticket_life;
    return Pass{*listening_->socket.port(), TRY(tickets_.issue(now(), life)), life};
}

bool ConsoleDoor::enter(const std::string& ticket) {
    const bool is_fresh = tickets_.redeem(ticket, now());
    const bool is_return = return_tickets_.redeem(ticket, now());
    return listening_ && (is_fresh || is_return);
}

Result<std::string> ConsoleDoor::issue_return_ticket() { return return_tickets_.issue(now(), kForever); }

void ConsoleDoor::close() {
    tickets_.clear();
    return_tickets_.clear();
    if (listening_) {
        log::info("console", fmt::format("port {} is closed", *listening_->socket.port()));
        error_code ignored;
        listening_->acceptor.close(ignored);
        listening_.reset();
    }
}

void ConsoleDoor::accept_next(const std::shared_ptr<Listening>& listening) {
    listening->acceptor.async_accept([this, listening](error_code ec, AnySocket socket) {
        if (ec == asio::error::operation_aborted || listening != listening_) {
            return;
        }
        if (ec) { // out of descriptors, most likely: give others time to close
            core_.loop.after(kLookStep, [this, listening] {
                if (listening == listening_) {
                    accept_next(listening);
                }
            });
            return;
        }
        error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        connections_.accept(std::move(socket), {.tcp_port = listening->socket.port(), .address = "console", .is_console = true});
        accept_next(listening);
    });
}

void ConsoleDoor::look_again(const std::shared_ptr<Listening>& listening) {
    core_.loop.after(std::min<Duration>(kLookStep, core_.options.console_idle_timeout), [this, listening] {
        if (listening != listening_) {
            return;
        }
        last_used_ = has_console() ? now() : last_used_;
        if (now() - last_used_ >= core_.options.console_idle_timeout && !tickets_.has_valid(now())) {
            close();
            return;
        }
        look_again(listening);
    });
}

bool ConsoleDoor::has_console() const {
    return std::any_of(core_.peers.begin(), core_.peers.end(),
                       [](const Peer* peer) { return peer->origin().is_console && peer->is_identified(); });
}

} // namespace handeye
