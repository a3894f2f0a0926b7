// SPDX-License-Identifier: Apache-2.0
// Secrets through the daemon's interface: named by clients, held by the daemon, in none of its answers, events and files.
#include "base/file.h"
#include "tests/server/server_fixture.h"

#include <filesystem>

#include <fmt/format.h>

namespace handeye {
namespace {

using nlohmann::json;
using testing::Reply;

const std::string kCanary = "Canary-73-Zebra";

std::string say(const std::string& call) { return "<answer><|begin_of_box|>" + call + "<|end_of_box|></answer>"; }

class ServerSecrets : public testing::ServerTest {
protected:
    ServerSecrets() {
        auto store = std::make_shared<SecretStore>();
        EXPECT_TRUE(store->add({"canary", kCanary, {}, true}));
        EXPECT_TRUE(store->add({"other", "Other-11-Value", {}, true}));
        secrets = store;
    }
    std::string session_with(JsonRpcClient& client, const std::vector<std::string>& names) {
        const Reply reply = call(client, "session.create", {{"platform", "fake"}, {"secrets", names}});
        EXPECT_EQ(reply.kind, "") << reply.message;
        return reply.result.value("session", "");
    }
    std::string all_events(JsonRpcClient& client, const std::string& session) {
        const Reply reply = call(client, "recording.read", {{"session", session}, {"from_seq", 1}, {"n", 500}});
        EXPECT_EQ(reply.kind, "") << reply.message;
        return reply.result.dump();
    }
};

TEST_F(ServerSecrets, AnUnknownNameIsRefusedWhenTheSessionIsCreated) {
    start();
    const auto client = connect();
    const Reply reply = call(*client, "session.create", {{"platform", "fake"}, {"secrets", {"canary", "nosuch"}}});
    EXPECT_EQ(reply.kind, "invalid_params");
    EXPECT_EQ(reply.field, "secrets");
    EXPECT_NE(reply.message.find("nosuch"), std::string::npos);
}

TEST_F(ServerSecrets, ATaskMayOnlyNarrowThoseOfItsSession) {
    start();
    const auto client = connect();
    const std::string session = session_with(*client, {"canary"});
    const Reply reply = call(*client, "task.run", {{"session", session}, {"goal", "Log in."}, {"secrets", {"other"}}});
    EXPECT_EQ(reply.kind, "invalid_params");
    EXPECT_EQ(reply.field, "secrets");
}

TEST_F(ServerSecrets, ATaskTypesThemAndNothingThatItLeavesHoldsTheValue) {
    start();
    model.set_answers({say("type(content='{{secret:canary}}')"), say("type(content='I saw " + kCanary + " somewhere')"), say("DONE()")});
    const auto client = connect();
    const std::string session = session_with(*client, {"canary", "other"});
    const Reply run = call(*client, "task.run", {{"session", session}, {"goal", "Log in with " + kCanary}, {"secrets", {"canary"}}});
    ASSERT_EQ(run.kind, "") << run.message;
    EXPECT_TRUE(wait_task(*client, run.result["task"])["finished"]);
    ASSERT_FALSE(platform->texts().empty());
    EXPECT_EQ(platform->texts().front(), kCanary);
    const std::string events = all_events(*client, session);
    EXPECT_NE(events.find("{{secret:canary}}"), std::string::npos);
    EXPECT_EQ(events.find(kCanary), std::string::npos) << "also where a person or the model wrote it";
    EXPECT_EQ(call(*client, "metrics.snapshot").result.dump().find(kCanary), std::string::npos);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(options.sessions_dir)) { // while it is written: with its log
        if (entry.is_regular_file()) {
            EXPECT_EQ(read_file(entry.path(), 1U << 28U).value_or(kCanary).find(kCanary), std::string::npos) << entry.path();
        }
    }
}

TEST_F(ServerSecrets, ASessionWithoutAGrantTypesNone) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const Reply reply = call(*client, "input.type", {{"session", session}, {"text", "{{secret:canary}}"}});
    EXPECT_EQ(reply.kind, "") << reply.message;
    EXPECT_EQ(reply.result.value("certainty", ""), "refused");
    EXPECT_NE(reply.result.value("reason", "").find("\"canary\" is not for this task"), std::string::npos) << reply.result.dump();
    EXPECT_TRUE(platform->texts().empty());
}

TEST_F(ServerSecrets, APersonsHandsTypeThemByNameToo) {
    start();
    const auto client = connect();
    const std::string session = session_with(*client, {"canary"});
    const Reply reply = call(*client, "input.type", {{"session", session}, {"text", "{{secret:canary}}"}});
    ASSERT_EQ(reply.kind, "") << reply.message;
    EXPECT_EQ(platform->texts(), std::vector<std::string>{kCanary});
    EXPECT_EQ(reply.result.dump().find(kCanary), std::string::npos);
    EXPECT_EQ(all_events(*client, session).find(kCanary), std::string::npos);
}

} // namespace
} // namespace handeye
