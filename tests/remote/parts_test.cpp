// SPDX-License-Identifier: Apache-2.0
// The pure parts of the client: addresses, events, pauses, names, what a complaint is about, who is asked first.
#include "remote/chunk.h"
#include "remote/options.h"
#include "remote/pool.h"
#include "remote/retry.h"
#include "remote/served_model.h"
#include "remote/server_traits.h"
#include "remote/sse.h"

#include <gtest/gtest.h>

namespace handeye {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RemoteAddresses, AreReadStrictly) {
    const auto two = parse_remote_addresses("http://127.0.0.1:8000/v1#glm/4.1v,https://gpu.example/models/a/v1/");
    ASSERT_TRUE(two) << two.error().message;
    EXPECT_EQ(to_string(two->at(0)), "http://127.0.0.1:8000/v1#glm/4.1v");
    EXPECT_EQ(to_string(two->at(1)), "https://gpu.example:443/models/a/v1");
    EXPECT_EQ(to_string(parse_remote_addresses("http://[::1]:80")->front()), "http://[::1]:80/v1") << "a server alone means its usual path";
    for (const char* const bad : {"", "http://", "ftp://h/v1", "http://h/v1,", "http://h/v1,,http://g/v1", "http://ann:pw@h/v1", "http://h/v1#", "http://h/v1#a b", "http://h:0/v1", "http://h/v1?x=1",
                                  "http://h/v1,http://h:80/v1/"}) {
        const auto refused = parse_remote_addresses(bad);
        EXPECT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().message.find("ann:pw"), std::string::npos) << "a password may be in it";
    }
    EXPECT_TRUE(names_servers("http://") && names_servers("https://x") && !names_servers("nano") && !names_servers("/models/http"));
}

TEST(RemoteAddresses, BeyondThisMachineNeedTlsOrAWord) {
    const auto check = [](const char* urls, bool allows) {
        RemoteOptions options;
        options.addresses = *parse_remote_addresses(urls);
        options.allows_plain_http = allows;
        return check_remote_options(options);
    };
    for (const char* const fine : {"http://localhost:1/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1", "https://gpu.example/v1"}) {
        EXPECT_TRUE(check(fine, false)) << fine;
    }
    for (const char* const open : {"http://gpu.example/v1", "http://10.0.0.7:8000/v1", "http://127.0.0.1.example/v1", "http://localhost.example/v1", "http://127.0.0.1:1/v1,http://0.0.0.0:1/v1"}) {
        const auto refused = check(open, false);
        ASSERT_FALSE(refused) << open;
        EXPECT_EQ(refused.error().code, ErrorCode::PermissionDenied);
        EXPECT_TRUE(check(open, true)) << open;
    }
    RemoteOptions options;
    options.addresses = *parse_remote_addresses("https://h/v1");
    options.api_key = "a\r\nHost: evil";
    EXPECT_EQ(check_remote_options(options).error().code, ErrorCode::InvalidArgument);
}

std::vector<std::string> events_of(std::string_view bytes, std::size_t piece, std::size_t max = 1000) {
    SseParser parser(max);
    std::vector<std::string> out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        const auto pushed = parser.push(bytes.substr(at, piece), [&](std::string_view data) -> Result<void> {
            out.emplace_back(data);
            return {};
        });
        if (!pushed) {
            out.push_back("ERROR " + std::string(error_code_name(pushed.error().code)));
            return out;
        }
    }
    return out;
}

TEST(ServerSentEvents, AreFoundWhereverTheBytesAreCut) {
    const std::string_view text = "\xEF\xBB\xBF" "data: a\r\ndata:b\r\n\r\n: comment\n\nevent: x\nid: 3\ndata\n\ndata:  c\rdata: d\r\rdatax: no\n\ndata: never ended";
    const std::vector<std::string> want{"a\nb", "", " c\nd"};
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        EXPECT_EQ(events_of(text, piece), want) << piece;
    }
}

