// SPDX-License-Identifier: Apache-2.0
// RFC 6455 on the wire: every case of websocket_cases.cpp over a raw socket to the real server.
#include "base/file.h"
#include "tests/server/server_fixture.h"
#include "tests/server/websocket_cases.h"

#include <array>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace handeye::testing {
namespace {

struct Frame {
    unsigned opcode = 0;
    std::string payload;
};

/// A socket without any WebSocket library: what a case says goes out as it is.
class RawPeer {
public:
    explicit RawPeer(const std::filesystem::path& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        put("GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
        while (received_.find("\r\n\r\n") == std::string::npos && take_some()) {
        }
        // RFC 6455 1.3 gives this key and its answer.
        EXPECT_NE(received_.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos) << received_;
        received_.erase(0, received_.find("\r\n\r\n") + 4);
    }
    void put(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return; // the server has hung up: what it said is still to be read
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// nullopt: the end, or nothing for a minute.
    std::optional<Frame> next() {
        for (;;) {
            if (auto frame = cut_frame(); frame) {
                return frame;
            }
            if (!take_some()) {
                return std::nullopt;
            }
        }
    }

private:
    bool take_some() {
        pollfd wait{socket_.get(), POLLIN, 0};
        std::array<char, 65536> buffer{};
        const ssize_t got = ::poll(&wait, 1, 60'000) == 1 ? ::recv(socket_.get(), buffer.data(), buffer.size(), 0) : 0;
        if (got > 0) {
            received_.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return got > 0;
    }
    std::optional<Frame> cut_frame() {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(received_[i]); };
        if (received_.size() < 2) {
            return std::nullopt;
        }
        EXPECT_EQ(byte(0) & 0xF0U, 0x80U) << "the server sends whole, uncompressed messages";
        EXPECT_EQ(byte(1) & 0x80U, 0U) << "a server does not mask";
        std::size_t length = byte(1) & 0x7FU;
        const std::size_t extra = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (received_.size() < 2 + extra) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < extra; ++i) {
            length = (i == 0 ? 0 : length << 8U) | byte(2 + i);
        }
        if (received_.size() < 2 + extra + length) {
            return std::nullopt;
        }
        Frame frame{byte(0) & 0x0FU, received_.substr(2 + extra, length)};
        received_.erase(0, 2 + extra + length);
        return frame;
    }

    FileDescriptor socket_;
    std::string received_;
};

class WebSocketRules : public ServerTest {
protected:
    static constexpr std::size_t kMessageMax = 70'000;

    static std::string request(const std::string& id, const std::string& method, const std::string& params) {
        return frame_bytes(1, fmt::format(R"({{"jsonrpc":"2.0","id":"{}","method":"{}","params":{}}})", id, method, params));
    }
    /// The reply to `id`; other texts are passed over.
    static std::optional<nlohmann::json> reply_to(RawPeer& peer, const std::string& id) {
        while (auto frame = peer.next()) {
            const auto text = nlohmann::json::parse(frame->payload, nullptr, false);
            if (frame->opcode == 1 && text.is_object() && text.value("id", "") == id) {
                return text;
            }
            if (frame->opcode == 8) {
                return std::nullopt;
            }
        }
        return std::nullopt;
    }
    void run(const WebSocketCase& it) {
        RawPeer peer(unix_endpoint().unix_path);
        peer.put(request("in", "connection.identify", R"({"protocol":1,"client":"rfc6455"})"));
        ASSERT_TRUE(reply_to(peer, "in"));
        if (it.is_dribbled) {
            for (const char byte : it.bytes) {
                peer.put({&byte, 1});
            }
        } else {
            peer.put(it.bytes);
        }
        if (it.want == WebSocketCase::Want::Close) {
            expect_close(peer, it.code);
            return;
        }
        if (it.want == WebSocketCase::Want::Pong) {
            std::optional<Frame> frame = peer.next();
            while (frame && (frame->opcode != 10 || frame->payload != it.payload)) {
                frame = peer.next();
            }
            ASSERT_TRUE(frame) << "no such pong";
        }
        if (it.want == WebSocketCase::Want::Reply) {
            auto reply = reply_to(peer, "echo");
            while (reply && (*reply)["result"].value("payload", "") != it.payload) {
                reply = reply_to(peer, "echo");
            }
            ASSERT_TRUE(reply) << "no such reply";
        }
        peer.put(request("after", "connection.ping", "{}"));
        EXPECT_TRUE(reply_to(peer, "after")) << "the connection should go on";
    }
    static void expect_close(RawPeer& peer, std::uint16_t code) {
        std::optional<Frame> frame = peer.next();
        while (frame && frame->opcode != 8) {
            frame = peer.next();
        }
        ASSERT_TRUE(frame) << "ended without a close frame";
        std::uint16_t said = 0;
        if (frame->payload.size() >= 2) {
            said = static_cast<std::uint16_t>((static_cast<unsigned char>(frame->payload[0]) << 8U) | static_cast<unsigned char>(frame->payload[1]));
        }
        EXPECT_EQ(said, code);
        EXPECT_FALSE(peer.next()) << "nothing comes after a close";
    }
};

TEST_F(WebSocketRules, EveryCaseEndsAsRfc6455Says) {
    options.message_bytes_max = kMessageMax;
    start();
    const auto cases = websocket_cases(kMessageMax);
    EXPECT_GE(cases.size(), 200U);
    for (const WebSocketCase& it : cases) {
        SCOPED_TRACE(it.name + " (" + it.clause + ")");
        run(it);
    }
}

TEST_F(WebSocketRules, CompressionIsNotNegotiated) {
    start();
    WebSocketOptions wanted;
    wanted.headers = {{"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}};
    const auto socket = connect_raw(unix_endpoint(), wanted);
    ASSERT_TRUE(socket);
    EXPECT_TRUE(socket->receive(soon())); // hello, readable as it is
}

} // namespace
} // namespace handeye::testing
