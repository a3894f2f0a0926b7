// SPDX-License-Identifier: Apache-2.0
// How much of the endpoint one client, one address and all together can take.
#include "server/openai/crowd.h"
#include "server/openai_server.h"
#include "tests/server/openai_client.h"
#include "tests/server/server_fixture.h"

#include <array>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace handeye {
namespace {

using testing::Client;

const CrowdLimits kCrowd{.connections_max = 4, .address_connections_max = 2, .silent_max = 3, .body_bytes_max = 100};

TEST(Crowd, WhoHasBeenSilentLongestMakesRoomForOneOfItsAddress) {
    Crowd crowd(kCrowd);
    EXPECT_TRUE(crowd.admit(1, "a").is_admitted);
    EXPECT_TRUE(crowd.admit(2, "a").is_admitted);
    EXPECT_TRUE(crowd.admit(3, "b").is_admitted);
    crowd.speak(1);
    const auto third = crowd.admit(4, "a"); // a third of this address
    EXPECT_TRUE(third.is_admitted);
    EXPECT_EQ(third.leaves, 2U); // not 3, which is another's, nor 1, which has asked
    crowd.speak(4);
    EXPECT_FALSE(crowd.admit(5, "a").is_admitted); // both of its own are at work
    EXPECT_TRUE(crowd.admit(6, "c").is_admitted);
}

TEST(Crowd, SilentOnesNeverFillTheHouse) {
    Crowd crowd(kCrowd);
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_FALSE(crowd.admit(i, std::string(1, static_cast<char>('a' + i))).leaves);
    }
    const auto fourth = crowd.admit(3, "d");
    EXPECT_TRUE(fourth.is_admitted);
    EXPECT_EQ(fourth.leaves, 0U);
    crowd.speak(1);
    crowd.fall_silent(1); // it has been answered, and is now the youngest of the silent
    EXPECT_EQ(crowd.admit(4, "e").leaves, 2U);
    for (const std::uint64_t at_work : {1U, 3U, 4U}) {
        crowd.speak(at_work);
    }
    EXPECT_TRUE(crowd.admit(5, "f").is_admitted);
    crowd.speak(5);
    EXPECT_FALSE(crowd.admit(6, "g").is_admitted); // four at work: the house is full
    crowd.leave(3);
    crowd.leave(3);
    EXPECT_TRUE(crowd.admit(7, "g").is_admitted);
}

TEST(Crowd, BodiesTogetherAreBounded) {
    Crowd crowd(kCrowd);
    (void)crowd.admit(1, "a");
    (void)crowd.admit(2, "b");
    EXPECT_TRUE(crowd.hold(1, 60));
    EXPECT_TRUE(crowd.hold(2, 40));
    EXPECT_FALSE(crowd.hold(2, 41));
    EXPECT_FALSE(crowd.hold(2, SIZE_MAX));
    EXPECT_EQ(crowd.body_bytes(), 100U);
    crowd.release(1);
    EXPECT_TRUE(crowd.hold(2, 100));
    crowd.leave(2);
    EXPECT_EQ(crowd.body_bytes(), 0U);
    EXPECT_FALSE(crowd.hold(2, 1)); // gone
}

/// Limits so low that a few clients reach them.
class OpenAiLimits : public ::testing::Test {
protected:
    explicit OpenAiLimits(OpenAiOptions options = {.listen = {.host = "127.0.0.1"}, .names = {"nano"}, .body_bytes_max = 4096, .connections_max = 8, .address_connections_max = 4, .silent_connections_max = 3, .body_sum_factor = 2}) {
        model_.hold();
        auto started = OpenAiServer::start(std::move(options));
        EXPECT_TRUE(started) << started.error().message;
        server_ = std::move(*started);
        server_->set_model(model_);
    }
    ~OpenAiLimits() override { model_.release(); }
    static constexpr const char* kHealth = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

    testing::HoldableModel model_;
    std::unique_ptr<OpenAiServer> server_;
};

TEST_F(OpenAiLimits, SilentClientsMakeRoomForNewOnes) {
    std::vector<std::unique_ptr<Client>> silent;
    for (int i = 0; i < 3; ++i) {
        silent.push_back(std::make_unique<Client>(server_->port()));
        silent.back()->send("GET /health HTTP/1.1\r\nX-Slow: "); // half a head
    }
    Client busy(server_->port());
    busy.send(kHealth);
    EXPECT_NE(busy.read_until("ready").find("HTTP/1.1 200"), std::string::npos);
    EXPECT_EQ(silent[0]->read_until("\n"), ""); // the oldest was hung up on, and only that one
    silent[1]->send("x\r\nHost: localhost\r\n\r\n");
    EXPECT_NE(silent[1]->read_until("ready").find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(OpenAiLimits, OneAddressHasItsShareAndNoMore) {
    std::vector<std::unique_ptr<Client>> asking;
    for (int i = 0; i < 4; ++i) {
        asking.push_back(std::make_unique<Client>(server_->port()));
        asking.back()->ask();
        asking.back()->end_sending();
        EXPECT_EQ(asking.back()->read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n"); // it waits for the model
    }
    Client fifth(server_->port());
    EXPECT_EQ(fifth.read_until("\n"), ""); // closed
    model_.release();
    for (const auto& one : asking) {
        EXPECT_NE(one->read_until("chat.completion").find("HTTP/1.1 200"), std::string::npos);
    }
}

TEST_F(OpenAiLimits, BodiesThatAreNotWholeYetAreBoundedTogether) {
    const std::string head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n";
    Client first(server_->port());
    Client second(server_->port());
    Client third(server_->port());
    std::string answer;
    for (Client* const one : {&first, &second, &third}) {
        one->send(head + std::string(4000, ' '));
    }
    std::array<pollfd, 3> all{first.awaited(), second.awaited(), third.awaited()};
    ASSERT_EQ(::poll(all.data(), all.size(), 20'000), 1); // two have their place, the third is told
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].revents != 0) {
            answer = (i == 0 ? first : i == 1 ? second : third).read_until("overloaded");
        }
    }
    EXPECT_NE(answer.find("HTTP/1.1 429"), std::string::npos) << answer;
    EXPECT_NE(answer.find("all together may hold 8192"), std::string::npos) << answer;
}

TEST_F(OpenAiLimits, HeadIsAnsweredWithoutABody) {
    Client client(server_->port());
    client.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_NE(head.find("HTTP/1.1 200"), std::string::npos) << head;
    EXPECT_NE(head.find("Content-Length: "), std::string::npos) << head;
    EXPECT_EQ(head.find("Content-Length: 0"), std::string::npos) << head; // as GET would have it
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    client.send("HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.end_sending();
    const std::string none = client.read_until("{"); // to the end
    EXPECT_NE(none.find("HTTP/1.1 404"), std::string::npos) << none;
    EXPECT_TRUE(none.ends_with("\r\n\r\n")) << none;
}

TEST_F(OpenAiLimits, ContentTypesHaveNoLetterCase) {
    const std::string body = R"({"messages":7})";
    for (const auto& [type, status] : {std::pair{"Application/JSON", "400"}, {"application/json ; charset=utf-8", "400"}, {"APPLICATION/JSON;charset=utf-8", "400"}, {"application/jsonp", "415"}, {"text/plain", "415"}}) {
        Client client(server_->port());
        client.send(fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n{}", type, body.size(), body));
        EXPECT_NE(client.read_until("error").find(fmt::format("HTTP/1.1 {}", status)), std::string::npos) << type;
    }
}

} // namespace
} // namespace handeye
