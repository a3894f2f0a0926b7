// SPDX-License-Identifier: Apache-2.0
// An adb server that lies, stalls or breaks off: every call ends with an error that says what is wrong.
#include "platforms/android/device_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <thread>

#include <gtest/gtest.h>

namespace handeye::android {
namespace {

/// Answers each request by a table: the first key that the request begins with. What is not there is not answered.
class FakeAdb {
public:
    using Answers = std::map<std::string, std::string>;
    explicit FakeAdb(Answers answers) : answers_(std::move(answers)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        endpoint_.host = "127.0.0.1";
        endpoint_.port = ntohs(address.sin_port);
        thread_ = std::jthread([this] { serve(); });
    }
    ~FakeAdb() {
        is_over_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        thread_ = {};
        ::close(listener_);
    }
    [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

private:
    void serve() {
        std::vector<std::jthread> clients;
        while (!is_over_) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd >= 0) {
                clients.emplace_back([this, fd] { talk(fd), ::close(fd); });
            }
        }
    }
    void talk(int fd) {
        std::string head(4, '\0');
        while (::recv(fd, head.data(), 4, MSG_WAITALL) == 4) {
            std::string request(std::stoul(head, nullptr, 16), '\0');
            if (::recv(fd, request.data(), request.size(), MSG_WAITALL) != static_cast<ssize_t>(request.size())) {
                return;
            }
            const auto answer = std::find_if(answers_.rbegin(), answers_.rend(), [&](const auto& row) { return request.starts_with(row.first); });
            if (answer == answers_.rend()) {
                char none = 0;
                static_cast<void>(::recv(fd, &none, 1, 0)); // silence, until the client has had enough
                return;
            }
            ::send(fd, answer->second.data(), answer->second.size(), MSG_NOSIGNAL);
            if (!request.starts_with("host:transport")) {
                return;
            }
        }
    }

    Answers answers_;
    int listener_ = -1;
    Endpoint endpoint_;
    std::atomic<bool> is_over_ = false;
    std::jthread thread_;
};

const FakeAdb::Answers kGood = {{"host:version", "OKAY00040029"},
                                {"host:devices-l", "OKAY000bone device\n"},
                                {"host-serial:one:features", "OKAY0008shell_v2"},
                                {"host:transport:one", "OKAY"}};

std::string packet(char kind, const std::string& data, std::uint32_t length) {
    std::string out(1, kind);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(length >> shift);
    }
    return out + data;
}

StreamWait briefly() { return StreamWait::lasting(std::chrono::milliseconds(500)); }
StreamWait patiently() { return StreamWait::lasting(std::chrono::seconds(60)); }

Result<ShellResult> run_on(FakeAdb::Answers changes, Duration timeout = std::chrono::seconds(60), std::size_t bytes_max = 1U << 20U) {
    changes.insert(kGood.begin(), kGood.end());
    const FakeAdb fake(changes);
    auto link = DeviceLink::open(AdbServer(fake.endpoint()), "", patiently());
    return link ? link->run("echo", {.timeout = timeout, .bytes_max = bytes_max}) : Result<ShellResult>(link.error());
}

TEST(HostileAdb, AGoodServerIsUnderstood) {
    const auto result = run_on({{"shell,v2", "OKAY" + packet(1, "out", 3) + packet(2, "err", 3) + packet(3, "\x07", 1)}});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->out, "out");
    EXPECT_EQ(result->err, "err");
    EXPECT_EQ(result->exit_code, 7);
}

TEST(HostileAdb, NobodyThereIsSaidWithTheCommandThatHelps) {
    Endpoint nobody;
    {
        const FakeAdb fake({});
        nobody = fake.endpoint();
    }
    const auto version = AdbServer(nobody).version(patiently());
    ASSERT_FALSE(version);
    EXPECT_EQ(version.error().code, ErrorCode::Unavailable);
    EXPECT_NE(version.error().message.find("adb start-server"), std::string::npos) << version.error().message;
}

