// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/control_load.h"

#include "apps/cli/bench_daemon.h"
#include "base/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr int kUnreadBytesMin = 50'000; ///< a quarter of what a Unix socket holds

using SteadyTime = std::chrono::steady_clock::time_point;
SteadyTime now() { return std::chrono::steady_clock::now(); }
double ms_between(SteadyTime from, SteadyTime to) { return std::chrono::duration<double, std::milli>(to - from).count(); }

std::string text_frame(const std::string& text) {
    std::string out = "\x81";
    if (text.size() < 126) {
        out += static_cast<char>(0x80U | text.size());
    } else {
        out += static_cast<char>(0xFEU);
        out += static_cast<char>(text.size() >> 8U);
        out += static_cast<char>(text.size() & 0xFFU);
    }
    return out + std::string(4, '\0') + text; // a mask of zeros leaves the text as it is
}

/// The least that speaks WebSocket: no thread, no library, so that a thousand of them weigh nothing here.
class Client {
public:
    static Result<Client> connect(const std::filesystem::path& path, SteadyTime deadline) {
        Client client;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        for (;;) {
            client.socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::connect(client.socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
                break;
            }
            if (now() > deadline) {
                return Error{ErrorCode::Unavailable, fmt::format("cannot connect to {}: {}", path.string(), std::strerror(errno))};
            }
            ::poll(nullptr, 0, 5); // the daemon is starting, or its queue of newcomers is full
        }
        TRY(client.put("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"));
        TRY(client.wait_for("hello", deadline));
        TRY(client.put(text_frame(R"({"jsonrpc":"2.0","id":1,"method":"connection.identify","params":{"protocol":1,"client":"bench"}})")));
        TRY(client.wait_for("negotiated_protocol", deadline));
        return client;
    }
    Result<void> put(const std::string& bytes) const {
        if (::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
            return Error{ErrorCode::Unavailable, fmt::format("cannot send: {}", std::strerror(errno))};
        }
        return {};
    }
    /// As much as fits; false when nothing does.
    [[nodiscard]] bool stuff(const std::string& bytes) const {
        return ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
    }
    /// A call and its answer; nothing else is under way.
    Result<std::string> call(const std::string& method, const std::string& params, SteadyTime deadline) {
        TRY(put(text_frame(fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":{}}})", ++calls_, method, params))));
        std::string answer = TRY(wait_for(fmt::format("\"id\":{},", calls_), deadline));
        if (answer.find("\"result\":") == std::string::npos) {
            return Error{ErrorCode::Unavailable, fmt::format("{}: {}", method, answer.substr(answer.find('{')))};
        }
        return answer;
    }
    /// Reads away what there is; whether there was something.
    bool drain() const {
        std::array<char, 65536> buffer{};
        bool has_read = false;
        while (::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
            has_read = true;
        }
        return has_read;
    }
    /// What has come and was not read.
    [[nodiscard]] int unread_bytes() const {
        int bytes = 0;
        return ::ioctl(socket_.get(), FIONREAD, &bytes) == 0 ? bytes : 0;
    }
    void ask() {
        asked_ = now();
        (void)put(text_frame(R"({"jsonrpc":"2.0","id":7,"method":"connection.ping","params":{}})"));
    }
    /// Reads what there is; the latency when the reply is among it, else < 0.
    double take() {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0 && std::string_view(buffer.data(), static_cast<std::size_t>(got)).find("\"id\":7") != std::string_view::npos) {
            return ms_between(asked_, now());
        }
        return -1;
    }
    [[nodiscard]] int fd() const { return socket_.get(); }
    SteadyTime due;

private:
    Result<std::string> wait_for(std::string_view word, SteadyTime deadline) {
        std::string text;
        std::array<char, 4096> buffer{};
        while (text.find(word) == std::string::npos) {
            pollfd wait{socket_.get(), POLLIN, 0};
            const int left = std::max(0, static_cast<int>(ms_between(now(), deadline)));
            const ssize_t got = ::poll(&wait, 1, left) == 1 ? ::recv(socket_.get(), buffer.data(), buffer.size(), 0) : 0;
            if (got <= 0) {
                return Error{ErrorCode::Unavailable, fmt::format("the daemon hung up before it said {}", word)};
            }
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return text;
    }
    FileDescriptor socket_;
    int calls_ = 100; ///< numbers of their own
    SteadyTime asked_;
};

