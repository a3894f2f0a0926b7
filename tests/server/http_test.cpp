// SPDX-License-Identifier: Apache-2.0
// The API over plain HTTP, on real sockets: who may call what, what a web page cannot send, event streams, MCP.
#include "base/file.h"
#include "server/mcp.h"
#include "server/method_table.h"
#include "server/schema.h"
#include "tests/server/server_fixture.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <semaphore>
#include <sstream>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    /// Of the error; empty when it is none of the API's.
    [[nodiscard]] std::string kind() const {
        const json parsed = json::parse(body, nullptr, false);
        return parsed.is_object() ? parsed.value("/error/data/kind"_json_pointer, "") : "";
    }
};

constexpr std::array<const char*, 6> kScopes{"observe", "control", "approve", "record", "engine", "admin"};

constexpr int kHangMs = 30'000; // only a hang reaches it

class Http : public ServerTest {
protected:
    /// `receive_bytes` > 0: what the system takes for a client that does not read.
    [[nodiscard]] FileDescriptor open(int receive_bytes = 0) const {
        FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
        if (receive_bytes > 0) {
            EXPECT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes), 0);
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(server->tcp_port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return socket;
    }
    [[nodiscard]] std::string token() const { return "Authorization: Bearer " + options.token + "\r\n"; }
    Answer ask(const std::string& verb, const std::string& path, const std::string& headers, const std::string& body = "") {
        const FileDescriptor socket = open();
        const std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\n{}{}\r\n{}", verb, path, headers,
                                             body.empty() && verb != "POST" ? "" : fmt::format("Content-Length: {}\r\n", body.size()), body);
        EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
        std::string all;
        std::array<char, 4096> part{};
        for (ssize_t n = 1; n > 0;) {
            n = ::recv(socket.get(), part.data(), part.size(), 0);
            all.append(part.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
        }
        const std::size_t end = all.find("\r\n\r\n");
        if (end == std::string::npos) {
            return {};
        }
        return {std::stoi(all.substr(9, 3)), all.substr(0, end), all.substr(end + 4)};
    }
    Answer post(const std::string& path, const json& body, const std::string& more = "") {
        return ask("POST", path, token() + "Content-Type: application/json\r\n" + more, body.dump());
    }
};

TEST_F(Http, AMethodIsAPostRouteWithTheSameSchema) {
    start();
    const Answer made = post("/v1/session/create", {{"platform", "fake"}});
    ASSERT_EQ(made.status, 200) << made.body;
    const std::string session = json::parse(made.body)["session"];
    EXPECT_EQ(post("/v1/session/get", {{"session", session}}).status, 200);
    EXPECT_EQ(json::parse(ask("GET", "/v1/sessions/" + session, token()).body)["session"], session);
    const Answer wrong = post("/v1/session/get", json::object());
    EXPECT_EQ(wrong.status, 400);
    EXPECT_EQ(wrong.kind(), "invalid_params");
    EXPECT_EQ(post("/v1/session/get", {{"session", "S"}}).status, 404);
    EXPECT_EQ(post("/v1/no/such", json::object()).kind(), "unknown_method");
    EXPECT_EQ(post("/v1/screen/stream_start", {{"session", session}}).status, 404) << "needs a WebSocket";
}

TEST_F(Http, HealthReadinessAndMetrics) {
    start(false);
    EXPECT_EQ(ask("GET", "/health", "").status, 200);
    EXPECT_EQ(ask("GET", "/ready", "").status, 503);
    server->set_model(model);
    EXPECT_EQ(ask("GET", "/ready", "").status, 200);
    EXPECT_EQ(ask("GET", "/metrics", "").status, 401);
    const Answer metrics = ask("GET", "/metrics", token());
    EXPECT_EQ(metrics.status, 200);
    EXPECT_NE(metrics.body.find("# TYPE handeye_wrong_tokens_total counter\nhandeye_wrong_tokens_total 1\n"), std::string::npos) << metrics.body;
    EXPECT_NE(metrics.body.find("handeye_engine_ready 1\n"), std::string::npos);
}

