// SPDX-License-Identifier: Apache-2.0
// Named tokens: what they open, until when, and that a connection ends with its token.
#include "base/file.h"
#include "base/json.h"
#include "server/token_book.h"
#include "server/token_file.h"
#include "tests/server/server_fixture.h"

#include <fstream>

#include <fmt/format.h>
#include <sys/stat.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

/// Stands still until it is moved.
class StandingClock final : public Clock {
public:
    TimePoint now() override { return {}; }
    WallTime wall_now() override { return wall; }
    WaitResult sleep_until(TimePoint, std::stop_token) override { return WaitResult::Reached; }
    WallTime wall = SystemClock().wall_now();
};

class NamedTokens : public ::testing::Test {
protected:
    PrivateFolder folder;
    StandingClock clock;
    const std::filesystem::path file = folder.path() / "tokens.json";
    [[nodiscard]] std::string create(const std::string& name, std::optional<Duration> life = std::chrono::hours(1)) {
        auto token = create_named_token(file, {name, {"observe"}, life}, clock);
        EXPECT_TRUE(token) << token.error().message;
        return token.value_or("");
    }
    [[nodiscard]] std::string text() const { return read_file(file, 1U << 20U).value_or(""); }
    void write(const std::string& bytes, mode_t mode = 0600) const {
        std::ofstream(file) << bytes;
        ::chmod(file.c_str(), mode);
    }
};

