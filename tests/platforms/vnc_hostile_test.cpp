// SPDX-License-Identifier: Apache-2.0
// A server that stops, stalls or lies gets a typed error, and nothing of this process comes to harm: what libgvnc makes of it happens
// elsewhere.
#include "platforms/vnc/link.h"
#include "tests/platforms/vnc_fixture.h"

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace handeye::vnc {
namespace {

using Bytes = std::string;

Bytes big(std::uint64_t value, int size) {
    Bytes out;
    for (int i = size - 1; i >= 0; --i) {
        out += static_cast<char>(value >> (8 * i));
    }
    return out;
}

/// One client at a time, by a script; what the client says is read and dropped.
class Server {
public:
    using Script = std::function<void(Server&)>;
    explicit Server(Script script) : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(listener_.get(), 4), 0);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
    [[nodiscard]] int port() const { return port_; }

    bool say(const Bytes& bytes) { return ::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()); }
    bool hear(std::size_t count) {
        Bytes bytes(count, '\0');
        return ::recv(client_.get(), bytes.data(), count, MSG_WAITALL) == static_cast<ssize_t>(count);
    }
    void refuse(const Bytes& version, const Bytes& reason) {
        say(version);
        hear(12);
        say(Bytes(version.ends_with("3\n") ? 4 : 1, 0) + big(reason.size(), 4) + reason);
        wait();
    }
    /// As a server does it, up to what follows ServerInit.
    void greet(int width = 64, int height = 48, const Bytes& name = "liar", std::uint32_t name_size = 4) {
        say("RFB 003.008\n");
        hear(12);
        say(Bytes("\1\1", 2));
        hear(1);
        say(big(0, 4));
        hear(1);
        init(width, height, name, name_size);
    }
    void init(int width, int height, const Bytes& name, std::uint32_t name_size) {
        const Bytes format{32, 24, 0, 1, 0, static_cast<char>(255), 0, static_cast<char>(255), 0, static_cast<char>(255), 16, 8, 0, 0, 0, 0};
        say(big(static_cast<std::uint64_t>(width), 2) + big(static_cast<std::uint64_t>(height), 2) + format + big(name_size, 4) + name);
    }
    static Bytes rect(int x, int y, int width, int height, std::int32_t encoding) {
        Bytes out;
        for (const int side : {x, y, width, height}) {
            out += big(static_cast<std::uint64_t>(side), 2);
        }
        return out + big(static_cast<std::uint32_t>(encoding), 4);
    }
    static Bytes update(int rects) { return big(0, 2) + big(static_cast<std::uint64_t>(rects), 2); }
    /// The whole desktop in one colour.
    void paint(int width = 64, int height = 48) { say(update(1) + rect(0, 0, width, height, 0) + Bytes(static_cast<std::size_t>(width * height * 4), 'x')); }
    /// Until the test is over or the client gone.
    void wait() {
        Bytes bytes(4096, '\0');
        while (!is_over_ && ::recv(client_.get(), bytes.data(), bytes.size(), 0) > 0) {
        }
    }
    void stall() {
        while (!is_over_) {
            pollfd nothing{-1, 0, 0};
            ::poll(&nothing, 1, 10);
        }
    }
    ~Server() {
        is_over_ = true;
        thread_.request_stop();
        ::shutdown(listener_.get(), SHUT_RDWR);
        const std::lock_guard lock(mutex_);
        if (client_.is_open()) {
            ::shutdown(client_.get(), SHUT_RDWR);
        }
    }

private:
    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!client.is_open()) {
                return;
            }
            {
                const std::lock_guard lock(mutex_);
                client_ = std::move(client);
            }
            script_(*this);
            const std::lock_guard lock(mutex_);
            client_ = FileDescriptor();
        }
    }
    Script script_;
    FileDescriptor listener_;
    std::mutex mutex_;
    FileDescriptor client_;
    std::atomic<bool> is_over_{false};
    int port_ = 0;
    std::jthread thread_;
};

Result<std::unique_ptr<Link>> link_to(const Server& server, Duration patience = std::chrono::seconds(60)) {
    return Link::open({.address = {.host = "127.0.0.1", .port = server.port()}, .password = "geheim"}, patience, {});
}

struct Lie {
    std::string name;
    ErrorCode code;
    std::string words; ///< in the message
    Server::Script script;
};
void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

class VncHostile : public ::testing::TestWithParam<Lie> {};

TEST_P(VncHostile, GetsATypedError) {
    Server server(GetParam().script);
    ::testing::internal::CaptureStderr(); // what the child says too, which has it from us
    auto link = link_to(server);
    Error error;
    if (link) { // it began well
        const auto shot = (*link)->snapshot(std::chrono::steady_clock::now() + std::chrono::seconds(60), {});
        EXPECT_FALSE(shot);
        error = shot ? Error{} : shot.error();
    } else {
        error = link.error();
    }
    if (link) {
        link->reset();
    }
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("(process:"), std::string::npos) << "a library's own words: " << said;
    EXPECT_EQ(error.code, GetParam().code) << error_code_name(error.code) << ": " << error.message;
    EXPECT_NE(error.message.find(GetParam().words), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("127.0.0.1::" + std::to_string(server.port())), std::string::npos) << error.message;
}

