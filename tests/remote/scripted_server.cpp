// SPDX-License-Identifier: Apache-2.0
#include "tests/remote/scripted_server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye::testing {
namespace {

constexpr int kPatienceMs = 60'000; // no test waits longer for its client

bool is_readable(int socket) {
    pollfd poll{.fd = socket, .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, kPatienceMs) == 1;
}

class SocketPeer final : public Peer {
public:
    SocketPeer(int socket, SSL* tls) : socket_(socket), tls_(tls) {}

    bool write(std::string_view bytes) override {
        while (!bytes.empty()) {
            const ssize_t n = tls_ != nullptr ? ::SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())) : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }
    bool wait_for_close() override {
        std::array<char, 4096> some{};
        for (;;) {
            const ssize_t n = read(some.data(), some.size());
            if (n <= 0) {
                return n == 0 || errno != EAGAIN;
            }
        }
    }
    void reset() override {
        const linger now{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    ssize_t read(char* into, std::size_t size) {
        if ((tls_ == nullptr || ::SSL_pending(tls_) == 0) && !is_readable(socket_)) {
            errno = EAGAIN;
            return -1;
        }
        return tls_ != nullptr ? ::SSL_read(tls_, into, static_cast<int>(size)) : ::recv(socket_, into, size, 0);
    }
    bool read_request(SeenRequest& request) {
        std::string all;
        std::array<char, 65536> some{};
        std::size_t length = 0;
        for (std::size_t end = std::string::npos; end == std::string::npos || all.size() < end + 4 + length;) {
            const ssize_t n = read(some.data(), some.size());
            if (n <= 0) {
                return false;
            }
            all.append(some.data(), static_cast<std::size_t>(n));
            end = all.find("\r\n\r\n");
            if (end == std::string::npos) {
                continue;
            }
            request.head = all.substr(0, end);
            if (const std::size_t at = request.head.find("Content-Length: "); at != std::string::npos) {
                std::from_chars(request.head.data() + at + 16, request.head.data() + request.head.size(), length);
            }
            request.body = all.substr(end + 4);
        }
        const std::size_t space = request.head.find(' ');
        request.verb = request.head.substr(0, space);
        request.path = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
        return true;
    }

private:
    const int socket_;
    SSL* const tls_;
};

} // namespace

ScriptedServer::ScriptedServer(Handler handler, ScriptedTls tls) : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (!tls.cert_file.empty()) {
        SSL_CTX* const context = ::SSL_CTX_new(::TLS_server_method());
        ::SSL_CTX_use_certificate_chain_file(context, tls.cert_file.c_str());
        ::SSL_CTX_use_PrivateKey_file(context, tls.key_file.c_str(), SSL_FILETYPE_PEM);
        tls_ = context;
    }
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size);
    ::listen(listener_.get(), 64);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedServer::~ScriptedServer() {
    shut();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    ::SSL_CTX_free(static_cast<SSL_CTX*>(tls_));
}

void ScriptedServer::shut() {
    {
        const std::lock_guard lock(mutex_);
        is_shut_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        for (const int socket : open_) {
            ::shutdown(socket, SHUT_RDWR);
        }
    }
    if (acceptor_.joinable()) {
        acceptor_.join();
    }
    listener_ = FileDescriptor();
}

void ScriptedServer::accept_all() {
    for (;;) {
        const int socket = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard lock(mutex_);
        if (socket < 0 || is_shut_) {
            if (socket >= 0) {
                ::close(socket);
            }
            return;
        }
        open_.push_back(socket);
        threads_.emplace_back([this, socket] { serve(socket); });
    }
}

void ScriptedServer::serve(int socket) {
    SSL* const tls = tls_ == nullptr ? nullptr : ::SSL_new(static_cast<SSL_CTX*>(tls_));
    if (tls != nullptr) {
        ::SSL_set_fd(tls, socket);
    }
    SocketPeer peer(socket, tls);
    SeenRequest request;
    if ((tls == nullptr || ::SSL_accept(tls) == 1) && peer.read_request(request)) {
        {
            const std::lock_guard lock(mutex_);
            seen_.push_back(request);
        }
        changed_.notify_all();
        handler_(request, peer);
        if (tls != nullptr) {
            ::SSL_shutdown(tls);
        }
    }
    ::SSL_free(tls);
    const std::lock_guard lock(mutex_);
    std::erase(open_, socket);
    ::close(socket);
}

std::vector<SeenRequest> ScriptedServer::seen(std::string_view path_part) const {
    const std::lock_guard lock(mutex_);
    std::vector<SeenRequest> out;
    std::copy_if(seen_.begin(), seen_.end(), std::back_inserter(out), [&](const SeenRequest& one) { return one.path.find(path_part) != std::string::npos; });
    return out;
}

void ScriptedServer::wait_for(std::string_view path_part, std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
        return static_cast<std::size_t>(std::count_if(seen_.begin(), seen_.end(), [&](const SeenRequest& one) { return one.path.find(path_part) != std::string::npos; })) >= count;
    });
}

std::string http_answer(int status, std::string_view content_type, std::string_view body, std::string_view more_fields) {
    return fmt::format("HTTP/1.1 {} X\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", status, content_type, body.size(), more_fields, body);
}

std::string stream_head() { return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"; }
std::string chunk(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }
std::string last_chunk() { return "0\r\n\r\n"; }
std::string event(std::string_view json) { return fmt::format("data: {}\n\n", json); }

std::string delta(std::string_view field, std::string_view text) {
    const nlohmann::json one{{"choices", {{{"index", 0}, {"delta", {{std::string(field), std::string(text)}}}, {"finish_reason", nullptr}}}}};
    return chunk(event(one.dump()));
}

std::string finish(std::string_view reason) {
    const nlohmann::json end{{"choices", {{{"index", 0}, {"delta", nlohmann::json::object()}, {"finish_reason", std::string(reason)}}}}};
    const nlohmann::json usage{{"choices", nlohmann::json::array()}, {"usage", {{"prompt_tokens", 70}, {"completion_tokens", 5}, {"prompt_tokens_details", {{"cached_tokens", 64}}}}}};
    return chunk(event(end.dump())) + chunk(event(usage.dump())) + chunk(event("[DONE]")) + last_chunk();
}

bool answer_probe(const SeenRequest& request, Peer& peer, std::string_view owner, std::string_view name) {
    if (request.path == "/health") {
        return peer.write(http_answer(200, "text/plain", ""));
    }
    if (request.path == "/v1/models") {
        const nlohmann::json models{{"object", "list"}, {"data", {{{"id", std::string(name)}, {"owned_by", std::string(owner)}, {"max_model_len", 8192}}}}};
        return peer.write(http_answer(200, "application/json", models.dump()));
    }
    return false;
}

} // namespace handeye::testing
