// SPDX-License-Identifier: Apache-2.0
// Streams of pictures, input by hand, questions to the model, cancelling, request keys: through a server on real sockets.
#include "base/file.h"
#include "base/json.h"
#include "server/picture.h"
#include "server/screen_streams.h"
#include "tests/server/server_fixture.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

#include <fmt/format.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

struct Frame {
    std::uint8_t version = 0;
    std::uint8_t kind = 0;
    std::uint32_t stream = 0;
    std::uint64_t seq = 0;
    std::string picture;
};

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

/// A socket after identify, with its messages as they come: text and binary.
class Raw {
public:
    explicit Raw(std::unique_ptr<WebSocketClient> socket) : socket_(std::move(socket)) {}
    void send(int id, const std::string& method, const json& params) {
        const json message{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}};
        ASSERT_TRUE(socket_->send_text(message.dump(), soon()));
    }
    /// The answer to this request; what comes between is dropped, frames are kept.
    json answer(int id) {
        for (;;) {
            const auto message = socket_->receive(soon());
            if (!message) {
                ADD_FAILURE() << message.error().message;
                return {};
            }
            if (!message->is_text) {
                keep(message->bytes);
                continue;
            }
            json parsed = json::parse(message->bytes);
            if (parsed.value("id", -1) == id) {
                return parsed;
            }
            notes_.push_back(std::move(parsed));
        }
    }
    json call(int id, const std::string& method, const json& params) {
        send(id, method, params);
        return answer(id);
    }
    std::optional<Frame> frame() {
        while (frames_.empty()) {
            const auto message = socket_->receive(soon());
            if (!message) {
                return std::nullopt;
            }
            if (!message->is_text) {
                keep(message->bytes);
            }
        }
        Frame first = frames_.front();
        frames_.erase(frames_.begin());
        return first;
    }
    [[nodiscard]] const std::vector<json>& notes() const { return notes_; }
    [[nodiscard]] std::size_t frames_waiting() const { return frames_.size(); }

private:
    void keep(const std::string& bytes) {
        ASSERT_GE(bytes.size(), kFrameHeaderBytes);
        frames_.push_back({static_cast<std::uint8_t>(bytes[0]), static_cast<std::uint8_t>(bytes[1]),
                           static_cast<std::uint32_t>(number_at(bytes, 4, 4)), number_at(bytes, 8, 8), bytes.substr(kFrameHeaderBytes)});
    }
    std::unique_ptr<WebSocketClient> socket_;
    std::vector<Frame> frames_;
    std::vector<json> notes_;
};

class Hands : public ServerTest {
protected:
    std::unique_ptr<Raw> connect_frames(const WebSocketOptions& wanted = {}) {
        auto raw = std::make_unique<Raw>(connect_raw(unix_endpoint(), wanted));
        EXPECT_TRUE(raw->call(0, "connection.identify", {{"protocol", 1}, {"client", "frames"}}).contains("result"));
        return raw;
    }
    /// All events of a session, read from its recording.
    static json events(JsonRpcClient& client, const std::string& session) {
        return call(client, "recording.read", {{"session", session}, {"n", 4096}}).result.value("events", json::array());
    }
    static std::vector<std::string> types(const json& events) {
        std::vector<std::string> out;
        for (const json& event : events) {
            out.push_back(event.at("type"));
        }
        return out;
    }
};
class Streams : public Hands {
protected:
    static Image noise(std::uint32_t seed) {
        std::mt19937 random(seed);
        std::vector<std::uint8_t> pixels(std::size_t{640} * 480 * 3);
        std::ranges::generate(pixels, [&] { return static_cast<std::uint8_t>(random()); });
        return *Image::from_pixels({640, 480}, PixelFormat::Rgb, std::move(pixels));
    }
};
class Infer : public Hands {};
class Cancelling : public Hands {};
class RequestKeys : public Hands {};

TEST_F(Streams, SendTheFirstPictureWithItsHeaderAndThenOnlyChanges) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto raw = connect_frames();
    const json started = raw->call(1, "screen.stream_start", {{"session", session}, {"format", "png"}, {"max_fps", 60}});
    ASSERT_TRUE(started.contains("result")) << started;
    const auto first = raw->frame();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->version, kFrameVersion);
    EXPECT_EQ(first->kind, kFramePicture);
    EXPECT_EQ(first->stream, started["result"]["stream"]);
    EXPECT_EQ(first->seq, 1U);
    EXPECT_TRUE(first->picture.starts_with("\x89PNG"));
    EXPECT_TRUE(raw->call(2, "frames.ack", {{"stream", first->stream}, {"seq", 1}}).contains("result"));
    platform->show(1);
    const auto second = raw->frame();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->seq, 2U); // however often it looked: nothing else had changed
    EXPECT_NE(second->picture, first->picture);
}