TEST_F(NamedTokens, TheFileHoldsSumsForThisUserAlone) {
    const std::string token = create("ci");
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(text().find(token), std::string::npos);
    struct stat facts {};
    ASSERT_EQ(::stat(file.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    EXPECT_NE(create("other"), token);
    EXPECT_EQ(read_named_tokens(file)->size(), 2U);
}

TEST_F(NamedTokens, AreRefusedWithWhatCannotBe) {
    (void)create("ci");
    for (const NewToken& wanted : {NewToken{"ci", {"observe"}, {}}, NewToken{"", {"observe"}, {}}, NewToken{"a b", {"observe"}, {}}, NewToken{"a/b", {"observe"}, {}},
                                   NewToken{std::string(65, 'a'), {"observe"}, {}}, NewToken{"x", {}, {}}, NewToken{"x", {"none"}, {}}, NewToken{"x", {"root"}, {}}}) {
        EXPECT_EQ(create_named_token(file, wanted, clock).error().code, ErrorCode::InvalidArgument) << wanted.name;
    }
    EXPECT_EQ(revoke_named_token(file, "nobody").error().code, ErrorCode::NotFound);
    EXPECT_EQ(read_named_tokens(file)->size(), 1U);
}

TEST_F(NamedTokens, AFileThatOthersMayReadOrThatIsNoListOpensNothing) {
    const std::string token = create("ci");
    ::chmod(file.c_str(), 0644);
    EXPECT_EQ(read_named_tokens(file).error().code, ErrorCode::PermissionDenied);
    TokenBook book("", file, clock);
    EXPECT_FALSE(book.find(token));
    const std::string sum(64, 'a');
    for (const std::string& bytes :
         {std::string("x"), std::string("[]"), std::string("{}"), std::string(R"({"version":2,"tokens":[]})"), std::string(R"({"version":1,"tokens":[1]})"),
          std::string(R"({"version":1,"tokens":[{"name":"a","sha256":"short","scopes":["observe"],"created":1}]})"),
          R"({"version":1,"tokens":[{"name":"a","sha256":")" + sum + R"(","scopes":["root"],"created":1}]})",
          R"({"version":1,"tokens":[{"name":"a","sha256":")" + sum + R"(","scopes":[],"created":1}]})",
          R"({"version":1,"tokens":[{"name":"a","sha256":")" + sum + R"(","scopes":["observe"],"created":1,"expires":"soon"}]})",
          R"({"version":1,"tokens":[{"name":"a","sha256":")" + sum + R"(","scopes":["observe"],"created":1,"expires":99999999999999}]})"}) {
        write(bytes);
        EXPECT_EQ(read_named_tokens(file).error().code, ErrorCode::ParseFailed) << bytes;
    }
}

TEST_F(NamedTokens, ExpireAtTheirTime) {
    clock.wall += std::chrono::milliseconds(900); // the file counts whole seconds
    const std::string token = create("ci", std::chrono::seconds(90));
    const std::string lasting = create("lasting", std::nullopt);
    TokenBook book("", file, clock);
    const auto grant = book.find(token);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->name, "ci");
    EXPECT_TRUE(grant->scopes.has(Scope::Observe));
    EXPECT_FALSE(grant->scopes.has(Scope::Control));
    clock.wall += std::chrono::milliseconds(89'900);
    EXPECT_TRUE(book.find(token));
    EXPECT_EQ(book.standing(grant->sha256), TokenBook::Standing::Valid);
    clock.wall += std::chrono::seconds(2);
    bool is_expired = false;
    EXPECT_FALSE(book.find(token, &is_expired));
    EXPECT_TRUE(is_expired);
    EXPECT_EQ(book.standing(grant->sha256), TokenBook::Standing::Expired);
    clock.wall += std::chrono::hours(24 * 365);
    EXPECT_TRUE(book.find(lasting));
}

TEST_F(NamedTokens, AreGoneOnceRevoked) {
    const std::string token = create("ci");
    TokenBook book(std::string(64, 'm'), file, clock);
    const auto grant = book.find(token);
    ASSERT_TRUE(grant);
    ASSERT_TRUE(revoke_named_token(file, "ci"));
    EXPECT_FALSE(book.find(token));
    EXPECT_EQ(book.standing(grant->sha256), TokenBook::Standing::Unknown);
    EXPECT_TRUE(book.find(std::string(64, 'm')));
    book.set_main_token(std::string(64, 'n'));
    EXPECT_FALSE(book.find(std::string(64, 'm')));
    EXPECT_FALSE(book.find(""));
}

TEST(TokenLife, IsReadStrictly) {
    EXPECT_EQ(**parse_token_life("90s"), std::chrono::seconds(90));
    EXPECT_EQ(**parse_token_life("7d"), std::chrono::hours(7 * 24));
    EXPECT_EQ(*parse_token_life("never"), std::nullopt);
    for (const char* const text : {"", "7", "d", "-1d", "0s", "1.5h", "7 d", "7days", "99999999d", "9999999999999999999s", "always"}) {
        EXPECT_FALSE(parse_token_life(text)) << text;
    }
}

class LiveTokens : public ServerTest {
protected:
    LiveTokens() { options.tokens_file = folder.path() / "tokens.json"; }
    [[nodiscard]] std::string create(const std::string& name, std::vector<std::string> scopes, std::optional<Duration> life = std::chrono::hours(1)) {
        auto token = create_named_token(options.tokens_file, {name, std::move(scopes), life}, clock);
        EXPECT_TRUE(token) << token.error().message;
        return token.value_or("");
    }
    std::unique_ptr<JsonRpcClient> enter(const std::string& token) {
        auto client = std::make_unique<JsonRpcClient>(connect_raw(tcp_endpoint()));
        const auto identified = client->identify("token tests", token, soon());
        EXPECT_TRUE(identified) << identified.error().message;
        facts = identified ? json::parse(*identified) : json();
        return client;
    }
    json facts; ///< what the last identify said
};

TEST_F(LiveTokens, HoldTheirScopesAndNoOthers) {
    const std::string token = create("watcher", {"observe", "record"});
    start();
    const auto client = enter(token);
    EXPECT_EQ(facts["scopes"], (json{"observe", "record"}));
    EXPECT_EQ(facts["token_name"], "watcher");
    EXPECT_TRUE(facts["expires_at"].is_string());
    EXPECT_EQ(call(*client, "session.list").kind, "");
    EXPECT_EQ(call(*client, "session.create", {{"platform", "fake"}}).kind, "scope_denied");
    EXPECT_EQ(call(*client, "control.stop_all", {{"reason", "x"}}).kind, "scope_denied");
}

TEST_F(LiveTokens, NoneOfThemFillsTheHouse) {
    options.connections_max = 32; // 8 for a token; 8 for the Unix socket alone, 8 more for this user's own token
    std::vector<std::string> tokens;
    for (const char* const name : {"a", "b", "c"}) {
        tokens.push_back(create(name, {"observe"}));
    }
    start();
    std::vector<std::unique_ptr<JsonRpcClient>> inside;
    for (const std::string& token : tokens) {
        for (int i = 0; i < 9; ++i) {
            auto client = std::make_unique<JsonRpcClient>(connect_raw(tcp_endpoint()));
            const auto entered = client->identify("token tests", token, soon());
            if (entered) {
                inside.push_back(std::move(client));
            } else {
                EXPECT_EQ(entered.error().code, ErrorCode::Overloaded);
                EXPECT_NE(entered.error().message.find(token == tokens.back() ? "the limit is 16" : "the limit is 8"), std::string::npos) << entered.error().message;
                EXPECT_EQ(wait_for_close(client->socket()).code, 4429);
            }
        }
    }
    EXPECT_EQ(inside.size(), 16U);
    for (int i = 0; i < 8; ++i) {
        inside.push_back(enter(options.token));
    }
    EXPECT_EQ(call(*connect(), "control.stop_all", {{"reason", "a person said so"}}).kind, ""); // through the Unix socket
}

// Slow strangers on the TCP port: the next to come pushes one of them out.
TEST_F(LiveTokens, SilentStrangersKeepNobodyOut) {
    options.connections_max = 32;
    start();
    std::vector<std::unique_ptr<WebSocketClient>> strangers;
    for (int i = 0; i < 40; ++i) {
        strangers.push_back(connect_raw(tcp_endpoint()));
    }
    EXPECT_EQ(call(*enter(options.token), "connection.ping").kind, "");
    EXPECT_EQ(call(*connect(), "connection.ping").kind, "");
}

TEST_F(LiveTokens, RevokingClosesTheConnectionThatIsOpen) {
    const std::string token = create("a", {"observe"});
    const std::string other_token = create("b", {"observe"});
    start();
    const auto client = enter(token);
    const auto other = enter(other_token);
    ASSERT_TRUE(revoke_named_token(options.tokens_file, "a"));
    const WebSocketClose close = wait_for_close(client->socket());
    EXPECT_EQ(close.code, 4401);
    EXPECT_NE(close.reason.find("revoked"), std::string::npos) << close.reason;
    EXPECT_EQ(call(*other, "connection.ping").kind, "");
    JsonRpcClient again(connect_raw(tcp_endpoint()));
    EXPECT_EQ(again.identify("token tests", token, soon()).error().code, ErrorCode::PermissionDenied);
}

TEST_F(LiveTokens, ExpiryClosesTheConnectionThatIsOpen) {
    const std::string token = create("short", {"observe"}, std::chrono::seconds(3)); // long enough to come in on a loaded machine
    start();
    const auto client = enter(token);
    const WebSocketClose close = wait_for_close(client->socket());
    EXPECT_EQ(close.code, 4401);
    EXPECT_NE(close.reason.find("expired"), std::string::npos) << close.reason;
    JsonRpcClient again(connect_raw(tcp_endpoint()));
    const auto refused = again.identify("token tests", token, soon());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("expired"), std::string::npos) << refused.error().message;
}

TEST_F(LiveTokens, ANewTokenFileTurnsAwayWhoCameWithTheOldOne) {
    start();
    const auto client = enter(options.token);
    const auto local = connect();
    FreshOptions fresh{.server = options, .policy = {}, .kill_chord = ""};
    fresh.server.token = std::string(64, 'b');
    ASSERT_TRUE(server->reload(fresh));
    EXPECT_EQ(wait_for_close(client->socket()).code, 4401);
    EXPECT_EQ(call(*enter(fresh.server.token), "connection.ping").kind, "");
    EXPECT_EQ(call(*local, "connection.ping").kind, "");
}

TEST_F(LiveTokens, AReloadedPolicyBindsTheNextSession) {
    start();
    const auto client = connect();
    const std::string before = create_session(*client);
    FreshOptions fresh{.server = options, .policy = {.deny_verbs = {"drag"}}, .kill_chord = ""};
    fresh.server.sessions_max = 2;
    ASSERT_TRUE(server->reload(fresh));
    const std::string after = create_session(*client);
    const auto within = [&](const std::string& session) { return dump_json(call(*client, "policy.get", {{"session", session}}).result); };
    EXPECT_NE(within(after).find("drag"), std::string::npos);
    EXPECT_EQ(within(before).find("drag"), std::string::npos);
    EXPECT_EQ(call(*client, "session.create", {{"platform", "fake"}}).kind, "overloaded"); // the new number of sessions
}

TEST_F(LiveTokens, ARequestKeyIsItsOwnTokensAlone) {
    const std::string mine = create("mine", {"control", "observe"});
    const std::string other = create("other", {"control", "observe"});
    start();
    const json params{{"platform", "fake"}, {"request_key", "k"}};
    const auto made = [&](JsonRpcClient& client) { return call(client, "session.create", params).result.value("session", ""); };
    const std::string first = made(*enter(mine));
    ASSERT_FALSE(first.empty());
    const std::string second = made(*enter(other));
    EXPECT_FALSE(second.empty());
    EXPECT_NE(second, first);
    EXPECT_EQ(made(*enter(mine)), first); // on another connection
    const std::string owners = made(*connect());
    EXPECT_NE(owners, first);
    EXPECT_EQ(made(*enter(options.token)), owners); // the token file is this user's
    EXPECT_EQ(call(*enter(other), "session.close", {{"session", second}, {"request_key", "k"}}).kind, "request_key_reused");
    EXPECT_NE(call(*connect(), "session.create", {{"platform", "fake"}, {"request_key", "mine\nk"}}).result.value("session", ""), first);
    server.reset();
    start();
    EXPECT_EQ(made(*enter(mine)), first); // and of another run
}

TEST_F(LiveTokens, LaunchIsHeldAgainstTheDaemonsPolicy) {
    start();
    const auto client = enter(create("starter", {"control"}));
    const auto launch = [&](const std::string& line) {
        return call(*client, "session.create", {{"platform", "fake"}, {"target", {{"launch", {line}}}}});
    };
    const auto obey = [&](Policy policy) {
        ASSERT_TRUE(server->reload({.server = options, .policy = std::move(policy), .kill_chord = ""}));
    };
    EXPECT_EQ(launch("form").kind, "");
    obey({.deny_verbs = {"open_app"}});
    EXPECT_EQ(launch("form").kind, "policy_denied");
    EXPECT_EQ(call(*client, "session.create", {{"platform", "fake"}}).kind, "");
    obey({.rules = {{.name = "no terminals", .effect = Effect::Deny, .apps = {"*term"}}}});
    for (const char* const line : {"xterm", "'/usr/bin/x''term' -e \"a b\"", "env x\\term"}) {
        EXPECT_EQ(launch(line).kind, "policy_denied") << line;
    }
    EXPECT_EQ(launch("form terminal").kind, "");
    EXPECT_EQ(launch("'form").kind, "invalid_params");
    obey({.rules = {{.name = "starting needs me", .effect = Effect::Ask, .verbs = {"open_app"}}}});
    const Reply asked = launch("form");
    EXPECT_EQ(asked.kind, "policy_denied");
    EXPECT_NE(asked.message.find("nobody can be asked"), std::string::npos) << asked.message;
}

TEST_F(LiveTokens, BrowserAndFirstPageAreHeldAgainstTheDaemonsPolicy) {
    start();
    const auto client = enter(create("opener", {"control"}));
    const auto open = [&](const char* field, const std::string& value) {
        return call(*client, "session.create", {{"platform", "fake"}, {"target", {{field, value}}}}).kind;
    };
    const auto obey = [&](Policy policy) {
        ASSERT_TRUE(server->reload({.server = options, .policy = std::move(policy), .kill_chord = ""}));
    };
    EXPECT_EQ(open("browser", "/usr/bin/chromium"), "");
    EXPECT_EQ(open("url", "https://example.org/"), "");
    obey({.deny_verbs = {"open_app"}});
    EXPECT_EQ(open("browser", "/usr/bin/chromium"), "policy_denied");
    EXPECT_EQ(open("url", "https://example.org/"), "");
    obey({.deny_verbs = {"open_url"}});
    EXPECT_EQ(open("url", "https://example.org/"), "policy_denied");
    EXPECT_EQ(open("browser", "/usr/bin/chromium"), "");
    obey({.rules = {{.name = "not there", .effect = Effect::Deny, .domains = {"*.example.org"}}}});
    EXPECT_EQ(open("url", "https://www.example.org/"), "policy_denied");
    EXPECT_EQ(open("url", "https://example.net/"), "");
}

} // namespace
} // namespace handeye::testing
