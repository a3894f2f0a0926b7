// SPDX-License-Identifier: Apache-2.0
#include "tests/android/device/adb_device_end.h"

#include "tests/android/device/adb_services.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstring>
#include <utility>

namespace handeye::phone {

namespace {

constexpr std::uint32_t kSync = 0x434e5953, kCnxn = 0x4e584e43, kAuth = 0x48545541, kOpen = 0x4e45504f, kOkay = 0x59414b4f, kClse = 0x45534c43,
                        kWrte = 0x45545257;
constexpr std::uint32_t kVersion = 0x01000001, kDataMax = 256U << 10U;
constexpr std::uint32_t kAuthToken = 1, kAuthSignature = 2, kAuthKey = 3;
constexpr std::size_t kTokenBytes = 20;

struct Message {
    std::uint32_t command = 0, arg0 = 0, arg1 = 0, length = 0, checksum = 0, magic = 0;
};

bool read_all(int fd, void* into, std::size_t bytes) {
    auto* at = static_cast<char*>(into);
    while (bytes > 0) {
        const ssize_t got = ::recv(fd, at, bytes, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        bytes -= static_cast<std::size_t>(got);
    }
    return true;
}

} // namespace

/// One server that is connected. Services run in threads of their own; each stream sends one packet at a time and waits for its OKAY.
class AdbDeviceEnd::Connection {
public:
    Connection(int fd, const DeviceEndOptions& options, std::atomic<bool>& is_allowed) : fd_(fd), options_(options), is_allowed_(is_allowed) {
        reader_ = std::jthread([this] { run(); });
    }
    ~Connection() {
        close();
        reader_ = {};
        std::map<std::uint32_t, std::shared_ptr<Stream>> streams;
        {
            const std::lock_guard lock(mutex_);
            streams.swap(streams_);
        }
        streams.clear();
        ::close(fd_);
    }
    void close() {
        ::shutdown(fd_, SHUT_RDWR);
        const std::lock_guard lock(mutex_);
        for (auto& [id, stream] : streams_) {
            stream->end();
        }
    }
    void allow() {
        if (is_waiting_.exchange(false)) {
            greet();
        }
    }

private:
    /// What a service sees of its stream.
    class Stream final : public ServiceStream {
    public:
        Stream(Connection& connection, std::uint32_t own, std::uint32_t other) : connection_(connection), own_(own), other_(other) {}
        ~Stream() override { end(); }