TEST_F(Streams, NeverHaveMoreOnTheWayThanTheClientTakes) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto raw = connect_frames();
    const json started = raw->call(1, "screen.stream_start", {{"session", session}, {"max_fps", 60}, {"max_in_flight", 1}});
    const auto first = raw->frame();
    ASSERT_TRUE(first);
    for (int i = 0; i < 30; ++i) { // the screen changes all the time; nothing is acknowledged
        platform->show(static_cast<std::size_t>(i % 2));
        ASSERT_TRUE(raw->call(10 + i, "connection.ping", json::object()).contains("result"));
    }
    EXPECT_EQ(raw->frames_waiting(), 0U);
    platform->show(1);
    raw->call(50, "frames.ack", {{"stream", first->stream}, {"seq", 1}});
    const auto next = raw->frame();
    ASSERT_TRUE(next);
    EXPECT_EQ(next->seq, 2U);
}

// Pictures for a client that is behind would be made for nothing, at the cost of all others.
TEST_F(Streams, MakeNoPictureWhileTheLastOneWaitsToGoOut) {
    scenes = {{.frame = noise(1)}, {.frame = noise(2)}}; // larger than what a socket holds
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto frames_sent = [&] { return call(*client, "metrics.snapshot").result.at("metrics").at("handeye_frames_sent_total").get<int>(); };
    const auto raw = connect_frames({.inbox_bytes_max = 1});
    raw->send(1, "screen.stream_start", {{"session", session}, {"format", "png"}, {"max_fps", 60}, {"max_in_flight", 16}});
    for (std::size_t i = 0; i < 20; ++i) { // nobody reads
        platform->show(i % 2);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_LE(frames_sent(), 3); // at most: one read ahead, one being written, one that waits
    for (std::uint64_t seq = 1; seq <= 2; ++seq) {
        const auto frame = raw->frame();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->seq, seq);
    }
    for (std::size_t i = 0; frames_sent() < 4; ++i) { // what was read made room
        platform->show(i % 2);
    }
}

TEST_F(Streams, GoOnWhileATaskRuns) {
    start();
    model.hold();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    const auto raw = connect_frames();
    raw->call(1, "screen.stream_start", {{"session", session}});
    EXPECT_TRUE(raw->frame());
    model.release();
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
}

TEST_F(Streams, EndWithTheirSessionAndSaySo) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto raw = connect_frames();
    ASSERT_TRUE(raw->call(1, "screen.stream_start", {{"session", session}, {"max_fps", 60}}).contains("result"));
    ASSERT_TRUE(raw->frame());
    ASSERT_EQ(call(*client, "session.close", {{"session", session}}).kind, "");
    const auto has_ended = [&] {
        return std::any_of(raw->notes().begin(), raw->notes().end(), [](const json& note) { return note.value("method", "") == "screen.stream_ended"; });
    };
    for (const TimePoint deadline = soon(); !has_ended() && std::chrono::steady_clock::now() < deadline;) {
        raw->call(2, "connection.ping", json::object());
    }
    EXPECT_TRUE(has_ended());
    EXPECT_EQ(raw->call(3, "screen.stream_stop", {{"stream", 1}})["error"]["data"]["kind"], "no_such_stream");
}

TEST_F(Streams, AnAcknowledgementOfWhatWasNeverSentIsRefused) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto raw = connect_frames();
    const json started = raw->call(1, "screen.stream_start", {{"session", session}});
    ASSERT_TRUE(raw->frame());
    for (const json& params : {json{{"stream", started["result"]["stream"]}, {"seq", 99}}, json{{"stream", 77}, {"seq", 1}}}) {
        EXPECT_EQ(raw->call(2, "frames.ack", params)["error"]["data"]["kind"], "no_such_stream");
    }
}

