// SPDX-License-Identifier: Apache-2.0
// The console's way in, without a browser: tickets, the port, who may knock, and what is served.
#include "base/file.h"
#include "server/console/files.h"
#include "server/console/guard.h"
#include "server/console/tickets.h"
#include "tests/server/server_fixture.h"

#include <algorithm>
#include <set>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr TimePoint kStart{};

TEST(TicketBook, ATicketIsGoodOnce) {
    TicketBook book;
    const auto ticket = book.issue(kStart, seconds(60));
    ASSERT_TRUE(ticket);
    EXPECT_TRUE(book.redeem(*ticket, kStart));
    EXPECT_FALSE(book.redeem(*ticket, kStart));
}

TEST(TicketBook, ATicketIsTooOldAtItsLife) {
    TicketBook book;
    const auto ticket = book.issue(kStart, seconds(60));
    ASSERT_TRUE(ticket);
    EXPECT_TRUE(book.has_valid(kStart + seconds(59)));
    EXPECT_FALSE(book.has_valid(kStart + seconds(60)));
    EXPECT_FALSE(book.redeem(*ticket, kStart + seconds(60)));
}

TEST(TicketBook, TicketsAre256BitsAndNeverTheSame) {
    TicketBook book;
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const auto ticket = book.issue(kStart, seconds(60));
        ASSERT_TRUE(ticket);
        EXPECT_EQ(ticket->size(), 64U);
        EXPECT_TRUE(seen.insert(*ticket).second);
    }
}

TEST(TicketBook, ItsSizeIsBoundedAndTheOldestGoes) {
    TicketBook book;
    const auto first = book.issue(kStart, seconds(60));
    for (std::size_t i = 0; i < TicketBook::kTicketsMax; ++i) {
        ASSERT_TRUE(book.issue(kStart, seconds(60)));
    }
    EXPECT_FALSE(book.redeem(*first, kStart));
    EXPECT_FALSE(book.redeem("", kStart));
}

constexpr std::uint16_t kPort = 7625;

RequestHead page_head(const std::string& target) { return {.target = target, .hosts = {"127.0.0.1:7625"}, .origins = {}}; }

RequestHead socket_head() {
    return {.target = "/ws", .hosts = {"127.0.0.1:7625"}, .origins = {"http://127.0.0.1:7625"}, .is_get = true, .is_upgrade = true};
}

// 200 and 101 stand for the file and the upgrade.
int status_of(const RequestHead& head) {
    const auto routed = route_console_request(head, kPort);
    const auto* const refusal = std::get_if<HttpRefusal>(&routed);
    return refusal != nullptr ? refusal->status : std::holds_alternative<ConsoleUpgrade>(routed) ? 101 : 200;
}

TEST(ConsoleGuard, ThePageAndItsOwnSocketPass) {
    EXPECT_EQ(status_of(page_head("/ui/")), 200);
    EXPECT_EQ(status_of(page_head("/ui/app.js")), 200);
    EXPECT_EQ(status_of(socket_head()), 101);
}

TEST(ConsoleGuard, OnlyThisHostAndPortIsServed) {
    for (const char* host : {"localhost:7625", "127.0.0.1", "127.0.0.1:7626", "[::1]:7625", "attacker.test:7625", "127.0.0.1.nip.io:7625", ""}) {
        for (RequestHead head : {page_head("/ui/"), socket_head()}) {
            head.hosts = {host};
            EXPECT_EQ(status_of(head), 403) << host << ' ' << head.target;
        }
    }
    RequestHead twice = page_head("/ui/");
    twice.hosts = {"127.0.0.1:7625", "attacker.test"};
    EXPECT_EQ(status_of(twice), 400);
}

TEST(ConsoleGuard, EveryOtherOriginIsRefusedOnEveryPath) {
    for (const char* origin : {"null", "http://localhost:7625", "https://127.0.0.1:7625", "http://127.0.0.1", "http://127.0.0.1:7626",
                               "http://127.0.0.1:7625.attacker.test", "http://attacker.test", "file://", "chrome-extension://x", ""}) {
        for (RequestHead head : {page_head("/ui/"), page_head("/ui/app.js"), page_head("/nothing"), socket_head()}) {
            head.origins = {origin};
            EXPECT_EQ(status_of(head), 403) << origin << ' ' << head.target;
        }
    }
    RequestHead both = socket_head();
    both.origins.emplace_back("http://attacker.test");
    EXPECT_EQ(status_of(both), 403);
}

