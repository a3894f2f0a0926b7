// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/dial.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

Error nobody(const std::string& why) { return {ErrorCode::Unavailable, "cannot connect: " + why}; }

Result<FileDescriptor> dial_unix(const std::string& path) {
    FileDescriptor file(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return Error{ErrorCode::InvalidArgument, "the socket's path is too long"};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (!file.is_open() || ::connect(file.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return nobody(std::strerror(errno));
    }
    return file;
}

} // namespace

Result<FileDescriptor> dial(const std::string& host, const std::string& port, const std::string& unix_path) {
    FileDescriptor connected;
    if (!unix_path.empty()) {
        connected = TRY(dial_unix(unix_path));
    } else {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list); problem != 0) {
            return Error{ErrorCode::NotFound, fmt::format("no address for host \"{}\": {}", host.substr(0, 255), ::gai_strerror(problem))};
        }
        const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
        std::string why = "no address";
        for (const addrinfo* one = list; one != nullptr && !connected.is_open(); one = one->ai_next) {
            FileDescriptor file(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (file.is_open() && ::connect(file.get(), one->ai_addr, one->ai_addrlen) == 0) {
                const int yes = 1;
                ::setsockopt(file.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); // else each small message waits for the last one's receipt
                ::setsockopt(file.get(), SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
                connected = std::move(file);
            } else {
                why = std::strerror(errno);
            }
        }
        if (!connected.is_open()) {
            return nobody(why);
        }
    }
    ::fcntl(connected.get(), F_SETFL, ::fcntl(connected.get(), F_GETFL) | O_NONBLOCK);
    return connected;
}

} // namespace handeye::vnc
