// SPDX-License-Identifier: Apache-2.0
// The parts that need no server: send queue, HTTP checks, listening sockets, token file, service notices, endpoints.
#include "base/hash.h"
#include "server/core.h"
#include "server/http_guard.h"
#include "server/listen_socket.h"
#include "server/send_queue.h"
#include "server/service_notify.h"
#include "tests/server/server_fixture.h"

#include <cstdlib>
#include <fstream>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye {
namespace {

using handeye::testing::PrivateFolder;

TEST(SendQueue, KeepsTheOrder) {
    SendQueue queue({.bytes_max = 100, .messages_max = 10});
    ASSERT_TRUE(queue.push_must("a"));
    queue.push_latest("p", "b");
    ASSERT_TRUE(queue.push_must("c"));
    for (const char* text : {"a", "b", "c"}) {
        EXPECT_EQ(queue.pop().bytes, text);
    }
    EXPECT_TRUE(queue.is_empty());
    EXPECT_EQ(queue.bytes(), 0U);
}

TEST(SendQueue, NewestProgressReplacesTheWaitingOne) {
    SendQueue queue({});
    queue.push_latest("p", "old");
    queue.push_latest("q", "other");
    queue.push_latest("p", "newest");
    EXPECT_EQ(queue.pop().bytes, "newest");
    EXPECT_EQ(queue.pop().bytes, "other");
    EXPECT_EQ(queue.dropped(), 1U);
}

TEST(SendQueue, TellsWhatWaitsUnderAKey) {
    SendQueue queue({});
    queue.push_latest("frame 1", "picture");
    EXPECT_TRUE(queue.holds("frame 1"));
    EXPECT_FALSE(queue.holds("frame 2"));
    queue.pop();
    EXPECT_FALSE(queue.holds("frame 1"));
}

TEST(SendQueue, ProgressMakesWayForReplies) {
    SendQueue queue({.bytes_max = 10, .messages_max = 10});
    ASSERT_TRUE(queue.push_must("12345"));
    queue.push_latest("p", "12345");
    ASSERT_TRUE(queue.push_must("67890"));
    EXPECT_EQ(queue.pop().bytes, "12345");
    EXPECT_EQ(queue.pop().bytes, "67890");
}

TEST(SendQueue, IsFullByBytesAndByMessages) {
    SendQueue bytes({.bytes_max = 4, .messages_max = 10});
    EXPECT_TRUE(bytes.push_must("123456789")); // alone, any size
    EXPECT_FALSE(bytes.push_must("1"));
    SendQueue messages({.bytes_max = 100, .messages_max = 2});
    EXPECT_TRUE(messages.push_must("1"));
    EXPECT_TRUE(messages.push_must("2"));
    EXPECT_FALSE(messages.push_must("3"));
    messages.push_latest("p", "4");
    EXPECT_EQ(messages.dropped(), 1U);
}

RequestHead good_head() { return {.target = "/ws", .hosts = {"127.0.0.1:7625"}, .origins = {}, .is_get = true, .is_upgrade = true}; }

int status_of(const RequestHead& head) {
    const auto refusal = check_request(head, 7625);
    return refusal ? refusal->status : 101;
}

TEST(HttpGuard, SixWellMeaningHostsPass) {
    for (const char* host : {"127.0.0.1", "127.0.0.1:7625", "localhost", "localhost:7625", "[::1]", "[::1]:7625"}) {
        RequestHead head = good_head();
        head.hosts = {host};
        EXPECT_EQ(status_of(head), 101) << host;
    }
}

TEST(HttpGuard, HostileHostsAreRefused) {
    const std::vector<std::string> hostile{
        "attacker.test", "localhost.attacker.test", "127.0.0.1.nip.io", "0.0.0.0", "0.0.0.0:7625", "127.1", "127.0.1", "2130706433",
        "0x7f000001", "0177.0.0.1", "", " ", "localhost.", "localhost.:7625", "LOCALHOST", "Localhost:7625", "127.0.0.1:80", "localhost:7626",
        "127.0.0.1:", "::1", "[::1", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "127.0.0.2", "user@localhost", "localhost,localhost",
        "localhost:7625@attacker.test", "xn--lcalhost-n4a", "l\u043ecalhost", "127.0.0.1:07625", "localhost:7625 "};
    EXPECT_GE(hostile.size(), 30U);
    for (const std::string& host : hostile) {
        RequestHead head = good_head();
        head.hosts = {host};
        EXPECT_EQ(status_of(head), 403) << '"' << host << '"';
    }
}

TEST(HttpGuard, OneHostExactly) {
    RequestHead head = good_head();
    head.hosts = {};
    EXPECT_EQ(status_of(head), 400);
    head.hosts = {"localhost", "localhost"};
    EXPECT_EQ(status_of(head), 400);
}

TEST(HttpGuard, AnyOriginIsRefusedOnEveryPath) {
    for (const std::string& origin : {std::string("null"), std::string("file://"), std::string("http://localhost"),
                                      std::string("http://127.0.0.1:7625"), std::string("http://127.0.0.1.evil"),
                                      std::string("chrome-extension://x"), std::string("http://a, http://b"), std::string(),
                                      std::string(65536, 'o')}) {
        for (const char* target : {"/ws", "/", "/health"}) {
            RequestHead head = good_head();
            head.origins = {origin};
            head.target = target;
            EXPECT_EQ(status_of(head), 403) << target << ' ' << origin.substr(0, 40);
        }
    }
}

TEST(HttpGuard, OnlyTheWebSocketIsThere) {
    RequestHead head = good_head();
    head.target = "/";
    EXPECT_EQ(status_of(head), 404);
    head.target = "/ws/";
    EXPECT_EQ(status_of(head), 404);
    head.target = "/ws?token=abc";
    EXPECT_EQ(status_of(head), 404); // tokens never travel in URLs
    head.target = "http://attacker.test/ws";
    EXPECT_EQ(status_of(head), 400);
    head = good_head();
    head.is_upgrade = false;
    EXPECT_EQ(status_of(head), 426);
}

TEST(ListenSocket, UnixSocketIsPrivate) {
    const PrivateFolder folder;
    const auto path = folder.path() / "new" / "d.sock";
    const auto socket = ListenSocket::open({.unix_path = path});
    ASSERT_TRUE(socket) << socket.error().message;
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    ASSERT_EQ(::stat(path.parent_path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST(ListenSocket, RefusesAFolderThatOthersMayEnter) {
    const PrivateFolder folder;
    const auto open = folder.path() / "open";
    std::filesystem::create_directory(open);
    ASSERT_EQ(::chmod(open.c_str(), 0755), 0);
    const auto socket = ListenSocket::open({.unix_path = open / "d.sock"});
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(socket.error().message.find("its mode is 0755: chmod 700 " + open.string()), std::string::npos) << socket.error().message;
}

TEST(ListenSocket, SecondServerIsRefusedWhileTheFirstLives) {
    const PrivateFolder folder;
    const Endpoint endpoint{.unix_path = folder.path() / "d.sock"};
    {
        const auto first = ListenSocket::open(endpoint);
        ASSERT_TRUE(first);
        const auto second = ListenSocket::open(endpoint);
        ASSERT_FALSE(second);
        EXPECT_NE(second.error().message.find("another server"), std::string::npos) << second.error().message;
        EXPECT_TRUE(std::filesystem::exists(endpoint.unix_path));
    }
    EXPECT_FALSE(std::filesystem::exists(endpoint.unix_path)); // taken away in good order
    EXPECT_TRUE(ListenSocket::open(endpoint));
}

TEST(ListenSocket, ReplacesTheSocketOfADeadServer) {
    const PrivateFolder folder;
    const auto path = folder.path() / "d.sock";
    const int orphan = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(orphan, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::close(orphan); // as after kill -9: the file stays
    ASSERT_TRUE(std::filesystem::exists(path));
    EXPECT_TRUE(ListenSocket::open({.unix_path = path}));
}

TEST(ListenSocket, LeavesAFileThatIsNoSocketAlone) {
    const PrivateFolder folder;
    const auto path = folder.path() / "d.sock";
    std::ofstream(path) << "precious";
    const auto socket = ListenSocket::open({.unix_path = path});
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

TEST(ListenSocket, RefusesEveryAddressButLoopback) {
    for (const char* host : {"0.0.0.0", "::", "192.168.1.1", "127.0.0.2", "127.1", "example.org", ""}) {
        const auto socket = ListenSocket::open({.host = host});
        ASSERT_FALSE(socket) << host;
        EXPECT_EQ(socket.error().code, ErrorCode::PermissionDenied) << host;
    }
}

TEST(TokenFile, IsMadeOnceWith256BitsForThisUserOnly) {
    const PrivateFolder folder;
    const auto path = folder.path() / "token";
    const auto made = read_or_make_token(path);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->size(), 64U);
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    const auto again = read_or_make_token(path);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *made);
}

TEST(TokenFile, RefusesWhatOthersMayReadAndWhatIsTooShort) {
    const PrivateFolder folder;
    const auto path = folder.path() / "token";
    ASSERT_TRUE(read_or_make_token(path));
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    EXPECT_EQ(read_or_make_token(path).error().code, ErrorCode::PermissionDenied);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    std::ofstream(path) << "short\n";
    EXPECT_EQ(read_or_make_token(path).error().code, ErrorCode::InvalidArgument);
}

TEST(FailureLimiter, TenWrongTokensASecondThenNoMore) {
    FailureLimiter limiter;
    const TimePoint start{std::chrono::hours(1)};
    for (int i = 0; i < FailureLimiter::kFailuresPerSecondMax; ++i) {
        EXPECT_FALSE(limiter.is_blocked("a", start));
        limiter.count_failure("a", start);
    }
    EXPECT_TRUE(limiter.is_blocked("a", start));
    EXPECT_FALSE(limiter.is_blocked("b", start));
    EXPECT_FALSE(limiter.is_blocked("a", start + std::chrono::seconds(1)));
}

TEST(ServiceNotify, SendsOneDatagramToThePathOrTheAbstractName) {
    const PrivateFolder folder;
    for (const std::string& name : {(folder.path() / "notify").string(), "@handeye-test-" + folder.path().filename().string()}) {
        const FileDescriptor listener(::socket(AF_UNIX, SOCK_DGRAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (name.front() == '@') {
            address.sun_path[0] = '\0';
        }
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0) << name;
        ASSERT_TRUE(ServiceNotify(name).send("READY=1"));
        char buffer[64] = {};
        ASSERT_EQ(::recv(listener.get(), buffer, sizeof buffer, MSG_DONTWAIT), 7);
        EXPECT_STREQ(buffer, "READY=1");
    }
}

TEST(ServiceNotify, WithoutAListenerNothingHappens) {
    EXPECT_TRUE(ServiceNotify("").send("READY=1"));
    EXPECT_FALSE(ServiceNotify("/nowhere/notify").send("READY=1"));
}

TEST(ServiceNotify, WatchdogIsHalfOfWhatIsAsked) {
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    ::unsetenv("WATCHDOG_PID");
    EXPECT_EQ(watchdog_interval(), std::chrono::milliseconds(1500));
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(watchdog_interval(), std::nullopt);
    ::unsetenv("WATCHDOG_PID");
    ::setenv("WATCHDOG_USEC", "soon", 1);
    EXPECT_EQ(watchdog_interval(), std::nullopt);
    ::unsetenv("WATCHDOG_USEC");
    EXPECT_EQ(watchdog_interval(), std::nullopt);
}

TEST(EndpointText, ReadsWhatItWrites) {
    for (const char* text : {"unix:/run/d.sock", "127.0.0.1:80", "localhost:0", "[::1]:65535"}) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_TRUE(endpoint) << endpoint.error().message;
        EXPECT_EQ(to_string(*endpoint), text);
    }
}

TEST(EndpointText, RefusesWhatNamesNoPlace) {
    for (const std::string& text : {std::string(), std::string("unix:"), std::string("localhost"), std::string("localhost:"),
                                    std::string("localhost:x"), std::string("localhost:65536"), std::string("localhost:-1"),
                                    std::string(":80"), std::string("::1:80"), "unix:/" + std::string(108, 'x')}) {
        EXPECT_FALSE(parse_endpoint(text)) << text;
    }
}

} // namespace
} // namespace handeye