TEST(ServerSentEvents, HaveALimitHoweverTheyAreMade) {
    EXPECT_EQ(events_of("data: " + std::string(2000, 'x'), 64), std::vector<std::string>{"ERROR limit_exceeded"});
    std::string lines;
    for (int i = 0; i < 400; ++i) {
        lines += "data:\n";
    }
    EXPECT_EQ(events_of(lines, 64), std::vector<std::string>{"ERROR limit_exceeded"});
    std::string many;
    for (int i = 0; i < 400; ++i) {
        many += "data: x\n\n";
    }
    EXPECT_EQ(events_of(many, 64).size(), 400U) << "many small ones are fine";
}

TEST(RetryPauses, DoubleUpToALimitWithChance) {
    EXPECT_EQ(back_off(1, milliseconds(500), seconds(30), 0), milliseconds(500));
    EXPECT_EQ(back_off(3, milliseconds(500), seconds(30), 0), seconds(2));
    EXPECT_EQ(back_off(3, milliseconds(500), seconds(30), 0.5), milliseconds(1500));
    EXPECT_EQ(back_off(1000, milliseconds(500), seconds(30), 0), seconds(30));
    const WallTime now = WallTime(seconds(784111777)); // Sun, 06 Nov 1994 08:49:37 GMT
    EXPECT_EQ(parse_retry_after("120", now), seconds(120));
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), seconds(60));
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), seconds(0));
    EXPECT_EQ(parse_retry_after("999999999999999999", now), seconds(1'000'000));
    for (const char* const none : {"", "soon", "-1", "1.5", "99999999999999999999999", "Sun, 06 Nov 1994"}) {
        EXPECT_FALSE(parse_retry_after(none, now)) << none;
    }
}

TEST(ServedModels, TellTheirPromptByTheirName) {
    for (const auto& [name, prompt] : {std::pair("zai-org/GLM-4.1V-9B-Thinking", "glm-4.1v"), std::pair("glm-4.1v-thinking", "glm-4.1v"), std::pair("GLM-4.5V-FP8", "glm-4.5v"), std::pair("glm-4_5v", "glm-4.5v"),
                                       std::pair("zai-org/AutoGLM-Phone-9B", "autoglm"), std::pair("/models/nano", "compact"), std::pair("gpt-4o", ""), std::pair("", "")}) {
        EXPECT_EQ(prompt_of_name(name), prompt) << name;
    }
}

TEST(ServedModels, AreReadFromAnybodysList) {
    for (const char* const bad : {"", "[]", "{}", "{\"data\":3}", "{\"data\":"}) {
        EXPECT_FALSE(read_served_model(bad, "")) << bad;
    }
    EXPECT_EQ(read_served_model(R"({"data":[]})", "")->name, "");
    EXPECT_EQ(read_served_model(R"({"data":[7,{"id":""},{"id":"a\nb"},{"id":"x","max_model_len":1e300,"reads_pictures":false,"prompt":"compact"}]})", "")->name, "x");
    const auto named = read_served_model(R"({"data":[{"id":"other","owned_by":"somebody"}]})", "mine");
    ASSERT_TRUE(named);
    EXPECT_EQ(named->name, "mine") << "some list what lies in a cache, not what they serve";
    EXPECT_EQ(read_served_model(R"({"data":[{"id":"other","owned_by":"sglang"}]})", "mine").error().code, ErrorCode::NotFound);
}

TEST(Complaints, AreReadInEachServersForm) {
    EXPECT_EQ(read_complaint(R"({"error":{"message":"m","type":"t","code":404,"param":"p"}})").message, "m");
    EXPECT_EQ(read_complaint(R"({"error":{"message":"m","type":"t","code":404,"param":"p"}})").code, "404");
    EXPECT_EQ(read_complaint(R"({"detail":[{"msg":"x"}]})").message, R"([{"msg":"x"}])");
    EXPECT_EQ(read_complaint(R"({"object":"error","message":"m","type":"BadRequestError"})").type, "BadRequestError");
    EXPECT_EQ(read_complaint("<h1>no\x1b</h1>").message, "<h1>no </h1>");
    EXPECT_EQ(read_complaint("").message, "");
    const std::string cut = read_complaint(std::string(399, 'x') + "\xC3\xA4\xC3\xA4").message;
    EXPECT_EQ(cut, std::string(399, 'x') + "\xC3\xA4...") << "never within a character";
}