TEST(ConsoleGuard, TheSocketNeedsThePagesOrigin) {
    RequestHead head = socket_head();
    head.origins.clear();
    EXPECT_EQ(status_of(head), 403);
    head = socket_head();
    head.is_upgrade = false;
    EXPECT_EQ(status_of(head), 426);
}

TEST(ConsoleGuard, NothingElseIsThere) {
    for (const char* target : {"/", "/ui", "/ui/..", "/ui/../ws", "/ui/%2e%2e/", "/ui/app.js?x", "/ui/door.cpp", "/ws/", "/metrics", "/v1/sessions", "/mcp",
                               "/ui/index.html", "//ui/"}) {
        EXPECT_EQ(status_of(page_head(target)), 404) << target;
    }
    RequestHead head = page_head("/ui/");
    head.is_get = false;
    EXPECT_EQ(status_of(head), 405);
}

TEST(ConsoleFiles, EachHasATypeAndATagOfItsOwn) {
    std::set<std::string> tags;
    for (const ConsoleFile& file : console_files()) {
        const std::string_view type = content_type_of(file);
        EXPECT_EQ(type.starts_with("text/html"), file.path == "/ui/") << file.path;
        EXPECT_TRUE(tags.insert(entity_tag_of(file)).second) << file.path;
        EXPECT_FALSE(file.text.empty()) << file.path;
    }
}

// With the policy, which allows nothing inline, this is why text from a screen or a model stays text.
TEST(ConsoleFiles, NoneParsesTextAsMarkupOrCode) {
    for (const ConsoleFile& file : console_files()) {
        for (const char* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "srcdoc",
                                 "createContextualFragment", "setHTML", "javascript:", "http://", "https://", " style=\"", " onclick=\""}) {
            const bool is_name_space = file.text.find(word) == file.text.find("http://www.w3.org/2000/svg");
            EXPECT_TRUE(file.text.find(word) == std::string_view::npos || is_name_space) << file.path << ": " << word;
        }
    }
}

class Console : public ServerTest {
protected:
    json open() {
        opener = connect();
        return call(*opener, "console.open").result;
    }
    std::string origin_of(const json& pass) const { return fmt::format("http://127.0.0.1:{}", pass.at("port").get<int>()); }
    Result<std::unique_ptr<WebSocketClient>> dial(const json& pass, const std::string& origin) const {
        const Endpoint endpoint{.unix_path = {}, .host = "127.0.0.1", .port = pass.at("port").get<std::uint16_t>()};
        WebSocketOptions wanted;
        wanted.headers = {{"Origin", origin}};
        return WebSocketClient::connect(endpoint, wanted);
    }
    /// The answer to connection.identify with this ticket, from the page's own origin.
    Reply enter(const json& pass, const std::string& ticket, std::vector<std::string> scopes = {}) {
        auto socket = dial(pass, origin_of(pass));
        EXPECT_TRUE(socket) << socket.error().message;
        page = socket ? std::make_unique<JsonRpcClient>(std::move(*socket)) : nullptr;
        json params{{"protocol", 1}, {"client", "page"}, {"ticket", ticket}};
        if (!scopes.empty()) {
            params["scopes"] = scopes;
        }
        return page ? call(*page, "connection.identify", params) : Reply{.kind = "connection"};
    }
    /// Everything that the port answers to this request; nullopt when nobody listens.
    static std::optional<std::string> fetch(const json& pass, const std::string& request) {
        const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(pass.at("port").get<std::uint16_t>());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            return std::nullopt;
        }
        EXPECT_EQ(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
        std::string answer;
        std::array<char, 4096> part{};
        for (ssize_t n = 0; (n = ::recv(socket.get(), part.data(), part.size(), 0)) > 0;) {
            answer.append(part.data(), static_cast<std::size_t>(n));
        }
        return answer;
    }
    static std::string get(const json& pass, const std::string& path, const std::string& more = "") {
        return fetch(pass, fmt::format("GET {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n", path, pass.at("port").get<int>(), more)).value_or("");
    }

    std::unique_ptr<JsonRpcClient> opener;
    std::unique_ptr<JsonRpcClient> page;
};

TEST_F(Console, AFreshTicketLetsThePageInWithoutAdmin) {
    start();
    const json pass = open();
    const Reply reply = enter(pass, pass.at("ticket"));
    ASSERT_EQ(reply.kind, "") << reply.message;
    EXPECT_EQ(reply.result.at("principal"), "console");
    EXPECT_EQ(reply.result.at("scopes"), json({"observe", "control", "approve", "record", "engine"}));
    EXPECT_EQ(call(*page, "console.open").kind, "scope_denied");
}

