// SPDX-License-Identifier: Apache-2.0
// Slow and half-open connections against the real daemon: it stays small and quick for the others.
#include "tests/server/handeyed_fixture.h"

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace handeye::testing {
namespace {

constexpr std::int64_t kGrowthKibMax = 64 << 10;

class Dribblers : public Handeyed {
protected:
    static bool is_full() { return std::getenv("HANDEYE_FULL") != nullptr; }
    static std::int64_t resident_kib(pid_t pid) {
        std::ifstream status(fmt::format("/proc/{}/status", pid));
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmRSS:")) {
                return std::atoll(line.c_str() + 6);
            }
        }
        return 0;
    }
    /// One that never finishes its request: byte by byte, or not at all (half-open).
    struct Dribbler {
        FileDescriptor socket;
        std::size_t sent = 0;
    };
    [[nodiscard]] Dribbler dial() const {
        Dribbler out{FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_path().native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        (void)::connect(out.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        return out;
    }
    /// False: the server has hung up.
    static bool dribble(Dribbler& one) {
        static const std::string head = "GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + std::string(4096, 'a');
        const char byte = head[one.sent++ % head.size()];
        return ::send(one.socket.get(), &byte, 1, MSG_NOSIGNAL) == 1;
    }
};

TEST_F(Dribblers, AThousandOfThemDisturbNobody) {
    const std::size_t count = is_full() ? 1000 : 100;
    const auto span = is_full() ? std::chrono::seconds(60) : std::chrono::seconds(2);
    const auto daemon = spawn_ready();
    const auto client = connect();
    (void)info(*client);
    const std::int64_t before = resident_kib(daemon->pid());
    std::vector<Dribbler> dribblers;
    for (std::size_t i = 0; i < count; ++i) {
        dribblers.push_back(dial());
    }
    std::vector<double> latencies_ms;
    std::int64_t largest = before;
    std::size_t hung_up = 0;
    const TimePoint end = std::chrono::steady_clock::now() + span;
    while (std::chrono::steady_clock::now() < end) {
        for (std::size_t i = 0; i < dribblers.size(); i += 2) { // every other one stays half-open
            if (!dribble(dribblers[i])) {
                dribblers[i] = dial();
                ++hung_up;
            }
        }
        for (int i = 0; i < 10; ++i) {
            const TimePoint begin = std::chrono::steady_clock::now();
            const auto reply = client->request("connection.ping", "{}", soon());
            ASSERT_TRUE(reply && !reply->failure);
            latencies_ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
        }
        largest = std::max(largest, resident_kib(daemon->pid()));
        SystemClock().sleep_for(std::chrono::milliseconds(50), {});
    }
    std::sort(latencies_ms.begin(), latencies_ms.end());
    const double p99 = latencies_ms[latencies_ms.size() * 99 / 100];
    fmt::print("{} dribblers, {} hung up on, {} pings: p99 {:.2f} ms; memory grew by {} KiB\n", count, hung_up, latencies_ms.size(), p99, largest - before);
    EXPECT_GT(hung_up, 0U); // the house is not theirs
    EXPECT_LT(largest - before, kGrowthKibMax);
    EXPECT_EQ(info(*connect())["server"], "handeyed"); // a newcomer still gets in
    if (is_full()) {
        EXPECT_LT(p99, 20.0);
    }
}

} // namespace
} // namespace handeye::testing