TEST_F(Hands, AnActionGoesTheAgentsWayAndIntoTheLog) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply done = call(*client, "input.act", {{"session", session}, {"action", {{"verb", "click"}, {"x", 10}, {"y", 20}}}});
    ASSERT_EQ(done.kind, "") << done.message;
    EXPECT_EQ(done.result["verb"], "click");
    EXPECT_EQ(done.result["points"][0], (json{{"x", 10}, {"y", 20}}));
    EXPECT_NE(done.result["certainty"], "refused");
    EXPECT_EQ(types(events(*client, session)),
              (std::vector<std::string>{"session.state", "action.proposed", "action.gated", "action.executed"}));
    EXPECT_TRUE(platform->held().empty());
}

TEST_F(Hands, AListStopsAtTheFirstThatFallsShort) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply done = call(*client, "input.act_many", {{"session", session},
                                                        {"actions", {{{"verb", "click"}, {"x", 1}, {"y", 1}},
                                                                     {{"verb", "click"}, {"x", 9999}, {"y", 1}},
                                                                     {{"verb", "click"}, {"x", 2}, {"y", 2}}}}});
    ASSERT_EQ(done.kind, "") << done.message;
    EXPECT_EQ(done.result["performed"], 2);
    EXPECT_EQ(done.result["results"][1]["certainty"], "refused");
}

TEST_F(Hands, ASecretIsTypedAndNotWrittenDown) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply done = call(*client, "input.type", {{"session", session}, {"text", "canary-4711"}, {"secret", true}});
    ASSERT_EQ(done.kind, "") << done.message;
    EXPECT_EQ(platform->texts().back(), "canary-4711");
    EXPECT_EQ(events(*client, session).dump().find("canary"), std::string::npos);
}

TEST_F(Hands, AreRefusedWhileATaskRuns) {
    start();
    model.hold();
    const auto client = connect();
    const std::string session = create_session(*client);
    const std::string task = run_task(*client, session);
    ASSERT_TRUE(model.wait_for_calls(1));
    const json action{{"session", session}, {"action", {{"verb", "click"}, {"x", 1}, {"y", 1}}}};
    EXPECT_EQ(call(*client, "input.act", action).kind, "lease_held");
    EXPECT_EQ(call(*client, "input.key", {{"session", session}, {"keys", "ctrl+s"}}).kind, "lease_held");
    EXPECT_EQ(call(*client, "input.release_all", {{"session", session}}).kind, ""); // always
    model.release();
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
    EXPECT_EQ(call(*client, "input.act", action).kind, "");
}

TEST_F(Hands, CountTogetherForARuleWithACount) {
    start();
    const auto client = connect();
    const json two{{"rules", {{{"name", "two keys"}, {"effect", "allow"}, {"max_count", 2}}}}, {"otherwise", "deny"}};
    const Reply made = call(*client, "session.create", {{"platform", "fake"}, {"policy", two}});
    ASSERT_EQ(made.kind, "") << made.message;
    const std::string session = made.result.at("session");
    const auto press = [&] { return call(*client, "input.key", {{"session", session}, {"keys", "a"}}).result.value("certainty", ""); };
    EXPECT_NE(press(), "refused");
    EXPECT_EQ(call(*client, "policy.explain", {{"session", session}, {"action", {{"verb", "key"}, {"keys", "a"}}}}).kind, ""); // not counted
    EXPECT_NE(press(), "refused");
    EXPECT_EQ(press(), "refused");
    EXPECT_EQ(press(), "refused");
    ASSERT_EQ(call(*client, "policy.set", {{"session", session}, {"policy", two}}).kind, "");
    EXPECT_NE(press(), "refused"); // another policy, another count
}

TEST_F(Hands, NothingMovesOnceEverythingIsStopped) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "control.stop_all").kind, "");
    EXPECT_EQ(call(*client, "input.key", {{"session", session}, {"keys", "a"}}).kind, "stop_latched");
    ASSERT_EQ(call(*client, "control.reset_stop").kind, "");
    EXPECT_EQ(call(*client, "input.key", {{"session", session}, {"keys", "a"}}).kind, "");
}

TEST_F(Infer, AnswersWithThinkingApartAndStreamsItsPieces) {
    start();
    model.set_answers({"<think>hm</think>Blue."});
    const auto raw = connect_frames();
    const json done = raw->call(1, "engine.infer", {{"messages", {{{"role", "user"}, {"content", "Which colour?"}}}}, {"stream", true}, {"request", "r1"}});
    ASSERT_TRUE(done.contains("result")) << done;
    EXPECT_EQ(done["result"]["text"], "Blue.");
    EXPECT_EQ(done["result"]["thinking"], "hm");
    std::string streamed;
    for (const json& note : raw->notes()) {
        if (note.value("method", "") == "engine.token") {
            EXPECT_EQ(note["params"]["request"], "r1");
            streamed += note["params"]["text"].get<std::string>();
        }
    }
    EXPECT_EQ(streamed, "<think>hm</think>Blue.");
}