const Bytes kPixels(64 * 48 * 4, 'x');

INSTANTIATE_TEST_SUITE_P(
    Lies, VncHostile,
    ::testing::Values(
        Lie{"ClosesAtOnce", ErrorCode::Unavailable, "closed", [](Server&) {}},
        Lie{"ClosesInTheHandshake", ErrorCode::Unavailable, "closed", [](Server& s) { s.say("RFB 003.008\n"); s.hear(12); }},
        Lie{"SpeaksSomethingElse", ErrorCode::ParseFailed, "version", [](Server& s) { s.say("HTTP/1.1 400 Bad Request\r\n\r\n"); s.wait(); }},
        Lie{"HasMoreSecurityTypesThanThereAre", ErrorCode::ParseFailed, "40 security types", [](Server& s) { s.say("RFB 003.008\n"); s.hear(12); s.say(Bytes(1, 40) + Bytes(40, 2)); s.wait(); }},
        Lie{"HasNoSecurityTypeThatIsKnown", ErrorCode::Unsupported, "offers", [](Server& s) { s.say("RFB 003.008\n"); s.hear(12); s.say(Bytes("\1\5", 2)); s.wait(); }},
        Lie{"RefusesInPlaceOfSecurityTypes", ErrorCode::PermissionDenied, "refused: Too many security failures", [](Server& s) { s.refuse("RFB 003.008\n", "Too many security failures"); }},
        Lie{"RefusesInPlaceOfSecurityTypesAsOf37", ErrorCode::PermissionDenied, "refused: Too many security failures", [](Server& s) { s.refuse("RFB 003.007\n", "Too many security failures"); }},
        Lie{"RefusesInPlaceOfASecurityTypeAsOf33", ErrorCode::PermissionDenied, "refused: Too many security failures", [](Server& s) { s.refuse("RFB 003.003\n", "Too many security failures"); }},
        Lie{"RefusesWithGigabytesOfReason", ErrorCode::PermissionDenied, "refused: xxxx", [](Server& s) { s.say("RFB 003.008\n"); s.hear(12); s.say(Bytes(1, 0) + big(0xfffffff0, 4) + Bytes(100'000, 'x')); s.wait(); }},
        Lie{"RefusesAndClosesInTheReason", ErrorCode::PermissionDenied, "refused: half", [](Server& s) { s.say("RFB 003.008\n"); s.hear(12); s.say(Bytes(1, 0) + big(100, 4) + "half"); }},
        Lie{"RefusesWithAReason", ErrorCode::PermissionDenied, "no more today", [](Server& s) {
                s.say("RFB 003.008\n"); s.hear(12); s.say(Bytes("\1\2", 2)); s.hear(1); s.say(Bytes(16, 'c')); s.hear(16); s.say(big(1, 4) + big(13, 4) + "no more today"); s.wait(); }},
        Lie{"HasANameOfGigabytes", ErrorCode::ParseFailed, "too long", [](Server& s) { s.greet(64, 48, "", 0xffffffff); s.wait(); }},
        Lie{"HasNoDesktop", ErrorCode::LimitExceeded, "0x0", [](Server& s) { s.greet(0, 0); s.wait(); }},
        Lie{"HasADesktopOfGigapixels", ErrorCode::LimitExceeded, "65535x65535", [](Server& s) { s.greet(65535, 65535); s.wait(); }},
        Lie{"PaintsOutside", ErrorCode::ParseFailed, "outside", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(60, 40, 64, 48, 0) + kPixels); s.wait(); }},
        Lie{"CopiesFromOutside", ErrorCode::ParseFailed, "outside", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 1) + big(60, 2) + big(60, 2)); s.wait(); }},
        Lie{"UsesAnUnknownEncoding", ErrorCode::ParseFailed, "encoding", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 12345)); s.wait(); }},
        Lie{"SendsAnUnknownMessage", ErrorCode::ParseFailed, "unknown message", [](Server& s) { s.greet(); s.paint(); s.say(Bytes(1, 99)); s.wait(); }},
        Lie{"CompressesNothing", ErrorCode::ParseFailed, "", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 16) + big(8, 4) + "garbage!"); s.wait(); }},
        Lie{"CompressesGigabytes", ErrorCode::ParseFailed, "ended the process", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 16) + big(0xfffffff0, 4)); s.wait(); }},
        Lie{"SendsAPictureThatIsNone", ErrorCode::ParseFailed, "", [](Server& s) { s.greet(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 7) + Bytes("\x90\x10", 2) + Bytes(16, 'j')); s.wait(); }},
        Lie{"ChangesTheFormOfPixels", ErrorCode::ParseFailed, "protocol", [](Server& s) {
                s.greet(); s.paint(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 0x574D5669) + Bytes{8, 8, 0, 0, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0}); s.wait(); }},
        Lie{"GrowsToGigapixels", ErrorCode::LimitExceeded, "65535x65535", [](Server& s) { s.greet(); s.paint(); s.say(Server::update(1) + Server::rect(0, 0, 65535, 65535, -223)); s.wait(); }},
        Lie{"StopsInAPicture", ErrorCode::Unavailable, "closed", [](Server& s) { s.greet(); s.paint(); s.say(Server::update(1) + Server::rect(0, 0, 64, 48, 0) + "xxxx"); }}),
    [](const auto& param) { return param.param.name; });