Result<std::vector<Client>> connect_many(const std::filesystem::path& path, int count) {
    std::vector<Client> clients;
    clients.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
        clients.push_back(TRY(Client::connect(path, now() + std::chrono::seconds(60))));
    }
    return clients;
}

/// A client that is sent a session's whole log and its screen.
Result<Client> follow(const std::filesystem::path& path, const std::string& session) {
    const SteadyTime deadline = now() + std::chrono::seconds(60);
    Client client = TRY(Client::connect(path, deadline));
    TRY(client.call("screen.stream_start", fmt::format(R"({{"session":"{}","format":"png","max_fps":60,"max_in_flight":16}})", session), deadline));
    TRY(client.put(text_frame(
        fmt::format(R"({{"jsonrpc":"2.0","id":9,"method":"events.subscribe","params":{{"sessions":["{}"],"from_seq":1}}}})", session))));
    return client;
}

/// A session whose log and screen grow, and one client that follows it and reads: what a session costs is not put on the one that does not.
class Traffic {
public:
    static Result<Traffic> start(const BenchDaemon& daemon) {
        Traffic made(daemon, TRY(Client::connect(daemon.socket(), deadline())));
        const std::string opened = TRY(made.client_.call("session.create", R"({"platform":"x11","target":{"headless":"640x480"}})", deadline()));
        const std::size_t at = opened.find(kSessionField);
        if (at == std::string::npos) {
            return Error{ErrorCode::ParseFailed, "session.create answered without a session"};
        }
        made.session_ = opened.substr(at + kSessionField.size(), kIdBytes);
        for (int i = 0; i < kEventsBefore; ++i) {
            TRY(made.client_.call("session.update", made.note(), deadline()));
        }
        made.reader_.push_back(TRY(follow(daemon.socket(), made.session_)));
        return made;
    }
    /// The next call, once the last one is answered and 50 ms are over: a line in the log, or a menu that comes or goes.
    void go_on() {
        is_answered_ = client_.drain() || is_answered_;
        reader_.front().drain();
        if (!is_answered_ || now() < due_) {
            return;
        }
        peak_mib_ = std::max(peak_mib_, daemon_.resident_mib());
        due_ = now() + std::chrono::milliseconds(50);
        is_answered_ = false;
        const bool is_menu = ++n_ % 4 == 0;
        const std::string menu = n_ % 8 == 0 ? R"({"verb":"right_click","x":320,"y":240})" : R"({"verb":"key","keys":"escape"})";
        const std::string params = is_menu ? fmt::format(R"({{"session":"{}","action":{}}})", session_, menu) : note();
        (void)client_.put(text_frame(fmt::format(R"({{"jsonrpc":"2.0","id":8,"method":"{}","params":{}}})", is_menu ? "input.act" : "session.update", params)));
    }
    [[nodiscard]] const std::string& session() const { return session_; }
    /// Of the daemon's memory, since it was asked last.
    [[nodiscard]] double take_peak_mib() { return std::exchange(peak_mib_, 0); }

private:
    static constexpr int kEventsBefore = 1500; ///< 6 MB of log: more than the daemon keeps for a connection
    static constexpr std::size_t kIdBytes = 26;
    static constexpr std::string_view kSessionField = "\"session\":\"";

    Traffic(const BenchDaemon& daemon, Client client) : daemon_(daemon), client_(std::move(client)) {}
    static SteadyTime deadline() { return now() + std::chrono::seconds(60); }
    [[nodiscard]] std::string note() const { return fmt::format(R"({{"session":"{}","notes":"{}"}})", session_, std::string(4000, 'x')); }

    const BenchDaemon& daemon_;
    Client client_;
    std::vector<Client> reader_; ///< one
    std::string session_;
    SteadyTime due_;
    bool is_answered_ = true;
    int n_ = 0;
    double peak_mib_ = 0;
};