TEST_F(Infer, TakesPicturesAsDataUrlsOnly) {
    start();
    const auto client = connect();
    const auto ask = [&](const std::string& url) {
        return call(*client, "engine.infer",
                    {{"messages", {{{"role", "user"}, {"content", {{{"type", "text"}, {"text", "What?"}}, {{"type", "image"}, {"image", url}}}}}}}});
    };
    const auto png = encode_picture(fakes::solid_frame({8, 8}, 1, 2, 3), "png", 0);
    ASSERT_TRUE(png);
    EXPECT_EQ(ask("data:image/png;base64," + to_base64(png->bytes)).kind, "");
    for (const char* url : {"http://169.254.169.254/a.png", "https://example.org/a.png", "file:///etc/passwd", "/etc/passwd", "//host/a", "ftp://a/b"}) {
        EXPECT_EQ(ask(url).kind, "permission_denied") << url;
    }
    for (const char* url : {"data:text/html;base64,AAAA", "data:image/png,AAAA", "data:image/svg+xml;base64,AAAA"}) {
        EXPECT_EQ(ask(url).kind, "invalid_argument") << url;
    }
    EXPECT_EQ(ask("data:image/png;base64,AA").kind, "parse_failed");
    EXPECT_EQ(ask("data:image/png;base64,A===").kind, "parse_failed");
}

TEST(Base64, IsItsOwnInverseForEveryLength) {
    std::mt19937 random(7);
    for (std::size_t size = 0; size < 70; ++size) {
        std::vector<std::uint8_t> bytes(size);
        for (std::uint8_t& byte : bytes) {
            byte = static_cast<std::uint8_t>(random());
        }
        const auto back = from_base64(to_base64(bytes));
        ASSERT_TRUE(back);
        EXPECT_EQ(*back, bytes);
    }
    for (const char* bad : {"A", "AA", "AAA", "A=AA", "====", "AA=A", "A A=", "AAAA="}) {
        EXPECT_FALSE(from_base64(bad)) << bad;
    }
}

TEST_F(Cancelling, EndsAQuestionToTheModelWithOneAnswer) {
    start();
    model.hold();
    const auto raw = connect_frames();
    raw->send(1, "engine.infer", {{"messages", {{{"role", "user"}, {"content", "x"}}}}});
    ASSERT_TRUE(model.wait_for_calls(1));
    raw->send(2, "$/cancelRequest", {{"id", 1}});
    EXPECT_EQ(raw->answer(1)["error"]["data"]["kind"], "cancelled");
    model.release();
    EXPECT_TRUE(raw->call(3, "connection.ping", json::object()).contains("result"));
}

TEST_F(Cancelling, OfWhatIsNotUnderWaySaysSo) {
    start();
    const auto client = connect();
    EXPECT_EQ(call(*client, "$/cancelRequest", {{"id", 12345}}).result["cancelled"], false);
    EXPECT_EQ(call(*client, "$/cancelRequest", {{"id", nullptr}}).field, "id");
}

