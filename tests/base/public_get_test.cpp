// SPDX-License-Identifier: Apache-2.0
// What strangers name by URL: what is fetched from where, and all that is not. The servers are real sockets on this machine; names are
// looked up by the tests, and a checked public address is led here.
#include "base/net/public_get.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye {
namespace {

constexpr const char* kPublic = "93.184.216.34";

/// Answers every connection with the same bytes and hangs up; remembers what was asked.
class CannedServer {
public:
    explicit CannedServer(std::string answer) : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(socket_, 8), 0);
        socklen_t size = sizeof address;
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
    }
    ~CannedServer() {
        thread_.request_stop();
        ::shutdown(socket_, SHUT_RDWR);
        thread_ = {};
        ::close(socket_);
    }
    CannedServer(const CannedServer&) = delete;
    CannedServer& operator=(const CannedServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] int asked() const { return asked_; }
    /// After the one request has been answered.
    [[nodiscard]] const std::string& head() const { return head_; }

private:
    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const int peer = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
            if (peer < 0) {
                return;
            }
            ++asked_;
            std::string head;
            char byte = 0;
            while (head.find("\r\n\r\n") == std::string::npos && ::recv(peer, &byte, 1, 0) == 1) {
                head += byte;
            }
            head_ = head;
            for (std::size_t at = 0; at < answer_.size();) {
                const ssize_t sent = ::send(peer, answer_.data() + at, answer_.size() - at, MSG_NOSIGNAL);
                if (sent <= 0) {
                    break;
                }
                at += static_cast<std::size_t>(sent);
            }
            if (answer_.empty()) { // one that never answers
                ::recv(peer, &byte, 1, 0);
            }
            ::close(peer);
        }
    }

    const std::string answer_;
    const int socket_;
    std::uint16_t port_ = 0;
    std::atomic<int> asked_ = 0;
    std::string head_;
    std::jthread thread_;
};

std::string ok(const std::string& body, const std::string& fields = "") { return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body; }

/// media.example and its public address, led to the server.
PublicGetOptions led_to(const CannedServer& server) {
    return {.hosts = {"media.example"},
            .resolve = [](const std::string&) -> Result<std::vector<std::string>> { return std::vector<std::string>{kPublic}; },
            .route = [port = server.port()](Endpoint there) {
                EXPECT_EQ(there.host, kPublic);
                there.host = "127.0.0.1";
                there.port = port;
                return there;
            }};
}

TEST(PublicGet, FetchesFromAHostThatIsAllowed) {
    const CannedServer server(ok("picture"));
    const auto got = get_public("http://media.example/a/b.png?c=d", led_to(server), {});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(std::string(got->begin(), got->end()), "picture");
    EXPECT_EQ(server.head().find("GET /a/b.png?c=d HTTP/1.1\r\n"), 0U) << server.head();
    EXPECT_NE(server.head().find("Host: media.example"), std::string::npos) << server.head();
    EXPECT_NE(server.head().find("Accept-Encoding: identity"), std::string::npos) << server.head();
}

