// SPDX-License-Identifier: Apache-2.0
#include "server/listen_socket.h"

#include "base/hash.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr int kBacklog = 128;
constexpr std::size_t kTokenCharactersMin = 32;

Error system_error(std::string_view what, std::string_view where) {
    const int number = errno;
    const ErrorCode code = number == EACCES ? ErrorCode::PermissionDenied : ErrorCode::Unavailable;
    return Error{code, fmt::format("{} {}: {}", what, where, std::strerror(number))};
}

// Whoever holds the lock is the living owner of the socket file; the lock dies with its process.
Result<FileDescriptor> take_lock(const std::filesystem::path& socket_path) {
    const std::string path = socket_path.string() + ".lock";
    FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.is_open()) {
        return system_error("cannot open", path);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return Error{ErrorCode::Unavailable,
                     fmt::format("another server listens on {} (it holds {})", socket_path.string(), path)};
    }
    return lock;
}

std::string numeric_host(const Endpoint& endpoint) { return endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host; }

Result<void> remove_stale(const std::filesystem::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? Result<void>() : system_error("cannot look at", path.string());
    }
    if (!S_ISSOCK(info.st_mode)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} exists and is not a socket", path.string())};
    }
    return ::unlink(path.c_str()) == 0 ? Result<void>() : system_error("cannot remove the stale socket", path.string());
}

} // namespace

bool is_loopback(const Endpoint& endpoint) {
    return endpoint.host == "127.0.0.1" || endpoint.host == "localhost" || endpoint.host == "::1";
}

Result<ListenSocket> ListenSocket::open(const Endpoint& endpoint, Reach reach) {
    TRY(check(endpoint, reach));
    return endpoint.unix_path.empty() ? open_tcp(endpoint) : open_unix(endpoint.unix_path);
}

Result<void> ListenSocket::check(const Endpoint& endpoint, Reach reach) {
    if (!endpoint.unix_path.empty()) {
        const std::string& text = endpoint.unix_path.native();
        return text.size() < sizeof(sockaddr_un::sun_path)
                   ? Result<void>()
                   : Error{ErrorCode::LimitExceeded, fmt::format("socket path {} has {} bytes, the limit is {}", text, text.size(),
                                                                 sizeof(sockaddr_un::sun_path) - 1)};
    }
    if (reach == Reach::ThisMachine && !is_loopback(endpoint)) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("refusing to listen on {}: without tls only 127.0.0.1, [::1] and localhost are served, since "
                                 "whoever reaches this port controls the desktop",
                                 to_string(endpoint))};
    }
    in6_addr parsed{}; // room for either kind
    const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
    if (::inet_pton(is_ipv6 ? AF_INET6 : AF_INET, numeric_host(endpoint).c_str(), &parsed) != 1) {
        return Error{ErrorCode::InvalidArgument, fmt::format("{} is no numeric address to listen on", to_string(endpoint))};
    }
    return {};
}

Result<ListenSocket> ListenSocket::open_unix(const std::filesystem::path& path) {
    sockaddr_un address{};
    const std::string& text = path.native();
    const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
    TRY(make_private_dir(folder));
    ListenSocket made;
    made.lock_ = TRY(take_lock(path));
    TRY(remove_stale(path));
    made.socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    address.sun_family = AF_UNIX;
    std::copy(text.begin(), text.end(), address.sun_path);
    // The mode set before bind is the mode that the file is born with.
    if (!made.socket_.is_open() || ::fchmod(made.socket_.get(), 0600) != 0 ||
        ::bind(made.socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return system_error("cannot bind", text);
    }
    made.path_ = text;
    if (::chmod(text.c_str(), 0600) != 0 || ::listen(made.socket_.get(), kBacklog) != 0) {
        return system_error("cannot listen on", text);
    }
    return made;
}

Result<ListenSocket> ListenSocket::open_tcp(const Endpoint& endpoint) {
    ListenSocket made;
    made.is_ipv6_ = endpoint.host.find(':') != std::string::npos;
    made.socket_ = FileDescriptor(::socket(made.is_ipv6_ ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    ::inet_pton(made.is_ipv6_ ? AF_INET6 : AF_INET, numeric_host(endpoint).c_str(), made.is_ipv6_ ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr);
    sockaddr* const address = made.is_ipv6_ ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
    socklen_t length = made.is_ipv6_ ? sizeof v6 : sizeof v4;
    const int yes = 1;
    if (!made.socket_.is_open() ||
        ::setsockopt(made.socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        ::bind(made.socket_.get(), address, length) != 0 || ::listen(made.socket_.get(), kBacklog) != 0 ||
        ::getsockname(made.socket_.get(), address, &length) != 0) {
        return system_error("cannot listen on", to_string(endpoint));
    }
    made.port_ = ntohs(made.is_ipv6_ ? v6.sin6_port : v4.sin_port);
    return made;
}

ListenSocket::~ListenSocket() {
    if (!path_.empty() && socket_.is_open()) {
        ::unlink(path_.c_str()); // ours: the lock is still held
    }
}

Result<bool> is_same_user(int unix_socket) {
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(unix_socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        return system_error("cannot ask who is at", "the other end of the socket");
    }
    return peer.uid == ::geteuid();
}

Result<std::string> read_or_make_token(const std::filesystem::path& path) {
    auto text = read_file(path, 4096);
    if (!text && text.error().code == ErrorCode::NotFound) {
        const std::string token = TRY(random_hex(32));
        const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        const std::string line = token + "\n";
        if (!file.is_open() || ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
            ::fsync(file.get()) != 0) {
            return system_error("cannot write the token file", path.string());
        }
        return token;
    }
    std::string token = TRY(std::move(text));
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || info.st_uid != ::geteuid() || (info.st_mode & 0077U) != 0) {
        return Error{ErrorCode::PermissionDenied,
                     fmt::format("token file {} must belong to this user with mode 0600", path.string())};
    }
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
        token.pop_back();
    }
    if (token.size() < kTokenCharactersMin) {
        return Error{ErrorCode::InvalidArgument, fmt::format("token file {} holds {} characters, at least {} are needed",
                                                             path.string(), token.size(), kTokenCharactersMin)};
    }
    return token;
}

} // namespace handeye