        bool write(std::string_view data) override {
            while (!data.empty()) {
                const std::string_view piece = data.substr(0, kDataMax);
                data.remove_prefix(piece.size());
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return may_write_ || has_ended_; });
                if (has_ended_) {
                    return false;
                }
                may_write_ = false;
                lock.unlock();
                connection_.send(kWrte, own_, other_, piece);
            }
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return may_write_ || has_ended_; });
            return !has_ended_;
        }
        std::string read() override {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return !received_.empty() || has_ended_; });
            return std::exchange(received_, {});
        }
        bool has_ended() override {
            const std::lock_guard lock(mutex_);
            return has_ended_;
        }

        void begin(std::string service) {
            worker_ = std::jthread([this, service = std::move(service)] {
                run_service(service, *this, connection_.options_);
                connection_.send(kClse, own_, other_, {});
                end();
            });
        }
        void okay() {
            const std::lock_guard lock(mutex_);
            may_write_ = true;
            changed_.notify_all();
        }
        void take(std::string_view data) {
            const std::lock_guard lock(mutex_);
            received_ += data;
            changed_.notify_all();
        }
        void end() {
            const std::lock_guard lock(mutex_);
            has_ended_ = true;
            changed_.notify_all();
        }
        [[nodiscard]] std::uint32_t other() const { return other_; }

    private:
        Connection& connection_;
        const std::uint32_t own_, other_;
        std::mutex mutex_;
        std::condition_variable changed_;
        std::string received_;
        bool may_write_ = true;
        bool has_ended_ = false;
        std::jthread worker_;
    };

    void send(std::uint32_t command, std::uint32_t arg0, std::uint32_t arg1, std::string_view data) {
        Message message{command, arg0, arg1, static_cast<std::uint32_t>(data.size()), 0, ~command};
        for (const char c : data) {
            message.checksum += static_cast<unsigned char>(c);
        }
        std::string bytes(sizeof message, '\0');
        std::memcpy(bytes.data(), &message, sizeof message); // little-endian, as this machine is
        bytes += data;
        const std::lock_guard lock(send_mutex_);
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t count = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) {
                return;
            }
            sent += static_cast<std::size_t>(count);
        }
    }

    void greet() {
        send(kCnxn, kVersion, kDataMax, "device::ro.product.name=phone;ro.product.model=" + options_.model + ";ro.product.device=phone;features=" +
                                            (options_.has_shell_v2 ? "shell_v2,cmd" : "cmd"));
    }

    void run() {
        while (true) {
            Message message;
            if (!read_all(fd_, &message, sizeof message) || message.magic != ~message.command || message.length > kDataMax * 4) {
                break;
            }
            std::string data(message.length, '\0');
            if (!read_all(fd_, data.data(), data.size())) {
                break;
            }
            handle(message, data);
        }
        close();
    }

    void handle(const Message& message, const std::string& data) {
        switch (message.command) {
        case kCnxn:
            options_.asks_for_approval && !is_allowed_ ? send(kAuth, kAuthToken, 0, std::string(kTokenBytes, 'T')) : greet();
            break;
        case kAuth:
            if (message.arg0 == kAuthSignature) { // a key that this phone has not seen
                send(kAuth, kAuthToken, 0, std::string(kTokenBytes, 'T'));
            } else if (message.arg0 == kAuthKey) {
                is_waiting_ = true;
                if (is_allowed_) {
                    allow();
                }
            }
            break;
        case kOpen: open(message.arg0, data.substr(0, data.find('\0'))); break;
        case kOkay: with_stream(message.arg1, [](Stream& stream) { stream.okay(); }); break;
        case kWrte:
            with_stream(message.arg1, [&](Stream& stream) {
                stream.take(data);
                send(kOkay, message.arg1, message.arg0, {});
            });
            break;
        case kClse: with_stream(message.arg1, [](Stream& stream) { stream.end(); }); break;
        case kSync:
        default: break;
        }
    }

    void open(std::uint32_t other, std::string service) {
        const std::uint32_t own = ++last_id_;
        if (!knows_service(service, options_)) {
            send(kClse, 0, other, {});
            return;
        }
        const auto stream = std::make_shared<Stream>(*this, own, other);
        {
            const std::lock_guard lock(mutex_);
            std::erase_if(streams_, [](const auto& entry) { return entry.second->has_ended(); });
            streams_[own] = stream;
        }
        send(kOkay, own, other, {});
        stream->begin(std::move(service));
    }

    template <class Use>
    void with_stream(std::uint32_t id, Use use) {
        std::shared_ptr<Stream> stream;
        {
            const std::lock_guard lock(mutex_);
            const auto found = streams_.find(id);
            stream = found == streams_.end() ? nullptr : found->second;
        }
        if (stream) {
            use(*stream);
        }
    }

    const int fd_;
    const DeviceEndOptions& options_;
    std::atomic<bool>& is_allowed_;
    std::atomic<bool> is_waiting_ = false;
    std::mutex send_mutex_;
    std::mutex mutex_; // guards streams_
    std::map<std::uint32_t, std::shared_ptr<Stream>> streams_;
    std::uint32_t last_id_ = 0;
    std::jthread reader_;
};

AdbDeviceEnd::AdbDeviceEnd(DeviceEndOptions options) : options_(std::move(options)) { listen(0); }

AdbDeviceEnd::~AdbDeviceEnd() { unplug(); }

void AdbDeviceEnd::listen(int port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 8) != 0) {
        std::perror("the test phone cannot listen");
        std::abort();
    }
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
}

void AdbDeviceEnd::accept_all() {
    while (true) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        const int yes = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        const std::lock_guard lock(mutex_);
        connections_.push_back(std::make_shared<Connection>(fd, options_, is_allowed_));
    }
}

void AdbDeviceEnd::allow() {
    is_allowed_ = true;
    const std::lock_guard lock(mutex_);
    for (const auto& connection : connections_) {
        connection->allow();
    }
}

void AdbDeviceEnd::unplug() {
    if (listener_ < 0) {
        return;
    }
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_ = {};
    ::close(listener_);
    listener_ = -1;
    std::vector<std::shared_ptr<Connection>> connections;
    {
        const std::lock_guard lock(mutex_);
        connections.swap(connections_);
    }
    connections.clear();
}

void AdbDeviceEnd::plug_in() { listen(port_); }

} // namespace handeye::phone
