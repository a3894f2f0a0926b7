// SPDX-License-Identifier: Apache-2.0
// Servers that refuse, fail, lie, stall and go away, and what becomes of the question.
#include "base/file.h"
#include "tests/remote/remote_fixture.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace handeye::testing {
namespace {

using nlohmann::json;
using Script = std::function<void(const SeenRequest& request, Peer& peer)>;

ScriptedServer::Handler chats(Script script) {
    return [script = std::move(script)](const SeenRequest& request, Peer& peer) {
        if (!answer_probe(request, peer)) {
            script(request, peer);
        }
    };
}

void good(const SeenRequest&, Peer& peer) { peer.write(stream_head() + delta("content", "one ") + delta("content", "two ") + delta("content", "three") + finish("stop")); }

std::string broken_off(std::size_t pieces) {
    std::string out = stream_head();
    for (std::size_t i = 0; i < pieces; ++i) {
        out += delta("content", i == 0 ? "one " : "2 ");
    }
    return out;
}

/// One answer of a bad server, and what is said of it when there is no other.
struct BadCase {
    const char* name;
    std::string answer;
    ErrorCode code;
    const char* words;
    bool is_final = false; ///< no other server is asked
};
void PrintTo(const BadCase& bad, std::ostream* out) { *out << bad.name; }

class BadServers : public RemoteTest, public ::testing::WithParamInterface<BadCase> {};

TEST_P(BadServers, AreNamedAndTheNextOneIsAsked) {
    const BadCase& bad = GetParam();
    const auto answer_badly = chats([&](const SeenRequest&, Peer& peer) { peer.write(bad.answer); });
    ScriptedServer first(answer_badly);
    RemoteOptions alone = options_for(url(first));
    alone.api_key = "hush-hush";
    alone.limits.answer_bytes_max = 100'000;
    const auto refused = ask(*open(alone));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, bad.code) << refused.error().message;
    EXPECT_NE(refused.error().message.find(bad.words), std::string::npos) << refused.error().message;
    EXPECT_NE(refused.error().message.find(fmt::format("127.0.0.1:{}", first.port())), std::string::npos) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("hush-hush"), std::string::npos) << refused.error().message;
    EXPECT_LT(refused.error().message.size(), 1500U);

    ScriptedServer second(chats(good));
    RemoteOptions both = options_for(url(first) + "," + url(second));
    both.limits.answer_bytes_max = 100'000;
    const auto answer = ask(*open(both));
    EXPECT_EQ(answer.has_value(), !bad.is_final);
    EXPECT_EQ(second.seen("/chat").size(), bad.is_final ? 0U : 1U);
    if (answer) {
        EXPECT_EQ(answer->text_utf8, "one two three");
    }
}

const std::string kJson = "application/json";