TEST(HostileAdb, LiesAreErrors) {
    const std::vector<std::pair<std::string, ErrorCode>> cases = {
        {"HTTP/1.1 400", ErrorCode::ParseFailed}, {"OKAYzzzz", ErrorCode::ParseFailed},     {"OKAY00ff0029", ErrorCode::Unavailable},
        {"OKAY", ErrorCode::Unavailable},         {"", ErrorCode::Unavailable},             {"OKAY0004wxyz", ErrorCode::ParseFailed},
        {"FAIL0005tired", ErrorCode::Unavailable}, {"FAILzz", ErrorCode::Unavailable},       {"OKAY-001", ErrorCode::ParseFailed}};
    for (const auto& [answer, code] : cases) {
        const FakeAdb fake({{"host:version", answer}});
        const auto version = AdbServer(fake.endpoint()).version(patiently());
        ASSERT_FALSE(version) << answer;
        EXPECT_EQ(version.error().code, code) << answer << ": " << version.error().message;
    }
}

TEST(HostileAdb, SilenceEndsAtTheDeadline) {
    const FakeAdb fake({});
    EXPECT_EQ(AdbServer(fake.endpoint()).version(briefly()).error().code, ErrorCode::DeadlineExceeded);
    EXPECT_EQ(run_on({{"shell,v2", "OKAY" + packet(1, "never more", 10)}}, std::chrono::milliseconds(500)).error().code, ErrorCode::Unavailable);
}

TEST(HostileAdb, BrokenShellsAreErrors) {
    EXPECT_EQ(run_on({{"shell,v2", "OKAY" + packet(1, "abc", 0xFFFFFFFF)}}).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(run_on({{"shell,v2", "OKAY" + packet(1, "abc", 100)}}).error().code, ErrorCode::Unavailable);
    EXPECT_EQ(run_on({{"shell,v2", "OKAY" + packet(3, "ab", 2)}}).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(run_on({{"shell,v2", "OKAY" + packet(1, std::string(100, 'x'), 100)}}, std::chrono::seconds(60), 10).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(run_on({{"shell,v2", "FAIL0006closed"}}).error().code, ErrorCode::Unavailable);
    const auto plain = run_on({{"host-serial:one:features", "OKAY0000"}, {"exec:", "OKAYno mark of an end"}});
    EXPECT_EQ(plain.error().code, ErrorCode::Unavailable);
}

TEST(HostileAdb, ADeviceThatWentIsNamedWithItsState) {
    const auto gone = run_on({{"host:transport:one", "FAIL0010device not found"}, {"host:devices-l", "OKAY0010one device\ntwo x\n"}});
    ASSERT_FALSE(gone);
    const FakeAdb fake({{"host:version", "OKAY00040029"}, {"host:devices-l", "OKAY0011one unauthorized\n"}, {"host:transport", "FAIL0004gone"}});
    const auto link = DeviceLink::open(AdbServer(fake.endpoint()), "one", patiently());
    ASSERT_FALSE(link);
    EXPECT_EQ(link.error().code, ErrorCode::Unavailable);
    EXPECT_NE(link.error().message.find("one is unauthorized"), std::string::npos) << link.error().message;
}

TEST(HostileAdb, FilesThatLieAreErrors) {
    const auto read = [](const std::string& answer) {
        FakeAdb::Answers all = kGood;
        all["sync:"] = answer;
        const FakeAdb fake(all);
        auto link = DeviceLink::open(AdbServer(fake.endpoint()), "", patiently());
        return link ? link->read_file("/x", {.timeout = std::chrono::seconds(60), .bytes_max = 8}) : Result<std::string>(link.error());
    };
    const auto piece = [](const std::string& id, const std::string& data, std::uint32_t length) { return id + packet(0, "", length).substr(1) + data; };
    EXPECT_EQ(*read("OKAY" + piece("DATA", "abc", 3) + piece("DONE", "", 0)), "abc");
    EXPECT_EQ(read("OKAY" + piece("DATA", "abc", 0xFFFFFFF)).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(read("OKAY" + piece("DATA", "123456789", 9)).error().code, ErrorCode::LimitExceeded);
    EXPECT_EQ(read("OKAY" + piece("FAIL", "no file", 7)).error().code, ErrorCode::NotFound);
    EXPECT_EQ(read("OKAY" + piece("EVIL", "", 0)).error().code, ErrorCode::ParseFailed);
    EXPECT_EQ(read("OKAYDAT").error().code, ErrorCode::Unavailable);
}

TEST(HostileAdb, AStopEndsTheWait) {
    const FakeAdb fake({});
    std::stop_source source;
    std::jthread later([&] { source.request_stop(); });
    EXPECT_EQ(AdbServer(fake.endpoint()).version(StreamWait::lasting(std::chrono::seconds(60), source.get_token())).error().code, ErrorCode::Cancelled);
}

} // namespace
} // namespace handeye::android