struct AddressRow {
    const char* address;
    bool is_public;
};
class Addresses : public ::testing::TestWithParam<AddressRow> {};
TEST_P(Addresses, AreToldApart) { EXPECT_EQ(is_public_address(std::string_view(GetParam().address)), GetParam().is_public) << GetParam().address; }
INSTANTIATE_TEST_SUITE_P(
    Rows, Addresses,
    ::testing::Values(AddressRow{kPublic, true}, AddressRow{"1.1.1.1", true}, AddressRow{"9.255.255.255", true}, AddressRow{"11.0.0.0", true}, AddressRow{"100.63.255.255", true}, AddressRow{"100.128.0.0", true},
                    AddressRow{"172.15.255.255", true}, AddressRow{"172.32.0.0", true}, AddressRow{"192.167.255.255", true}, AddressRow{"223.255.255.255", true}, AddressRow{"0.0.0.0", false},
                    AddressRow{"0.1.2.3", false}, AddressRow{"10.0.0.1", false}, AddressRow{"10.255.255.255", false}, AddressRow{"100.64.0.1", false}, AddressRow{"100.127.255.255", false},
                    AddressRow{"127.0.0.1", false}, AddressRow{"127.255.255.254", false}, AddressRow{"169.254.169.254", false}, AddressRow{"172.16.0.1", false}, AddressRow{"172.31.255.255", false},
                    AddressRow{"192.0.0.170", false}, AddressRow{"192.0.2.1", false}, AddressRow{"192.88.99.1", false}, AddressRow{"192.168.1.1", false}, AddressRow{"198.18.0.1", false},
                    AddressRow{"198.19.255.255", false}, AddressRow{"198.51.100.7", false}, AddressRow{"203.0.113.7", false}, AddressRow{"224.0.0.1", false}, AddressRow{"239.255.255.250", false},
                    AddressRow{"240.0.0.1", false}, AddressRow{"255.255.255.255", false}, AddressRow{"2606:2800:220:1:248:1893:25c8:1946", true}, AddressRow{"2a00:1450:4001::1", true}, AddressRow{"::", false},
                    AddressRow{"::1", false}, AddressRow{"::ffff:127.0.0.1", false}, AddressRow{"::ffff:93.184.216.34", false}, AddressRow{"::93.184.216.34", false}, AddressRow{"64:ff9b::7f00:1", false},
                    AddressRow{"64:ff9b::5db8:d822", false}, AddressRow{"64:ff9b:1::1", false}, AddressRow{"100::1", false}, AddressRow{"2001::1", false}, AddressRow{"2001:10::1", false},
                    AddressRow{"2001:db8::1", false}, AddressRow{"2002:7f00:1::", false}, AddressRow{"2002:5db8:d822::1", false}, AddressRow{"3fff::1", false}, AddressRow{"4000::1", false}, AddressRow{"5f00::1", false},
                    AddressRow{"fc00::1", false}, AddressRow{"fdff::1", false}, AddressRow{"fe80::1", false}, AddressRow{"fec0::1", false}, AddressRow{"ff02::1", false}, AddressRow{"127.1", false},
                    AddressRow{"0x7f000001", false}, AddressRow{"2130706433", false}, AddressRow{"", false}, AddressRow{"localhost", false}));

// Hosts that are not on the list are refused before anything is looked up, however they are written.
TEST(PublicGet, AsksNobodyElseHoweverItIsWritten) {
    const CannedServer server(ok("picture"));
    PublicGetOptions options = led_to(server);
    int looked_up = 0;
    options.resolve = [&](const std::string&) -> Result<std::vector<std::string>> {
        ++looked_up;
        return std::vector<std::string>{"127.0.0.1"};
    };
    for (const char* const url :
         {"http://127.0.0.1/", "http://a@127.0.0.1/", "http://media.example@127.0.0.1/", "http://media.example:80@127.0.0.1/", "http://127.0.0.1#@media.example/", "http://127.0.0.1\\@media.example/", "http://0177.0.0.1/",
          "http://0x7f.0.0.1/", "http://0x7f000001/", "http://2130706433/", "http://017700000001/", "http://127.1/", "http://0/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
          "http://169.254.169.254/latest/meta-data/", "http://localhost/", "http://localhost./", "http://media.example./", "http://media.example.evil.example/", "http://evilmedia.example/", "http://MEDIA.example/",
          "http://m\xc3\xa9" "dia.example/", "http://xn--mdia-bpa.example/", "http://media%2eexample/", "http://media.example:8080/", "http://media.example:443/", "https://media.example:80/", "http://media.example:0/", "http://media.example:65616/",
          "http:///media.example/", "http://", "http:media.example", "https:/media.example/", "HTTP://media.example/", "ftp://media.example/", "gopher://media.example/", "file:///etc/passwd", "file://media.example/etc/passwd",
          "data:image/png;base64,AAAA", "http://media.example\r\nHost: evil/", "http://media.example/\nX: y", "http://media.example /", "http://media.example/a b", "http://media.example\t/", "//media.example/", "http://[media.example]/", "http://media.example:/"}) {
        const auto got = get_public(url, options, {});
        ASSERT_FALSE(got) << url;
        EXPECT_TRUE(got.error().code == ErrorCode::PermissionDenied || got.error().code == ErrorCode::InvalidArgument) << url << ": " << got.error().message;
    }
    EXPECT_EQ(looked_up, 0);
    EXPECT_EQ(server.asked(), 0);
}

TEST(PublicGet, AnAllowedNameOfAnAddressThatIsNotPublicIsNotAsked) {
    const CannedServer server(ok("secret"));
    for (const std::vector<std::string>& addresses : {std::vector<std::string>{"127.0.0.1"}, {"169.254.169.254"}, {"10.0.0.1"}, {"::1"}, {"fd00::1"}, {"64:ff9b::7f00:1"}, {"::ffff:10.0.0.1"}, {kPublic, "127.0.0.1"}, {"127.0.0.1", kPublic}, {}}) {
        PublicGetOptions options = led_to(server);
        options.resolve = [&](const std::string&) -> Result<std::vector<std::string>> { return addresses; };
        const auto got = get_public("http://media.example/", options, {});
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, addresses.empty() ? ErrorCode::Unavailable : ErrorCode::PermissionDenied) << got.error().message;
    }
    EXPECT_EQ(server.asked(), 0);
}

