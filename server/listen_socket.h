// SPDX-License-Identifier: Apache-2.0
// Listening sockets that only this user, or only this machine, can reach.
#pragma once

#include "base/file.h"
#include "base/net/client.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>

namespace handeye {

/// A bound, listening socket. A Unix socket's file is removed with it.
class ListenSocket {
public:
    /// Unix: 0600 in a 0700 folder of this user (made when absent). A socket left by a dead server is replaced; one whose
    /// server lives is Unavailable. TCP: 127.0.0.1, ::1 or localhost; another numeric address only with Reach::Anywhere, else it
    /// is PermissionDenied; port 0: any.
    enum class Reach { ThisMachine, Anywhere };
    static Result<ListenSocket> open(const Endpoint& endpoint, Reach reach = Reach::ThisMachine);
    /// What open() would refuse of the address alone. Touches nothing.
    static Result<void> check(const Endpoint& endpoint, Reach reach);
    ~ListenSocket();
    ListenSocket(ListenSocket&& other) noexcept = default;
    ListenSocket& operator=(ListenSocket&&) = delete;

    /// Unset port: a Unix socket.
    [[nodiscard]] std::optional<std::uint16_t> port() const { return port_; }
    [[nodiscard]] bool is_ipv6() const { return is_ipv6_; }
    [[nodiscard]] int get() const { return socket_.get(); }

private:
    ListenSocket() = default;
    static Result<ListenSocket> open_unix(const std::filesystem::path& path);
    static Result<ListenSocket> open_tcp(const Endpoint& endpoint);

    FileDescriptor socket_;
    FileDescriptor lock_; ///< held while we listen: tells a living server from a stale file
    std::string path_;    ///< to remove; empty: nothing
    std::optional<std::uint16_t> port_;
    bool is_ipv6_ = false;
};

/// The names of loopback; everything else is beyond this machine.
bool is_loopback(const Endpoint& endpoint);

/// True when the process at the other end of a Unix socket runs as this user (SO_PEERCRED).
Result<bool> is_same_user(int unix_socket);

/// The token in `path`; made there (0600, 256 random bits, hexadecimal) when the file is absent.
/// PermissionDenied when others may read it, InvalidArgument when it holds less than 32 characters.
Result<std::string> read_or_make_token(const std::filesystem::path& path);

} // namespace handeye