/// A server that goes on as if security had been settled, where none was: in all three versions, at both settings that want encryption.
class VncUnsettled : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(VncUnsettled, GetsNoSessionInTheClear) {
    const auto [version, tls] = GetParam();
    std::atomic<bool> is_taken{false};
    Server server([&, version = Bytes(version)](Server& s) {
        s.say(version);
        s.hear(12);
        const bool is_33 = version.ends_with("3\n");
        s.say(is_33 ? Bytes(8, 0) : Bytes(5, 0)); // no type at all, and a result that says: fine
        if (s.hear(1)) {                           // ClientInit
            is_taken = true;
        }
        s.init(64, 48, "liar", 4);
        s.paint();
        s.wait();
    });
    const auto link = Link::open({.address = {.host = "127.0.0.1", .port = server.port()}, .password = "geheim", .tls = tls}, std::chrono::seconds(60), {});
    ASSERT_FALSE(link);
    EXPECT_EQ(link.error().code, ErrorCode::PermissionDenied) << link.error().message;
    EXPECT_FALSE(is_taken) << "it was told to begin";
}
INSTANTIATE_TEST_SUITE_P(Versions, VncUnsettled,
                         ::testing::Combine(::testing::Values("RFB 003.008\n", "RFB 003.007\n", "RFB 003.003\n"), ::testing::Values("require", "verify", "auto")));

/// Version 3.3: the server alone says which type it is to be.
TEST(VncOldVersion, AServerThatChoosesNoEncryptionIsRefusedWhereItIsWanted) {
    Server server([](Server& s) {
        s.say("RFB 003.003\n");
        s.hear(12);
        s.say(big(1, 4));
        s.hear(1);
        s.init(64, 48, "plain", 5);
        s.paint();
        s.wait();
    });
    const auto open = [&](const char* tls) { return Link::open({.address = {.host = "127.0.0.1", .port = server.port()}, .tls = tls}, std::chrono::seconds(60), {}); };
    const auto refused = open("require");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::PermissionDenied) << refused.error().message;
    const auto taken = open("auto");
    EXPECT_TRUE(taken) << taken.error().message;
}

TEST(VncStall, AServerThatNeverSpeaksReachesTheDeadline) {
    Server server([](Server& s) { s.stall(); });
    const auto link = link_to(server, std::chrono::seconds(3));
    ASSERT_FALSE(link);
    EXPECT_EQ(link.error().code, ErrorCode::DeadlineExceeded) << link.error().message;
}

TEST(VncStall, AServerThatFallsSilentReachesTheDeadline) {
    Server server([](Server& s) { s.greet(); s.paint(); s.stall(); });
    const auto link = link_to(server);
    ASSERT_TRUE(link) << link.error().message;
    const auto shot = (*link)->snapshot(std::chrono::steady_clock::now() + std::chrono::seconds(2), {});
    ASSERT_FALSE(shot);
    EXPECT_EQ(shot.error().code, ErrorCode::DeadlineExceeded) << shot.error().message;
    EXPECT_NE(shot.error().message.find("answers nothing"), std::string::npos) << shot.error().message;
}

TEST(VncStall, InputForAServerThatReadsNothingReachesTheDeadline) {
    Server server([](Server& s) { s.greet(); s.paint(); s.stall(); });
    const auto link = link_to(server);
    ASSERT_TRUE(link) << link.error().message;
    Result<void> sent;
    for (int i = 0; i < 1000 && sent; ++i) {
        sent = (*link)->send_pointer({0, i % 64, 5});
        if (sent) {
            sent = (*link)->keep_pace(std::chrono::steady_clock::now() + std::chrono::seconds(2), {});
        }
    }
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::DeadlineExceeded) << sent.error().message;
}

TEST(VncStall, AStopEndsTheWaitAtOnce) {
    Server server([](Server& s) { s.greet(); s.paint(); s.stall(); });
    const auto link = link_to(server);
    ASSERT_TRUE(link) << link.error().message;
    std::stop_source stop;
    std::jthread other([&] { stop.request_stop(); });
    const auto shot = (*link)->snapshot(std::chrono::steady_clock::now() + std::chrono::seconds(120), stop.get_token());
    ASSERT_FALSE(shot);
    EXPECT_EQ(shot.error().code, ErrorCode::Cancelled);
}

} // namespace
} // namespace handeye::vnc