TEST_F(Console, AskingForAdminGivesNoAdmin) {
    start();
    const json pass = open();
    EXPECT_EQ(enter(pass, pass.at("ticket"), {"admin", "observe"}).result.at("scopes"), json({"observe"}));
}

TEST_F(Console, AUsedTicketIsRefused) {
    start();
    const json pass = open();
    EXPECT_EQ(enter(pass, pass.at("ticket")).kind, "");
    EXPECT_EQ(enter(pass, pass.at("ticket")).kind, "unauthorized");
}

TEST_F(Console, AnExpiredTicketIsRefused) {
    options.console_ticket_life = Duration::zero();
    start();
    const json pass = open();
    EXPECT_EQ(enter(pass, pass.at("ticket")).kind, "unauthorized");
}

TEST_F(Console, TheTokenOfProgramsIsNoTicket) {
    start();
    const json pass = open();
    EXPECT_EQ(enter(pass, options.token).kind, "unauthorized");
    EXPECT_EQ(enter(pass, "").kind, "unauthorized");
}

TEST_F(Console, AReturnTicketBringsAReloadedPageBackOnce) {
    start();
    const json pass = open();
    const std::string again = enter(pass, pass.at("ticket")).result.at("return_ticket");
    EXPECT_EQ(enter(pass, again).kind, "");
    EXPECT_EQ(enter(pass, again).kind, "unauthorized");
}

TEST_F(Console, IsOpenedOverTheUnixSocketOnly) {
    start();
    JsonRpcClient remote(connect_raw(tcp_endpoint()));
    ASSERT_TRUE(remote.identify("program", options.token, soon()));
    EXPECT_EQ(call(remote, "console.open").kind, "permission_denied");
}

TEST_F(Console, OtherOriginsDoNotGetTheWebSocket) {
    start();
    const json pass = open();
    for (const char* const origin : {"http://attacker.test", "null", "http://127.0.0.1:1"}) {
        const auto socket = dial(pass, origin);
        ASSERT_FALSE(socket) << origin;
        EXPECT_NE(socket.error().message.find("403"), std::string::npos) << socket.error().message;
    }
}

TEST_F(Console, EveryFileComesWithItsHeaders) {
    start();
    const json pass = open();
    for (const ConsoleFile& file : console_files()) {
        const std::string answer = get(pass, std::string(file.path));
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << file.path;
        for (const std::string& header : {fmt::format("Content-Security-Policy: {}", kConsoleContentPolicy), std::string("X-Content-Type-Options: nosniff"),
                                         std::string("Referrer-Policy: no-referrer"), fmt::format("Content-Type: {}", content_type_of(file)),
                                         fmt::format("ETag: {}", entity_tag_of(file))}) {
            EXPECT_NE(answer.find(header + "\r\n"), std::string::npos) << file.path << ": " << header;
        }
        EXPECT_TRUE(answer.ends_with(file.text)) << file.path;
    }
}

TEST_F(Console, AKnownFileIsNotSentAgain) {
    start();
    const json pass = open();
    const ConsoleFile* const file = find_console_file("/ui/app.js");
    ASSERT_NE(file, nullptr);
    const std::string answer = get(pass, "/ui/app.js", fmt::format("If-None-Match: {}\r\n", entity_tag_of(*file)));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 304")) << answer.substr(0, 200);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    EXPECT_TRUE(get(pass, "/ui/app.js", "If-None-Match: \"old\"\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(Console, ThePortClosesWhenTheLastPageIsGone) {
    options.console_ticket_life = Duration::zero();
    options.console_idle_timeout = std::chrono::milliseconds(20);
    options.listen = {options.listen.front()};
    start();
    const json pass = open();
    const TimePoint deadline = soon();
    while (fetch(pass, "GET / HTTP/1.0\r\n\r\n") && std::chrono::steady_clock::now() < deadline) {
    }
    EXPECT_FALSE(fetch(pass, "GET / HTTP/1.0\r\n\r\n"));
}

TEST_F(Console, ThePortStaysWhileAPageIsThere) {
    options.console_idle_timeout = std::chrono::milliseconds(1);
    start();
    const json pass = open();
    ASSERT_EQ(enter(pass, pass.at("ticket")).kind, "");
    for (int i = 0; i < 50; ++i) { // each is a round trip through the loop that looks after the port
        EXPECT_EQ(call(*page, "connection.ping").kind, "");
    }
    EXPECT_TRUE(get(pass, "/ui/").starts_with("HTTP/1.1 200"));
}

} // namespace
} // namespace handeye::testing