/// Each client asks ten times a second, spread evenly; appends how long the replies took, in ms.
void ask_all(std::vector<Client>& clients, std::chrono::milliseconds stretch, Traffic* traffic, std::vector<double>& latencies) {
    constexpr auto kInterval = std::chrono::milliseconds(100);
    const SteadyTime begin = now();
    const SteadyTime end = begin + stretch;
    std::vector<pollfd> waits;
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].due = begin + kInterval * i / clients.size();
        waits.push_back({clients[i].fd(), POLLIN, 0});
    }
    while (now() < end) {
        SteadyTime next = end;
        for (Client& client : clients) {
            if (client.due <= now()) {
                client.ask();
                client.due += kInterval;
            }
            next = std::min(next, client.due);
        }
        if (traffic != nullptr) {
            traffic->go_on();
        }
        const int wait_ms = std::max(0, static_cast<int>(ms_between(now(), next)));
        if (::poll(waits.data(), waits.size(), wait_ms) > 0) {
            for (std::size_t i = 0; i < clients.size(); ++i) {
                if (const double ms = waits[i].revents != 0 ? clients[i].take() : -1; ms >= 0) {
                    latencies.push_back(ms);
                }
            }
        }
    }
}

double p99_of(std::vector<double>& latencies) {
    if (latencies.empty()) {
        return 1e9;
    }
    const auto at = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() * 99 / 100);
    std::nth_element(latencies.begin(), at, latencies.end());
    return *at;
}

void allow_many_descriptors() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

Result<void> measure_idle(const BenchDaemon& daemon, int idle, int seconds, ControlLoad& load) {
    const Client first = TRY(Client::connect(daemon.socket(), now() + std::chrono::seconds(60)));
    const double base = daemon.resident_mib();
    const auto clients = TRY(connect_many(daemon.socket(), idle));
    load.idle_mib = daemon.resident_mib() - base;
    const double cpu = daemon.cpu_seconds();
    const SteadyTime begin = now();
    ::poll(nullptr, 0, seconds * 1000); // the stretch that is measured
    load.idle_cpu_share = (daemon.cpu_seconds() - cpu) * 1000 / ms_between(begin, now());
    return {};
}

/// Follows, asks for as much as the daemon will hear, and from here on reads nothing.
Result<Client> stall(const BenchDaemon& daemon, const std::string& session) {
    Client client = TRY(follow(daemon.socket(), session));
    const std::string large = text_frame(
        fmt::format(R"({{"jsonrpc":"2.0","id":9,"method":"connection.ping","params":{{"payload":"{}"}}}})", std::string(1000, 'x')));
    for (int i = 0; i < 20'000 && client.stuff(large); ++i) {
    }
    return client;
}

Result<void> measure_stalled(const BenchDaemon& daemon, int seconds, ControlLoad& load) {
    constexpr int kRounds = 10; // in turns, so that what else the machine does falls on both
    const std::chrono::milliseconds stretch(2000 * seconds / kRounds);
    auto clients = TRY(connect_many(daemon.socket(), 99));
    Traffic traffic = TRY(Traffic::start(daemon));
    std::vector<double> without;
    std::vector<double> beside;
    std::vector<double> filling;
    for (int round = 0; round < kRounds; ++round) {
        ask_all(clients, stretch, &traffic, without);
        const double base = traffic.take_peak_mib();
        const Client stalled = TRY(stall(daemon, traffic.session()));
        ask_all(clients, std::chrono::seconds(1), &traffic, filling); // what it is sent until nothing fits any more is not its silence
        ask_all(clients, stretch, &traffic, beside);
        if (stalled.unread_bytes() < kUnreadBytesMin) {
            return Error{ErrorCode::Internal, fmt::format("only {} bytes waited for the client that never reads: this proves nothing", stalled.unread_bytes())};
        }
        load.stalled_mib = std::max(load.stalled_mib, traffic.take_peak_mib() - base);
    }
    load.stalled_ratio = p99_of(beside) / std::max(p99_of(without), 1e-3);
    return {};
}

} // namespace

Result<ControlLoad> run_control_load(int idle, int active, int seconds) {
    allow_many_descriptors();
    const auto daemon = TRY(BenchDaemon::start());
    ControlLoad load;
    TRY(measure_idle(*daemon, idle, seconds, load));
    {
        auto clients = TRY(connect_many(daemon->socket(), active));
        std::vector<double> latencies;
        ask_all(clients, std::chrono::seconds(seconds), nullptr, latencies);
        load.active_p99_ms = p99_of(latencies);
    }
    TRY(measure_stalled(*daemon, seconds, load));
    return load;
}

} // namespace handeye