TEST(Complaints, NameTheFieldsThatTheyAreAbout) {
    const std::vector<std::string> sent{"messages", "model", "top_k", "skip_special_tokens", "seed"};
    using Fields = std::vector<std::string>;
    EXPECT_EQ(fields_refused({.message = "Unexpected fields in the request: {'top_k', 'seed'}"}, sent), (Fields{"top_k", "seed"}));
    EXPECT_EQ(fields_refused({.message = "top_k: there is no such field; the fields are model, seed", .param = "top_k"}, sent), Fields{"top_k"});
    EXPECT_EQ(fields_refused({.message = "extra inputs are not permitted"}, sent), (Fields{"top_k", "skip_special_tokens"})) << "not OpenAI's own";
    EXPECT_EQ(fields_refused({.message = "extra inputs"}, {"messages", "model"}), Fields{});
    EXPECT_EQ(fields_refused({.message = "my_top_k is bad"}, {"messages", "seed"}), Fields{});
    EXPECT_TRUE(is_about_context({.message = "This model's maximum context length is 8192 tokens"}));
    EXPECT_TRUE(is_about_context({.code = "context_length_exceeded"}));
    EXPECT_FALSE(is_about_context({.message = "the image is too large"}));
}

TEST(ServerPool, AsksTheSessionsOwnServerThenTheIdlestThenThoseThatAreDown) {
    Pool pool(*parse_remote_addresses("http://a/v1,http://b/v1,http://c/v1"), seconds(2), seconds(30));
    using Order = std::vector<std::size_t>;
    EXPECT_EQ(pool.order("s"), (Order{0, 1, 2}));
    { Pool::Visit(pool, 1, "s").keep(); }
    EXPECT_EQ(pool.order("s"), (Order{1, 0, 2}));
    EXPECT_EQ(pool.order("t"), (Order{0, 2, 1})) << "b has a session already";
    const Pool::Visit visit(pool, 0, "u");
    EXPECT_EQ(pool.order("t"), (Order{2, 0, 1}));
    const TimePoint now{};
    EXPECT_TRUE(pool.mark_down(1, "gone", now));
    EXPECT_FALSE(pool.mark_down(1, "gone", now + seconds(2)));
    EXPECT_EQ(pool.order("s"), (Order{2, 0, 1}));
    EXPECT_EQ(pool.next_due(), now + seconds(6)) << "2 s, then 4 s";
    EXPECT_TRUE(pool.due(now + seconds(5)).empty());
    EXPECT_EQ(pool.due(now + seconds(6)), Order{1});
    EXPECT_TRUE(pool.mark_up(1));
    EXPECT_EQ(pool.order("s"), (Order{1, 2, 0})) << "nobody took the session meanwhile";
    EXPECT_FALSE(pool.next_due());
}

TEST(ServerPool, ForgetsTheOldestOfManySessions) {
    Pool pool(*parse_remote_addresses("http://a/v1,http://b/v1"), seconds(2), seconds(30));
    { Pool::Visit(pool, 1, "first").keep(); }
    for (int i = 0; i < 5000; ++i) {
        Pool::Visit(pool, 0, std::to_string(i)).keep();
    }
    EXPECT_EQ(pool.order("first").front(), 1U) << "by idleness, not by memory";
    { Pool::Visit(pool, 0, "first").keep(); }
    EXPECT_EQ(pool.order("first").front(), 0U);
}

} // namespace
} // namespace handeye