INSTANTIATE_TEST_SUITE_P(
    Table, BadServers,
    ::testing::Values(
        BadCase{"Key", http_answer(401, kJson, R"({"error":{"message":"hush-hush is wrong"}})"), ErrorCode::PermissionDenied, "does not take the API key (401): (key) is wrong"},
        BadCase{"Forbidden", http_answer(403, kJson, "{}"), ErrorCode::PermissionDenied, "refuses this client (403)"},
        BadCase{"Model", http_answer(404, kJson, R"({"object":"error","message":"The model `x` does not exist."})"), ErrorCode::NotFound, "The model `x` does not exist."},
        BadCase{"TooLarge", http_answer(413, kJson, R"({"error":"too large"})"), ErrorCode::LimitExceeded, "too large for it (413)", true},
        BadCase{"Wrong", http_answer(400, kJson, R"({"error":{"message":"no such role"}})"), ErrorCode::InvalidArgument, "it refuses the question (400): no such role", true},
        BadCase{"Elsewhere", http_answer(302, kJson, "", "Location: https://evil.example/v1\r\n"), ErrorCode::Unavailable, "it sends elsewhere"},
        BadCase{"Failed", http_answer(500, "text/html", "<h1>Oh\n\x1b[31m</h1>"), ErrorCode::EngineLost, "it failed (500): <h1>Oh  [31m</h1>"},
        BadCase{"LongWords", http_answer(500, "text/plain", std::string(100'000, 'x')), ErrorCode::EngineLost, "xxx..."},
        BadCase{"Page", http_answer(200, "text/html", "<h1>Welcome</h1>"), ErrorCode::ParseFailed, "it answered \"text/html\""},
        BadCase{"NoHttp", "SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::EngineLost, "127.0.0.1"},
        BadCase{"Nothing", "", ErrorCode::EngineLost, "127.0.0.1"},
        BadCase{"NoJson", stream_head() + chunk("data: {oh\n\n") + last_chunk(), ErrorCode::EngineLost, "its answer cannot be read"},
        BadCase{"NoObject", stream_head() + chunk("data: [1]\n\n") + last_chunk(), ErrorCode::EngineLost, "no JSON object"},
        BadCase{"NotUtf8", stream_head() + chunk("data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n") + last_chunk(), ErrorCode::EngineLost, "its answer cannot be read"},
        BadCase{"Deep", stream_head() + chunk("data: " + std::string(100'000, '[') + "\n\n") + last_chunk(), ErrorCode::EngineLost, "its answer cannot be read"},
        BadCase{"LongEvent", stream_head() + chunk("data: " + std::string(2U << 20U, 'x')) + last_chunk(), ErrorCode::EngineLost, "an event of more than 1048576 bytes"},
        BadCase{"LongAnswer", stream_head() + delta("content", std::string(90'000, 'a')) + delta("content", std::string(90'000, 'b')) + last_chunk(), ErrorCode::EngineLost, "an answer of more than 100000 bytes"},
        BadCase{"WildChunk", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", ErrorCode::EngineLost, "127.0.0.1"},
        BadCase{"LongHead", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), ErrorCode::EngineLost, "header limit"},
        BadCase{"ErrorEvent", stream_head() + delta("content", "one ") + chunk(event(R"({"error":{"message":"out of memory","type":"server_error"}})")) + last_chunk(), ErrorCode::EngineLost, "it broke off its answer: out of memory"},
        BadCase{"Abort", stream_head() + delta("content", "one ") + finish("abort"), ErrorCode::EngineLost, "ended the answer with \"abort\""},
        BadCase{"Unfinished", broken_off(1) + last_chunk(), ErrorCode::EngineLost, "in the middle of the answer"},
        BadCase{"Cut", broken_off(1), ErrorCode::EngineLost, "127.0.0.1"}),
    [](const auto& row) { return row.param.name; });

TEST_F(RemoteTest, ABusyServerIsWaitedForAsItSays) {
    std::atomic<int> asked = 0;
    ScriptedServer server(chats([&](const SeenRequest& request, Peer& peer) {
        switch (asked++) {
        case 0: peer.write(http_answer(429, kJson, R"({"error":{"message":"full"}})", "Retry-After: 7\r\n")); break;
        case 1: peer.write(http_answer(503, kJson, R"({"error":{"message":"loading"}})")); break;
        default: good(request, peer);
        }
    }));
    const auto answer = ask(*open(options_for(url(server))));
    ASSERT_TRUE(answer) << answer.error().message;
    const std::vector<Duration> pauses = clock.pauses();
    ASSERT_EQ(pauses.size(), 2U);
    EXPECT_GT(pauses[0], std::chrono::milliseconds(6500));
    EXPECT_GT(pauses[1], std::chrono::milliseconds(400)); // 1 s, less up to a half by chance, and what passed since
    EXPECT_LE(pauses[1], std::chrono::milliseconds(1000));
}

TEST_F(RemoteTest, ServersThatStayBusyAreOverloaded) {
    ScriptedServer server(chats([](const SeenRequest&, Peer& peer) { peer.write(http_answer(429, kJson, "{}")); }));
    const auto refused = ask(*open(options_for(url(server))));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::Overloaded);
    EXPECT_EQ(server.seen("/chat").size(), 3U);
    ScriptedServer rude(chats([](const SeenRequest&, Peer& peer) { peer.write(http_answer(429, kJson, "{}", "Retry-After: 86400\r\n")); }));
    EXPECT_EQ(ask(*open(options_for(url(rude)))).error().code, ErrorCode::Overloaded);
    EXPECT_EQ(rude.seen("/chat").size(), 1U) << "nobody waits a day";
}

TEST_F(RemoteTest, AServerThatFailsIsAskedAgainAfterAPause) {
    std::atomic<int> asked = 0;
    ScriptedServer server(chats([&](const SeenRequest& request, Peer& peer) { asked++ == 0 ? peer.reset() : good(request, peer); }));
    const auto answer = ask(*open(options_for(url(server))));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(clock.pauses().size(), 1U);
}

TEST_F(RemoteTest, AnAnswerThatBreaksOffIsTakenUpByTheNextServerAndNothingIsHeardTwice) {
    ScriptedServer dying(chats([](const SeenRequest&, Peer& peer) {
        peer.write(broken_off(2));
        peer.reset();
    }));
    ScriptedServer other(chats(good));
    const auto model = open(options_for(url(dying) + "," + url(other)));
    const auto answer = ask(*model, ask_for("Count", "s"));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "one two three");
    EXPECT_TRUE(heard == "one 2 two three" || heard == "one 2 o three" || heard.size() == answer->text_utf8.size()) << heard;
    EXPECT_EQ(heard.substr(0, 4), "one ");
    EXPECT_EQ(heard.find("one ", 1), std::string::npos) << heard;
    EXPECT_EQ(dying.seen("/chat").size(), 1U);
    ASSERT_TRUE(ask(*model, ask_for("Count", "s")));
    EXPECT_EQ(dying.seen("/chat").size(), 1U) << "the session has moved";
    EXPECT_EQ(other.seen("/chat").size(), 2U);
}

TEST_F(RemoteTest, AQuestionThatEndsEveryServerThatTakesItIsGivenUp) {
    ScriptedServer dying(chats([](const SeenRequest&, Peer& peer) { peer.write(broken_off(1)); }));
    RemoteOptions options = options_for(url(dying));
    options.rounds_max = 100;
    const auto refused = ask(*open(options));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::EngineLost);
    EXPECT_NE(refused.error().message.find("5 answers to this question broke off"), std::string::npos) << refused.error().message;
    EXPECT_EQ(dying.seen("/chat").size(), 5U);
}

TEST_F(RemoteTest, WhenAllAreGoneEachIsNamedWithItsReason) {
    auto first = std::make_unique<ScriptedServer>(chats(good));
    ScriptedServer second(chats([](const SeenRequest&, Peer& peer) { peer.write(http_answer(500, kJson, R"({"error":"broken"})")); }));
    const auto model = open(options_for(url(*first) + "," + url(second)));
    const std::string first_name = fmt::format("127.0.0.1:{}", first->port());
    first.reset();
    const auto refused = ask(*model);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::EngineLost);
    const std::string& words = refused.error().message;
    EXPECT_NE(words.find(first_name + ": Connection refused"), std::string::npos) << words;
    EXPECT_NE(words.find(fmt::format("127.0.0.1:{}: it failed (500): broken", second.port())), std::string::npos) << words;
    const auto unopened = open_remote_model(options_for(fmt::format("http://{}/v1", first_name)), clock, {});
    ASSERT_FALSE(unopened);
    EXPECT_EQ(unopened.error().code, ErrorCode::Unavailable);
}

TEST_F(RemoteTest, ASilentServerIsLeftAfterItsTime) {
    const auto stall = [](std::string said) {
        return chats([said](const SeenRequest&, Peer& peer) {
            peer.write(said);
            peer.wait_for_close();
        });
    };
    for (const auto& [said, words] : {std::pair(std::string(), "no answer within"), std::pair(stream_head() + delta("role", "assistant"), "no token for"), std::pair(broken_off(1), "no further token for")}) {
        ScriptedServer server(stall(said));
        ScriptedServer other(chats(good));
        RemoteOptions options = options_for(url(server));
        options.timeouts.first_token = std::chrono::milliseconds(300);
        options.timeouts.between_tokens = std::chrono::milliseconds(300);
        const auto refused = ask(*open(options));
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
        EXPECT_EQ(server.seen("/chat").size(), 1U) << "once more would take as long";
        options.addresses = *parse_remote_addresses(url(server) + "," + url(other));
        options.timeouts = {.connect = std::chrono::seconds(10), .first_token = std::chrono::seconds(2), .between_tokens = std::chrono::seconds(2)};
        const auto answer = ask(*open(options));
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->text_utf8, "one two three");
    }
}

TEST_F(RemoteTest, SignsOfLifeAreNoTokens) {
    ScriptedServer server(chats([](const SeenRequest&, Peer& peer) {
        for (bool is_there = peer.write(stream_head()); is_there;) {
            is_there = peer.write(chunk(": ping\n\n" + event(R"({"choices":[{"index":0,"delta":{"content":""}}]})"))); // as fast as it goes, for ever
        }
    }));
    RemoteOptions options = options_for(url(server));
    options.timeouts.first_token = std::chrono::milliseconds(300);
    options.limits.stream_bytes_max = std::size_t{1} << 40U;
    const auto refused = ask(*open(options));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("no token for"), std::string::npos) << refused.error().message;
    options.timeouts.first_token = std::chrono::hours(1);
    options.limits.stream_bytes_max = 100'000;
    EXPECT_NE(ask(*open(options)).error().message.find("more than 100000 bytes for one answer"), std::string::npos);
}

TEST_F(RemoteTest, ASessionStaysWithItsServerAndOthersAreSpread) {
    ScriptedServer a(chats(good)), b(chats(good));
    const auto model = open(options_for(url(a) + "," + url(b)));
    for (int round = 0; round < 3; ++round) {
        for (const char* const session : {"s1", "s2", "s3", "s4"}) {
            ASSERT_TRUE(ask(*model, ask_for("Count", session)));
        }
    }
    const auto sessions_of = [](const ScriptedServer& server) {
        std::map<std::string, int> count;
        for (const SeenRequest& request : server.seen("/chat")) {
            const std::size_t at = request.head.find("X-Session-Id: ");
            ++count[request.head.substr(at, request.head.find("\r\n", at) - at)];
        }
        return count;
    };
    const auto of_a = sessions_of(a), of_b = sessions_of(b);
    EXPECT_EQ(of_a.size(), 2U);
    EXPECT_EQ(of_b.size(), 2U);
    for (const auto& [session, count] : of_a) {
        EXPECT_EQ(count, 3);
        EXPECT_FALSE(of_b.contains(session));
    }
}

TEST_F(RemoteTest, AServerThatComesBackIsFoundByItsHealth) {
    std::atomic<bool> is_ill = true;
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        if (request.path == "/health" && is_ill) {
            peer.write(http_answer(503, kJson, R"({"status":"loading"})"));
        } else if (!answer_probe(request, peer)) {
            good(request, peer);
        }
    });
    ScriptedServer other(chats(good));
    RemoteOptions options = options_for(url(server) + "," + url(other));
    options.health_pause = std::chrono::milliseconds(20);
    const auto model = open(options);
    ASSERT_TRUE(ask(*model, ask_for("Count", "s1")));
    EXPECT_TRUE(server.seen("/chat").empty());
    server.wait_for("/health", 3);
    is_ill = false;
    server.wait_for("/v1/models", 1);
    std::size_t next = 2;
    while (server.seen("/chat").empty()) { // the watch has it back a moment after it has answered
        ASSERT_LT(next, 10'000U);
        ASSERT_TRUE(ask(*model, ask_for("Count", fmt::format("s{}", next++))));
    }
}

TEST_F(RemoteTest, WhoServesSeveralModelsIsAskedByName) {
    const std::string rows = R"({"data":[{"id":"glm-4.1v-thinking","owned_by":"vllm"},{"id":"glm-4.5v","owned_by":"vllm"},{"id":"lora","owned_by":"vllm","parent":"glm-4.5v"}]})";
    ScriptedServer server([&](const SeenRequest& request, Peer& peer) {
        request.path == "/v1/models" ? void(peer.write(http_answer(200, kJson, rows))) : request.path == "/health" ? void(peer.write(http_answer(404, kJson, "{}"))) : good(request, peer);
    });
    const auto several = open_remote_model(options_for(url(server)), clock, {});
    ASSERT_FALSE(several);
    EXPECT_EQ(several.error().code, ErrorCode::InvalidArgument);
    EXPECT_NE(several.error().message.find("glm-4.1v-thinking, glm-4.5v, lora; say which one with #NAME"), std::string::npos) << several.error().message;
    EXPECT_EQ(open_remote_model(options_for(url(server) + "#gpt"), clock, {}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(open(options_for(url(server) + "#glm-4.5v"))->info().prompt, "glm-4.5v");
    const auto unknown = open_remote_model(options_for(url(server) + "#lora"), clock, {});
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find("say --prompt NAME"), std::string::npos) << unknown.error().message;
    RemoteOptions told = options_for(url(server) + "#lora");
    told.prompt = "glm-4.5v";
    EXPECT_EQ(open(told)->info().name, "lora");
}

class RemoteTls : public RemoteTest {
protected:
    void SetUp() override {
        const auto made = random_folder();
        const std::string script = R"(cd ')" + made + R"(' && exec >/dev/null 2>&1
key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
ca() { key $1; openssl req -x509 -new -key $1.key -days 2 -subj /CN=$1 -out $1.pem; }
leaf() { key $1; openssl req -new -key $1.key -subj /CN=$1 -out $1.csr; printf "subjectAltName=$2" > $1.ext
  openssl x509 -req -in $1.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile $1.ext -out $1.pem; }
ca ours; ca foreign; leaf here IP:127.0.0.1; leaf elsewhere DNS:elsewhere.example)";
        if (std::system(script.c_str()) != 0) {
            GTEST_SKIP() << "the openssl program is not installed";
        }
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string random_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-remote-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        return folder_.string();
    }
    [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::filesystem::path folder_;
    const ScriptedServer* plain_ = nullptr;
};

TEST_F(RemoteTls, OnlyACertificateOfTheHostByAKnownAuthorityIsBelieved) {
    ScriptedServer here(chats(good), {path("here.pem"), path("here.key")});
    RemoteOptions options = options_for(url(here, "https"));
    options.ca_file = path("ours.pem");
    EXPECT_EQ(ask(*open(options))->text_utf8, "one two three");
    const auto refused = [&](const ScriptedServer& server, const std::string& ca) {
        RemoteOptions wrong = options_for(url(server, "https"));
        wrong.ca_file = ca;
        wrong.timeouts.connect = std::chrono::seconds(&server == plain_ ? 1 : 10);
        const auto model = open_remote_model(wrong, clock, {});
        EXPECT_FALSE(model);
        return model ? "" : model.error().message;
    };
    EXPECT_NE(refused(here, path("foreign.pem")).find("does not prove that it is"), std::string::npos);
    EXPECT_NE(refused(here, "").find("does not prove that it is"), std::string::npos) << "the system knows no such authority";
    EXPECT_NE(refused(here, path("none.pem")).find("none.pem"), std::string::npos);
    ScriptedServer elsewhere(chats(good), {path("elsewhere.pem"), path("elsewhere.key")});
    EXPECT_NE(refused(elsewhere, path("ours.pem")).find("does not prove that it is 127.0.0.1"), std::string::npos);
    EXPECT_TRUE(elsewhere.seen().empty()) << "nothing is said before";
    ScriptedServer plain(chats(good));
    plain_ = &plain; // it waits for a request, and the client for its side of the handshake
    EXPECT_FALSE(refused(plain, path("ours.pem")).empty()) << "no way back to plain HTTP";
    EXPECT_TRUE(plain.seen().empty());
}

TEST_F(RemoteTls, AnAnswerThatBreaksOffUnderTlsGoesToTheNextServer) {
    ScriptedServer dying(chats([](const SeenRequest&, Peer& peer) { peer.write(broken_off(1)); }), {path("here.pem"), path("here.key")});
    ScriptedServer other(chats(good), {path("here.pem"), path("here.key")});
    RemoteOptions options = options_for(url(dying, "https") + "," + url(other, "https"));
    options.ca_file = path("ours.pem");
    const auto answer = ask(*open(options));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text_utf8, "one two three");
}

} // namespace
} // namespace handeye::testing