// Every call is answered once, whenever its cancelling comes; nothing is injected once "cancelled" was said.
TEST_F(Cancelling, AtRandomTimesEveryCallHasOneAnswerAndNoActionFollows) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const auto raw = connect_frames();
    const unsigned seed = std::random_device()();
    fmt::print("seed {}\n", seed);
    std::mt19937 random(seed);
    const int rounds = std::getenv("HANDEYE_FULL") != nullptr ? 5000 : 150;
    int cancelled = 0;
    for (int i = 1; i <= rounds; ++i) {
        const int id = 3 * i;
        const int kind = static_cast<int>(random() % 3);
        const json wait{{"verb", "wait"}, {"seconds", 5}};
        if (kind == 0) {
            raw->send(id, "engine.infer", {{"messages", {{{"role", "user"}, {"content", "x"}}}}});
        } else if (kind == 1) {
            raw->send(id, "input.act_many", {{"session", session}, {"actions", {{{"verb", "click"}, {"x", 5}, {"y", 5}}, {{"verb", "key"}, {"keys", "a"}}}}});
        } else {
            raw->send(id, "screen.windows", {{"session", session}});
        }
        for (unsigned pings = random() % 3; pings > 0; --pings) { // a random moment, without a clock
            raw->send(id + 1, "connection.ping", json::object());
            raw->answer(id + 1);
        }
        raw->send(id + 2, "$/cancelRequest", {{"id", id}});
        bool has_own = false;
        bool has_cancel = false;
        const std::size_t notes = raw->notes().size();
        const json own_or_cancel = raw->answer(id + 2);
        has_cancel = own_or_cancel.contains("result");
        for (std::size_t n = notes; n < raw->notes().size(); ++n) {
            has_own = has_own || raw->notes()[n].value("id", -1) == id;
        }
        json own;
        if (!has_own && own_or_cancel["result"]["cancelled"] == true) {
            own = raw->answer(id);
            cancelled += own.contains("error") ? 1 : 0;
            if (kind == 1 && own.contains("error")) {
                EXPECT_EQ(own["error"]["data"]["kind"], "cancelled");
                const std::size_t events_then = platform->events().size();
                raw->call(id + 1, "connection.ping", json::object());
                EXPECT_EQ(platform->events().size(), events_then);
                EXPECT_TRUE(platform->held().empty());
            }
        }
        EXPECT_TRUE(has_cancel);
    }
    int answers = 0;
    for (const json& note : raw->notes()) {
        answers += note.contains("id") && note["id"].get<int>() % 3 == 0 && note["id"].get<int>() != 0 ? 1 : 0;
    }
    fmt::print("{} rounds, {} cancelled\n", rounds, cancelled);
    EXPECT_LE(answers, rounds);
    EXPECT_EQ(call(*client, "engine.status").result["waiting"], 0);
}

TEST_F(RequestKeys, ActOnceHoweverOftenTheyAreRepeated) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const json params{{"session", session}, {"keys", "a"}, {"request_key", "once"}};
    const Reply first = call(*client, "input.key", params);
    ASSERT_EQ(first.kind, "") << first.message;
    const std::size_t events_then = platform->events().size();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(call(*client, "input.key", params).result, first.result);
    }
    EXPECT_EQ(platform->events().size(), events_then);
    EXPECT_EQ(call(*client, "input.key", {{"session", session}, {"keys", "b"}, {"request_key", "once"}}).kind, "request_key_reused");
}

TEST_F(RequestKeys, OutliveTheServer) {
    start();
    auto client = connect();
    const json params{{"platform", "fake"}, {"request_key", "k"}};
    const Reply first = call(*client, "session.create", params);
    client.reset();
    server.reset();
    start();
    client = connect();
    EXPECT_EQ(call(*client, "session.create", params).result, first.result);
    EXPECT_EQ(call(*client, "session.create", {{"platform", "other"}, {"request_key", "k"}}).kind, "request_key_reused");
}

// What a crash between the two lines leaves: begun, and nobody knows what it did.
TEST_F(RequestKeys, OfACallThatACrashCutOffAreNeverRepeated) {
    start();
    auto client = connect();
    const std::string session = create_session(*client);
    const json params{{"session", session}, {"keys", "a"}, {"request_key", "cut"}};
    ASSERT_EQ(call(*client, "input.key", params).kind, "");
    client.reset();
    server.reset();
    const auto file = options.sessions_dir / "request_keys.jsonl";
    const auto text = read_file(file, 1U << 20U);
    ASSERT_TRUE(text);
    const std::size_t end = text->find(R"("what":"end")");
    ASSERT_NE(end, std::string::npos);
    ASSERT_TRUE(write_file_atomic(file, text->substr(0, text->rfind('\n', end) + 1) + R"({"what":"end","ke)", 0600));
    start();
    client = connect();
    EXPECT_EQ(call(*client, "input.key", params).kind, "outcome_unknown");
    EXPECT_EQ(call(*client, "input.key", params).kind, "outcome_unknown");
}

TEST_F(RequestKeys, AreFreeAgainWhenNothingWasDone) {
    start();
    const auto client = connect();
    const json params{{"platform", "absent"}, {"request_key", "k"}};
    EXPECT_EQ(call(*client, "session.create", params).kind, "backend_unavailable");
    EXPECT_EQ(call(*client, "session.create", {{"platform", "fake"}, {"request_key", "k"}}).kind, "");
}

} // namespace
} // namespace handeye::testing
