// SPDX-License-Identifier: Apache-2.0
// Real sockets: who gets in, what is said before and after, and what happens to clients that misbehave.
#include "base/file.h"
#include "base/json.h"
#include "tests/server/server_fixture.h"

#include <cstdlib>
#include <filesystem>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

class Transport : public ServerTest {
protected:
    /// A plain connection to the Unix socket.
    FileDescriptor dial() const {
        FileDescriptor out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        unix_endpoint().unix_path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
        return ::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? std::move(out)
                                                                                                       : FileDescriptor();
    }
    static void put(const FileDescriptor& to, const std::string& bytes) {
        EXPECT_EQ(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    /// Everything until the other side closes.
    static std::string drain(const FileDescriptor& from) {
        std::string all;
        char buffer[4096];
        for (;;) {
            pollfd wait{from.get(), POLLIN, 0};
            if (::poll(&wait, 1, 60'000) != 1) {
                return all + "<nothing within a minute>";
            }
            const ssize_t got = ::recv(from.get(), buffer, sizeof buffer, 0);
            if (got <= 0) {
                return all;
            }
            all.append(buffer, static_cast<std::size_t>(got));
        }
    }
    std::string answer_to(const std::string& request) const {
        const FileDescriptor socket = dial();
        put(socket, request);
        return drain(socket).substr(0, 12); // "HTTP/1.1 400"
    }
    static std::string upgrade(const std::string& headers) {
        return "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" +
               headers + "\r\n";
    }
    /// A plain connection whose upgrade was accepted; what comes next are frames.
    FileDescriptor dial_upgraded() const {
        FileDescriptor socket = dial();
        put(socket, upgrade("Host: localhost\r\n"));
        std::string head;
        char byte = 0;
        while (!head.ends_with("\r\n\r\n") && ::recv(socket.get(), &byte, 1, 0) == 1) {
            head += byte;
        }
        EXPECT_EQ(head.substr(0, 12), "HTTP/1.1 101");
        return socket;
    }
    /// A client text frame, masked with zeros, whatever its bytes.
    static std::string text_frame(const std::string& bytes) {
        return std::string("\x81") + static_cast<char>(0x80U | bytes.size()) + std::string(4, '\0') + bytes;
    }
    Reply identify(WebSocketClient& socket, const std::string& params) {
        EXPECT_TRUE(socket.receive(soon())); // hello
        EXPECT_TRUE(socket.send_text(R"({"jsonrpc":"2.0","id":1,"method":"connection.identify","params":)" + params + "}", soon()));
        const auto message = socket.receive(soon());
        if (!message) {
            return {{}, "closed", "", message.error().message, 0};
        }
        const json body = json::parse(message->bytes);
        if (body.contains("error")) {
            return {{}, body["error"]["data"]["kind"], body["error"]["data"].value("field", ""), body["error"]["message"],
                    body["error"]["code"]};
        }
        return {body["result"], "", "", "", 0};
    }
};

TEST_F(Transport, HelloComesFirstAndSaysWhoIsThere) {
    start();
    for (const auto& [endpoint, method] : {std::pair(unix_endpoint(), "peer_uid"), std::pair(tcp_endpoint(), "bearer")}) {
        const auto socket = connect_raw(endpoint);
        const auto message = socket->receive(soon());
        ASSERT_TRUE(message);
        const json hello = json::parse(message->bytes);
        EXPECT_EQ(hello["method"], "hello");
        EXPECT_EQ(hello["params"]["server"], "handeyed");
        EXPECT_EQ(hello["params"]["protocol"], 1);
        EXPECT_EQ(hello["params"]["auth"]["methods"], json::array({method}));
        EXPECT_TRUE(hello["params"]["features"].is_array());
        EXPECT_EQ(hello["params"]["instance_id"].get<std::string>().size(), 26U);
    }
}

TEST_F(Transport, UnixPeerOfThisUserNeedsNoToken) {
    start();
    const auto socket = connect_raw(unix_endpoint());
    const Reply reply = identify(*socket, R"({"protocol":1,"client":"t"})");
    EXPECT_EQ(reply.kind, "");
    EXPECT_EQ(reply.result["principal"], "local_user");
    EXPECT_EQ(reply.result["negotiated_protocol"], 1);
}

TEST_F(Transport, TcpPeerNeedsTheToken) {
    start();
    const auto good = connect_raw(tcp_endpoint());
    EXPECT_EQ(identify(*good, fmt::format(R"({{"protocol":1,"client":"t","token":"{}"}})", options.token)).kind, "");
    for (const std::string& token : {std::string(), std::string(63, 'a'), std::string(64, 'b'), std::string(65, 'a')}) {
        const auto bad = connect_raw(tcp_endpoint());
        EXPECT_EQ(identify(*bad, fmt::format(R"({{"protocol":1,"client":"t","token":"{}"}})", token)).kind, "unauthorized");
        EXPECT_EQ(wait_for_close(*bad).code, 4401);
    }
    const auto none = connect_raw(tcp_endpoint());
    EXPECT_EQ(identify(*none, R"({"protocol":1,"client":"t"})").kind, "unauthorized");
}

TEST_F(Transport, WrongTokensAreLimitedByTheSecond) {
    start();
    int limited = 0;
    for (int i = 0; i < 200 && limited == 0; ++i) { // a loaded machine may spread them over several seconds
        const auto socket = connect_raw(tcp_endpoint());
        const Reply reply = identify(*socket, R"({"protocol":1,"client":"t","token":"x"})");
        limited += reply.kind == "rate_limited" ? 1 : 0;
        EXPECT_TRUE(reply.kind == "rate_limited" || reply.kind == "unauthorized") << reply.kind;
    }
    if (limited == 0) {
        GTEST_SKIP() << "this machine cannot fail eleven times within a second; the limiter itself is tested in parts_test";
    }
}

// The stranger's mistakes count for the address, which is the same one for everybody on this machine.
TEST_F(Transport, TheRightTokenGetsInWhileAStrangerGuesses) {
    start();
    for (int i = 0; i < 100; ++i) {
        const auto stranger = connect_raw(tcp_endpoint());
        if (identify(*stranger, R"({"protocol":1,"client":"t","token":"x"})").kind != "rate_limited") {
            continue;
        }
        const auto ours = connect_raw(tcp_endpoint());
        const Reply reply = identify(*ours, fmt::format(R"({{"protocol":1,"client":"t","token":"{}"}})", options.token));
        EXPECT_EQ(reply.kind, "") << reply.message;
        EXPECT_EQ(reply.result["principal"], "token");
        return;
    }
    GTEST_SKIP() << "this machine cannot fail eleven times within a second";
}

TEST_F(Transport, AnythingBeforeIdentifyCloses4401) {
    start();
    for (const char* text : {R"({"jsonrpc":"2.0","id":1,"method":"connection.ping"})", R"({"jsonrpc":"2.0","id":1,"method":"no.such"})",
                             "nonsense", "[]", R"({"jsonrpc":"2.0","method":"control.stop_all"})"}) {
        const auto socket = connect_raw(unix_endpoint());
        ASSERT_TRUE(socket->send_text(text, soon()));
        EXPECT_EQ(wait_for_close(*socket).code, 4401) << text;
    }
}

TEST_F(Transport, IdentifyIsCheckedAndAnsweredOnce) {
    start();
    auto socket = connect_raw(unix_endpoint());
    EXPECT_EQ(identify(*socket, R"({"protocol":2,"client":"t"})").kind, "protocol_unsupported");
    EXPECT_EQ(wait_for_close(*socket).code, 4406);
    socket = connect_raw(unix_endpoint());
    EXPECT_EQ(identify(*socket, R"({"protocol":"1","client":"t"})").field, "protocol");
    socket = connect_raw(unix_endpoint());
    EXPECT_EQ(identify(*socket, R"({"protocol":1,"client":"t","scopes":["observe","everything"]})").field, "scopes");
    const auto client = connect();
    EXPECT_EQ(call(*client, "connection.identify", {{"protocol", 1}, {"client", "again"}}).kind, "invalid_request");
}

TEST_F(Transport, ScopesThatWereNotAskedForAreNotHeld) {
    start();
    auto socket = connect_raw(unix_endpoint());
    const Reply reply = identify(*socket, R"({"protocol":1,"client":"t","scopes":["observe"]})");
    EXPECT_EQ(reply.result["scopes"], json::array({"observe"}));
    JsonRpcClient client(std::move(socket));
    EXPECT_EQ(call(client, "connection.ping").kind, "");
    EXPECT_EQ(call(client, "session.create", {{"platform", "fake"}}).kind, "scope_denied");
    EXPECT_EQ(call(client, "control.stop_all").kind, "scope_denied");
}

TEST_F(Transport, IdentifyHasATimeout) {
    options.identify_timeout = std::chrono::seconds(1);
    start();
    const auto socket = connect_raw(unix_endpoint());
    EXPECT_EQ(wait_for_close(*socket).code, 4401);
    const FileDescriptor dribbler = dial(); // not even a whole HTTP head
    put(dribbler, "GET /ws HT");
    EXPECT_EQ(drain(dribbler), "");
}

TEST_F(Transport, ErrorsHaveTheCodesOfJsonRpc) {
    start();
    const auto client = connect();
    EXPECT_EQ(call(*client, "no.such").code, -32601);
    const Reply reply = call(*client, "task.run", {{"session", "S"}});
    EXPECT_EQ(reply.code, -32602);
    EXPECT_EQ(reply.field, "goal");
    WebSocketClient& socket = client->socket();
    for (const auto& [text, code] : {std::pair("{", -32700), std::pair("[]", -32600), std::pair("5", -32600)}) {
        ASSERT_TRUE(socket.send_text(text, soon()));
        const auto message = socket.receive(soon());
        ASSERT_TRUE(message);
        EXPECT_EQ(json::parse(message->bytes)["error"]["code"], code) << text;
    }
    EXPECT_EQ(call(*client, "connection.ping", {{"payload", "still here"}}).result["payload"], "still here");
}

TEST_F(Transport, ARequestWithoutIdGetsNoAnswer) {
    start();
    const auto client = connect();
    ASSERT_TRUE(client->socket().send_text(R"({"jsonrpc":"2.0","method":"no.such"})", soon()));
    ASSERT_TRUE(client->socket().send_text(R"({"jsonrpc":"2.0","id":77,"method":"connection.ping"})", soon()));
    const auto message = client->socket().receive(soon());
    ASSERT_TRUE(message);
    EXPECT_EQ(json::parse(message->bytes)["id"], 77);
}

TEST_F(Transport, OversizedMessageCloses1009) {
    options.message_bytes_max = 10'000;
    start();
    const auto client = connect();
    (void)client->socket().send_text(std::string(20'000, ' '), soon());
    EXPECT_EQ(wait_for_close(client->socket()).code, 1009);
}

TEST_F(Transport, InvalidUtf8Closes1007) {
    start();
    const FileDescriptor socket = dial_upgraded();
    put(socket, text_frame("\xC3\x28"));
    EXPECT_NE(drain(socket).find(std::string("\x88\x02\x03\xEF", 4)), std::string::npos); // close frame with 1007
}

TEST_F(Transport, UnmaskedFrameIsAProtocolError) {
    start();
    const FileDescriptor socket = dial_upgraded();
    put(socket, std::string("\x81\x02{}", 4));
    EXPECT_NE(drain(socket).find(std::string("\x88\x02\x03\xEA", 4)), std::string::npos); // 1002
}

TEST_F(Transport, HttpChecksHoldOnTheWire) {
    start();
    EXPECT_EQ(answer_to(upgrade("Host: localhost\r\nOrigin: http://evil.test\r\n")), "HTTP/1.1 403");
    EXPECT_EQ(answer_to(upgrade("Host: localhost\r\nHost: localhost\r\n")), "HTTP/1.1 400");
    EXPECT_EQ(answer_to(upgrade("")), "HTTP/1.1 400");
    EXPECT_EQ(answer_to("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 404");
    EXPECT_EQ(answer_to("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 426");
    EXPECT_EQ(answer_to("POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"), "HTTP/1.1 413");
    EXPECT_EQ(answer_to("\x16\x03\x01 this is TLS, not HTTP\r\n\r\n"), "HTTP/1.1 400");
    EXPECT_EQ(answer_to(upgrade("Host: localhost\r\nX-Large: " + std::string(20'000, 'x') + "\r\n")), "HTTP/1.1 431");
}

TEST_F(Transport, TcpRefusesAHostThatIsNotLoopback) {
    start();
    WebSocketOptions wanted;
    wanted.headers = {{"Host", "attacker.test"}};
    const auto socket = WebSocketClient::connect(tcp_endpoint(), wanted);
    ASSERT_FALSE(socket);
    EXPECT_NE(socket.error().message.find("403"), std::string::npos) << socket.error().message;
}

TEST_F(Transport, ASecondUserGetsNothing) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root to become another user";
    }
    start();
    // Open up the folder and the socket, so that only SO_PEERCRED stands in the way.
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod((folder.path() / "run").c_str(), 0755), 0);
    ASSERT_EQ(::chmod(unix_endpoint().unix_path.c_str(), 0666), 0);
    const std::string request = upgrade("Host: localhost\r\n");
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) {
            ::_exit(2);
        }
        const FileDescriptor socket = dial();
        if (!socket.is_open()) {
            ::_exit(3);
        }
        (void)::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
        char byte = 0;
        ::_exit(::recv(socket.get(), &byte, 1, 0) > 0 ? 4 : 0); // the server hangs up without a word
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    EXPECT_EQ(call(*connect(), "connection.ping").kind, ""); // others are served as before
}

TEST_F(Transport, DribblersNeitherBlockNorFillTheHouse) {
    options.connections_max = 24;
    options.unidentified_max = 8;
    start();
    const auto client = connect();
    std::vector<FileDescriptor> dribblers;
    for (int i = 0; i < 64; ++i) {
        dribblers.push_back(dial());
        put(dribblers.back(), "GET /ws HTTP/1.1\r\nHost: loc");
    }
    EXPECT_EQ(call(*client, "connection.ping").kind, "");
    EXPECT_EQ(call(*connect(), "connection.ping").kind, ""); // a newcomer still gets in
}

TEST_F(Transport, StrangersCutOffNoRequestThatWasAdmitted) {
    options.unidentified_max = 8;
    start();
    const auto dial_tcp = [this] {
        FileDescriptor out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server->tcp_port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return out;
    };
    const std::string body = R"({"messages":[{"role":"user","content":"Say it."}]})";
    int calls = 0;
    for (const bool is_unix : {true, false}) {
        const FileDescriptor half = dial(); // a client of this user's, in the midst of its head
        put(half, "GET /health HTTP/1.1\r\nHost: loc");
        ASSERT_EQ(answer_to("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 200");
        model.hold();
        const FileDescriptor long_call = is_unix ? dial() : dial_tcp();
        put(long_call, fmt::format("POST /v1/engine/infer HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n"
                                   "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                   options.token, body.size(), body));
        ASSERT_TRUE(model.wait_for_calls(++calls));
        std::vector<FileDescriptor> strangers;
        for (int i = 0; i < 20; ++i) {
            strangers.push_back(dial_tcp());
        }
        const FileDescriptor last = dial_tcp(); // once this has its answer, all before it have been let in
        put(last, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_EQ(drain(last).substr(0, 12), "HTTP/1.1 200");
        model.release();
        EXPECT_EQ(drain(long_call).substr(0, 12), "HTTP/1.1 200") << is_unix;
        put(half, "alhost\r\n\r\n");
        EXPECT_EQ(drain(half).substr(0, 12), "HTTP/1.1 200") << is_unix;
    }
}

TEST_F(Transport, EndIsSaidWith1001AndTheSocketIsGone) {
    start();
    const auto client = connect();
    server.reset();
    EXPECT_EQ(wait_for_close(client->socket()).code, 1001);
    EXPECT_FALSE(std::filesystem::exists(unix_endpoint().unix_path));
}

TEST_F(Transport, SocketsCloseWhenListeningFails) {
    options.listen.push_back({.host = "0.0.0.0"});
    ControlServices services;
    services.clock = &clock;
    const auto started = ControlServer::start(options, std::move(services));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::PermissionDenied);
    EXPECT_FALSE(std::filesystem::exists(unix_endpoint().unix_path));
}

TEST_F(Transport, ClientReportsNobodyThere) {
    const auto socket = WebSocketClient::connect({.unix_path = folder.path() / "none.sock"});
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().code, ErrorCode::Unavailable);
}

TEST_F(Transport, ClientStopsWaitingWhenToldTo) {
    start();
    const auto client = connect();
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(client->next_notification(soon(), stop.get_token()).error().code, ErrorCode::Cancelled);
    EXPECT_EQ(client->next_notification(std::chrono::steady_clock::now()).error().code, ErrorCode::DeadlineExceeded);
    EXPECT_EQ(call(*client, "connection.ping").kind, "");
}

std::size_t sockets_of_this_process() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        count += std::filesystem::read_symlink(entry.path(), gone).native().starts_with("socket:") ? 1 : 0;
    }
    return count;
}

// What lies between its TLS and the server ends too, not only the server's own side.
TEST_F(Transport, ATlsClientThatNeverReadsLeavesNoSocketBehind) {
    const std::string base = folder.path().string();
    if (std::system(fmt::format("cd '{}' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem "
                                "-out cert.pem -days 2 -subj /CN=handeye.test -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1 && chmod 600 key.pem", base).c_str()) != 0) {
        GTEST_SKIP() << "the openssl program is not installed";
    }
    options.tls = {.cert = folder.path() / "cert.pem", .key = folder.path() / "key.pem"};
    options.listen.back().is_tls = true;
    options.write_timeout = std::chrono::milliseconds(100);
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    for (int i = 0; i < 40; ++i) {
        ASSERT_EQ(call(*client, "input.type", {{"session", session}, {"text", std::string(60'000, 'a')}}).kind, "");
    }
    constexpr std::size_t kOfTheClient = 3; // to the server, and the pair in front of its own TLS
    const std::size_t before = sockets_of_this_process();
    const auto silent = connect_raw({.host = "127.0.0.1", .port = server->tcp_port(), .is_tls = true}, {.inbox_bytes_max = 1, .tls = {.ca_file = folder.path() / "cert.pem"}});
    ASSERT_TRUE(silent);
    const auto send = [&](int id, const std::string& method, const json& params) {
        return silent->send_text(json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump(), soon());
    };
    ASSERT_TRUE(send(1, "connection.identify", {{"protocol", 1}, {"client", "silent"}, {"token", options.token}}));
    for (int id = 2; id < 8; ++id) { // more than the buffers between them take; once it is cut off, sending fails
        (void)send(id, "events.replay", {{"session", session}});
    }
    const TimePoint deadline = soon();
    while (sockets_of_this_process() > before + kOfTheClient && std::chrono::steady_clock::now() < deadline) {
        ASSERT_EQ(call(*client, "connection.ping").kind, "");
    }
    EXPECT_LE(sockets_of_this_process(), before + kOfTheClient);
}

} // namespace
} // namespace handeye::testing