// The first answer is public, every later one is this machine: the connection goes to what was checked.
TEST(PublicGet, ANameIsLookedUpOnceSoThatItsAnswerCannotFlip) {
    const CannedServer server(ok("picture"));
    PublicGetOptions options = led_to(server); // whose route fails the test for any address but the first
    int looked_up = 0;
    options.resolve = [&](const std::string&) -> Result<std::vector<std::string>> { return std::vector<std::string>{looked_up++ == 0 ? kPublic : "127.0.0.1"}; };
    EXPECT_TRUE(get_public("http://media.example/", options, {}));
    EXPECT_EQ(looked_up, 1);
}

struct AnswerRow {
    const char* name;
    std::string answer;
    ErrorCode code;
    const char* word;
};
class Answers : public ::testing::TestWithParam<AnswerRow> {};
TEST_P(Answers, AreRefused) {
    const CannedServer server(GetParam().answer);
    PublicGetOptions options = led_to(server);
    options.bytes_max = 64;
    const auto got = get_public("http://media.example/", options, {});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, GetParam().code) << got.error().message;
    EXPECT_NE(got.error().message.find(GetParam().word), std::string::npos) << got.error().message;
    EXPECT_EQ(server.asked(), 1); // nor is anybody asked again
}
INSTANTIATE_TEST_SUITE_P(Rows, Answers,
                         ::testing::Values(AnswerRow{"RedirectToAFile", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", ErrorCode::PermissionDenied, "redirect"},
                                           AnswerRow{"RedirectToThisMachine", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", ErrorCode::PermissionDenied, "redirect"},
                                           AnswerRow{"RedirectToItself", "HTTP/1.1 301 Moved\r\nLocation: http://media.example/x\r\nContent-Length: 0\r\n\r\n", ErrorCode::PermissionDenied, "redirect"},
                                           AnswerRow{"GzipBomb", ok("\x1f\x8b\x08", "Content-Encoding: gzip\r\n"), ErrorCode::PermissionDenied, "compressed"},
                                           AnswerRow{"Brotli", ok("x", "Content-Encoding: br\r\n"), ErrorCode::PermissionDenied, "compressed"},
                                           AnswerRow{"NotThere", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", ErrorCode::Unavailable, "404"},
                                           AnswerRow{"Partial", "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx", ErrorCode::Unavailable, "206"},
                                           AnswerRow{"SaysThatItIsTooLong", "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", ErrorCode::LimitExceeded, "65 bytes; the limit is 64"},
                                           AnswerRow{"IsTooLongInChunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" + std::string(65, 'x') + "\r\n0\r\n\r\n", ErrorCode::LimitExceeded, "64"},
                                           AnswerRow{"IsTooLongWithoutSaying", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + std::string(100'000, 'x'), ErrorCode::LimitExceeded, "64"},
                                           AnswerRow{"EndsTooEarly", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", ErrorCode::Unavailable, "media.example"},
                                           AnswerRow{"IsNoHttp", "SSH-2.0-OpenSSH\r\n\r\n", ErrorCode::Unavailable, "media.example"},
                                           AnswerRow{"HasAnEndlessHead", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), ErrorCode::Unavailable, "media.example"}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(PublicGet, AServerThatNeverAnswersReachesTheDeadline) {
    const CannedServer server("");
    PublicGetOptions options = led_to(server);
    options.timeout = std::chrono::milliseconds(200);
    const auto got = get_public("http://media.example/", options, {});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::DeadlineExceeded) << got.error().message;
}

TEST(PublicGet, AStopEndsIt) {
    const CannedServer server("");
    std::stop_source stop;
    stop.request_stop();
    const auto got = get_public("http://media.example/", led_to(server), stop.get_token());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::Cancelled) << got.error().message;
}

TEST(PublicGet, TheListHoldsNamesAndNoAddresses) {
    for (const char* const good : {"media.example", "a-b.example:8443", "xn--mdia-bpa.example", "localhost"}) {
        EXPECT_TRUE(check_media_host(good)) << good;
    }
    for (const char* const bad : {"", "127.0.0.1", "0x7f.1", "2130706433", "[::1]", "::1", "media.example.", "MEDIA.example", "http://media.example", "media.example/x", "media.example:0", "media.example:65616", "media.example:", "*.example",
                                  "user@media.example", "a b", "m\xc3\xa9" "dia.example", ".", "a..1"}) {
        EXPECT_FALSE(check_media_host(bad)) << bad;
    }
}

} // namespace
} // namespace handeye