// The server hangs up: nothing is read until it has.
TEST_F(Http, AnAnswerThatNobodyReadsHoldsNoConnection) {
    options.write_timeout = std::chrono::milliseconds(100);
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    for (int i = 0; i < 12; ++i) { // more than a socket's buffers take
        ASSERT_EQ(call(*client, "input.type", {{"session", session}, {"text", std::string(60'000, 'a')}}).kind, "");
    }
    const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_endpoint().unix_path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string body = json{{"session", session}}.dump();
    const std::string text = fmt::format("POST /v1/events/replay HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
    ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    pollfd end{socket.get(), POLLRDHUP, 0};
    EXPECT_EQ(::poll(&end, 1, kHangMs), 1) << "the answer is still being written";
    std::size_t got = 0;
    std::array<char, 4096> part{};
    for (ssize_t n = 1; n > 0; got += static_cast<std::size_t>(std::max<ssize_t>(n, 0))) {
        n = ::recv(socket.get(), part.data(), part.size(), 0);
    }
    EXPECT_GT(got, 0U);
    EXPECT_LT(got, 12U * 60'000U); // it was cut off
}

TEST_F(Http, AQuestionEndsWhenItsClientGoes) {
    start();
    model.hold();
    const std::string question = R"({"messages":[{"role":"user","content":"x"}]})";
    const std::string text = fmt::format("POST /v1/engine/infer HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                         token(), question.size(), question);
    FileDescriptor gone = open();
    ASSERT_EQ(::send(gone.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    ASSERT_TRUE(model.wait_for_calls(1));
    const FileDescriptor next = open();
    ASSERT_EQ(::send(next.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    gone = FileDescriptor();
    EXPECT_TRUE(model.wait_for_calls(2)) << "the model still answers one who has gone";
    model.release();
}

// What nobody reads stays in the server: the first answer is being written as long as its client lives.
TEST_F(Http, AnswersThatOneTokenDoesNotReadAreBoundedTogether) {
    options.queue_bytes_max = 256U << 10U;
    model.set_answers(std::vector<std::string>(4, std::string(12U << 20U, 'a'))); // more than the sockets' buffers take
    start();
    const json question{{"messages", {{{"role", "user"}, {"content", "Say it."}}}}};
    const FileDescriptor deaf = open(4096);
    const std::string text = fmt::format("POST /v1/engine/infer HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                         token(), question.dump().size(), question.dump());
    ASSERT_EQ(::send(deaf.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    pollfd begun{deaf.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&begun, 1, kHangMs), 1);
    const Answer second = post("/v1/engine/infer", question);
    EXPECT_EQ(second.status, 429);
    EXPECT_EQ(second.kind(), "overloaded") << second.body.substr(0, 200);
    EXPECT_NE(second.body.find("2097152 bytes"), std::string::npos) << second.body.substr(0, 200);
    const auto socket = connect_raw(tcp_endpoint());
    ASSERT_TRUE(socket->send_text(fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"connection.identify","params":{{"protocol":1,"client":"t","token":"{}"}}}})", options.token), soon()));
    ASSERT_TRUE(socket->send_text(fmt::format(R"({{"jsonrpc":"2.0","id":2,"method":"engine.infer","params":{}}})", question.dump()), soon()));
    EXPECT_EQ(wait_for_close(*socket).code, 4008);
    EXPECT_EQ(ask("GET", "/v1/sessions", token()).status, 200) << "small answers go on";
    EXPECT_EQ(call(*connect(), "engine.infer", question).kind, "") << "this user's own are not counted with them";
}

// Neither would come to an end by itself: the test would hang.
TEST_F(Http, ADecoderThatHangsHoldsUpNeitherADeadlineNorTheEnd) {
    std::counting_semaphore<2> begun(0);
    decode_picture = [&begun](std::span<const std::uint8_t>, const std::stop_token& stop) -> Result<Image> {
        std::mutex mutex;
        std::unique_lock lock(mutex);
        begun.release();
        std::condition_variable_any().wait(lock, stop, [] { return false; });
        return Error{ErrorCode::Cancelled, "not wanted"};
    };
    start();
    json question{{"messages", {{{"role", "user"}, {"content", {{{"type", "image"}, {"image", "data:image/png;base64,AAAA"}}}}}}}};
    question["deadline_ms"] = 50;
    const Answer late = post("/v1/engine/infer", question);
    EXPECT_EQ(late.kind(), "deadline_exceeded") << late.body;
    question.erase("deadline_ms");
    const FileDescriptor last = open();
    const std::string text = fmt::format("POST /v1/engine/infer HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                         token(), question.dump().size(), question.dump());
    ASSERT_EQ(::send(last.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    begun.acquire();
    begun.acquire();
    server.reset();
}

// What a form, an image, a beacon or a preflight of a web page can send: nothing happens.
TEST_F(Http, WhatAWebPageCanSendChangesNothing) {
    start();
    const std::string body = R"({"platform":"fake"})";
    for (const char* type : {"", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n",
                             "Content-Type: multipart/form-data; boundary=x\r\n", "Content-Type: text/plain;application/json\r\n"}) {
        EXPECT_EQ(ask("POST", "/v1/session/create", token() + type, body).status, 415) << type;
        EXPECT_EQ(ask("POST", "/mcp", token() + type, body).status, 415) << type;
    }
    for (const char* verb : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"}) {
        const Answer answer = ask(verb, "/v1/session/create", token() + "Content-Type: application/json\r\n", verb == std::string("GET") ? "" : body);
        EXPECT_TRUE(answer.status == 404 || answer.status == 405) << verb << ' ' << answer.status;
        EXPECT_EQ(answer.head.find("Access-Control"), std::string::npos) << verb;
    }
    for (const char* path : {"/health", "/ready", "/metrics", "/mcp", "/v1/sessions", "/v1/session/create"}) {
        EXPECT_EQ(ask("POST", path, token() + "Origin: http://evil.test\r\nContent-Type: application/json\r\n", body).status, 403) << path;
        EXPECT_EQ(ask("GET", path, token() + "Origin: null\r\n").status, 403) << path;
    }
    EXPECT_EQ(json::parse(ask("GET", "/v1/sessions", token()).body)["sessions"].size(), 0U);
}

TEST_F(Http, WrongTokensAreSlowedDown) {
    start();
    int refused = 0;
    int slowed = 0;
    for (int i = 0; i < 30; ++i) {
        const int status = ask("GET", "/v1/sessions", "Authorization: Bearer wrong\r\n").status;
        refused += status == 401 ? 1 : 0;
        slowed += status == 429 ? 1 : 0;
    }
    EXPECT_EQ(refused + slowed, 30);
    EXPECT_GT(slowed, 0);
}

TEST_F(Http, ABodyBeyondTheLimitIsRefused) {
    options.message_bytes_max = 1000;
    start();
    EXPECT_EQ(post("/v1/connection/ping", {{"payload", std::string(2000, 'x')}}).status, 413);
}

/// One row of the table in docs/routes.md: columns "no token" and the six scopes.
using Access = std::map<std::string, std::vector<bool>>;
Access checked_in(const std::string& heading) {
    const auto page = read_file(HANDEYE_SOURCE_DIR "/docs/routes.md", 1U << 20U);
    Access out;
    std::istringstream lines(page ? page->substr(page->find(heading)) : "");
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line) && !line.starts_with("## ")) {
        std::istringstream cells(line);
        std::vector<std::string> row;
        for (std::string cell; std::getline(cells, cell, '|');) {
            row.push_back(cell);
        }
        if (row.size() < 10 || row[1].find('`') == std::string::npos) {
            continue;
        }
        const std::string name = row[1].substr(row[1].find('`') + 1, row[1].rfind('`') - row[1].find('`') - 1);
        for (std::size_t i = 3; i < 10; ++i) {
            out[name].push_back(row[i] == " yes ");
        }
    }
    return out;
}

// Calls each route without a token and with each scope alone. "Passes" means that neither the door nor the scope said no.
TEST_F(Http, RoutesAndScopesAreThoseOfTheCheckedInTable) {
    start();
    const Access wanted = checked_in("## HTTP");
    ASSERT_GT(wanted.size(), 30U);
    for (const auto& [route, access] : wanted) {
        const std::string verb = route.substr(0, route.find(' '));
        std::string path = route.substr(route.find(' ') + 1);
        path = path.find("{id}") == std::string::npos ? path : path.substr(0, path.find("{id}")) + "S" + path.substr(path.find("{id}") + 4);
        for (std::size_t i = 0; i < access.size(); ++i) {
            const std::string headers = i == 0 ? "" : token() + "Handeye-Scopes: " + kScopes[i - 1] + "\r\n";
            // What a call without parameters does: at most a stop, which is taken back below.
            const Answer answer = ask(verb, path, headers + (verb == "POST" ? "Content-Type: application/json\r\n" : ""), verb == "POST" ? "{}" : "");
            const bool passes = answer.kind() != "unauthorized" && answer.kind() != "scope_denied" && answer.kind() != "rate_limited";
            const bool is_slowed = answer.kind() == "rate_limited" || answer.kind() == "unauthorized";
            EXPECT_EQ(passes, access[i]) << route << " column " << i << ": " << answer.status << ' ' << answer.body;
            EXPECT_EQ(is_slowed, i == 0 && !access[i]) << route;
        }
    }
    // And nothing but the table answers.
    for (const MethodRow& row : method_table()) {
        std::string path = "/v1/" + std::string(row.name);
        std::replace(path.begin(), path.end(), '.', '/');
        if (!wanted.contains("POST " + path)) {
            EXPECT_EQ(post(path, json::object()).status, 404) << path;
        }
    }
}

TEST_F(Http, MethodsOverTheWebSocketObeyTheCheckedInTable) {
    start();
    const Access wanted = checked_in("## WebSocket");
    EXPECT_EQ(wanted.size(), method_table().size());
    for (std::size_t scope = 0; scope < kScopes.size(); ++scope) {
        JsonRpcClient client(connect_raw(unix_endpoint()));
        const json identify{{"protocol", 1}, {"client", "scopes"}, {"scopes", {kScopes[scope]}}};
        ASSERT_TRUE(client.next_notification(soon()));
        ASSERT_EQ(call(client, "connection.identify", identify).kind, "");
        for (const MethodRow& row : method_table()) {
            const std::string name(row.name);
            ASSERT_TRUE(wanted.contains(name)) << name;
            const Reply reply = call(client, name, json::object());
            EXPECT_EQ(reply.kind != "scope_denied", wanted.at(name)[scope + 1]) << name << " with " << kScopes[scope];
        }
    }
}

TEST_F(Http, EventsComeAsServerSentEventsAndResumeByTheirId) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done");
    ASSERT_EQ(call(*client, "session.close", {{"session", session}}).kind, "");
    const json all = call(*client, "events.replay", {{"session", session}, {"n", 4096}}).result["events"];
    const auto listen = [&](const std::string& headers, std::size_t events) {
        const FileDescriptor socket = open();
        const std::string text = fmt::format("GET /v1/sessions/{}/events HTTP/1.1\r\nHost: localhost\r\n{}{}\r\n", session, token(), headers);
        EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
        std::string got;
        std::array<char, 4096> part{};
        const auto count = [&] {
            std::size_t found = 0;
            for (std::size_t at = got.find("\nid: "); at != std::string::npos; at = got.find("\nid: ", at + 1)) {
                ++found;
            }
            return found;
        };
        while (count() < events || !got.ends_with("\n\n")) {
            const ssize_t n = ::recv(socket.get(), part.data(), part.size(), 0);
            if (n <= 0) {
                ADD_FAILURE() << got;
                break;
            }
            got.append(part.data(), static_cast<std::size_t>(n));
        }
        return got;
    };
    const std::string first = listen("", 5);
    EXPECT_NE(first.find("Content-Type: text/event-stream"), std::string::npos);
    EXPECT_NE(first.find("\nid: 1\nevent: session.state\ndata: {"), std::string::npos) << first;
    const std::string rest = listen("Last-Event-ID: 3\r\n", 2);
    EXPECT_EQ(rest.find("id: 3\n"), std::string::npos);
    EXPECT_NE(rest.find("id: 4\n"), std::string::npos);
    EXPECT_EQ(ask("GET", "/v1/sessions/" + session + "/events", token() + "Last-Event-ID: x\r\n").status, 400);
    EXPECT_EQ(ask("GET", "/v1/sessions/" + session + "/events", token() + "Last-Event-ID: 18446744073709551615\r\n").status, 400); // none is behind it
    EXPECT_EQ(ask("GET", "/v1/sessions/" + session + "/events", "").status, 401);
}

TEST_F(Http, McpListsItsToolsAndCallsThem) {
    start();
    const auto send = [&](const json& message) { return json::parse(post("/mcp", message).body, nullptr, false); };
    const json hello = send({{"jsonrpc", "2.0"}, {"id", 1}, {"method", "initialize"}, {"params", {{"protocolVersion", "2025-11-25"}, {"capabilities", json::object()}}}});
    EXPECT_EQ(hello["result"]["protocolVersion"], "2025-11-25");
    const json tools = send({{"jsonrpc", "2.0"}, {"id", 2}, {"method", "tools/list"}})["result"]["tools"];
    EXPECT_LE(tools.size(), 10U);
    for (const json& tool : tools) { // each leads to a method and names only its parameters
        EXPECT_EQ(tool["inputSchema"]["type"], "object") << tool;
    }
    const auto tool = [&](const char* name, const json& arguments) {
        return send({{"jsonrpc", "2.0"}, {"id", 3}, {"method", "tools/call"}, {"params", {{"name", name}, {"arguments", arguments}}}})["result"];
    };
    const std::string session = tool("session_open", {{"platform", "fake"}})["structuredContent"]["session"];
    const json seen = tool("look", {{"session", session}});
    EXPECT_EQ(seen["content"][0]["type"], "image");
    EXPECT_EQ(seen["content"][0]["mimeType"], "image/png");
    EXPECT_EQ(tool("act", {{"session", session}, {"action", {{"verb", "click"}, {"x", 5}, {"y", 5}}}})["structuredContent"]["verb"], "click");
    const json failed = tool("look", {{"session", "S"}});
    EXPECT_EQ(failed["isError"], true);
    EXPECT_NE(failed["content"][0]["text"].get<std::string>().find("no_such_session"), std::string::npos);
    EXPECT_EQ(send({{"jsonrpc", "2.0"}, {"id", 4}, {"method", "tools/call"}, {"params", {{"name", "rm"}}}})["error"]["code"], -32602);
    EXPECT_EQ(post("/mcp", {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}).status, 202);
}

TEST_F(Http, McpOfTheStatelessRevisionNeedsNoInitialize) {
    start();
    const auto send = [&](const std::string& method, const std::string& version) {
        const json message{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method},
                           {"params", {{"_meta", {{"io.modelcontextprotocol/protocolVersion", version}}}}}};
        return json::parse(post("/mcp", message).body, nullptr, false);
    };
    const json found = send("server/discover", "2026-07-28")["result"];
    EXPECT_EQ(found["supportedVersions"], json::array({"2026-07-28"}));
    EXPECT_EQ(found["resultType"], "complete");
    EXPECT_EQ(send("tools/list", "2026-07-28")["result"]["cacheScope"], "private");
    const json refused = send("tools/list", "2031-01-01")["error"];
    EXPECT_EQ(refused["code"], -32022);
    EXPECT_EQ(refused["data"]["supported"], json::array({"2026-07-28"}));
}

} // namespace
} // namespace handeye::testing
