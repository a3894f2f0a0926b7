// SPDX-License-Identifier: Apache-2.0
// A server over an engine process: what a session sees when the engine dies under it.
#include "engine/engine_process.h"
#include "tests/server/server_fixture.h"

#include <csignal>
#include <fstream>

namespace handeye::testing {
namespace {

using nlohmann::json;

class LostEngine : public ServerTest {
protected:
    std::unique_ptr<EngineProcess> engine; // outlives the server

    ~LostEngine() override { server.reset(); }
    void SetUp() override {
        std::ofstream(folder.path() / "answer") << "Action: DONE()";
        hold();
        EngineProcessOptions process;
        process.engine.model_dir = folder.path();
        process.program = std::filesystem::path(HANDEYE_BINARY_DIR) / "bin" / "scripted_engine";
        process.restart_pause_first = std::chrono::milliseconds(20);
        auto opened = open_engine_process(process);
        ASSERT_TRUE(opened) << opened.error().message;
        engine = *std::move(opened);
        start(false);
        server->set_model(*engine);
    }
    void hold() const { std::ofstream(folder.path() / "hold") << ""; }
    void let_go() const { std::filesystem::remove(folder.path() / "hold"); }
    /// Kills the worker once its answer has begun; when that was.
    TimePoint kill_in_mid_answer(JsonRpcClient& client) {
        for (;;) {
            const auto note = client.next_notification(soon());
            if (!note || note->method == "engine.progress") {
                EXPECT_TRUE(note);
                break;
            }
        }
        ::kill(engine->status().pid, SIGSEGV);
        return std::chrono::steady_clock::now();
    }
};

TEST_F(LostEngine, TheTaskAsksOnceMoreAndEndsWell) {
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"progress", true}}).kind, "");
    const std::string task = run_task(*client, session);
    const TimePoint killed = kill_in_mid_answer(*client);
    const auto lost = event_of_type(*client, "engine.finished");
    EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(1));
    ASSERT_TRUE(lost);
    EXPECT_EQ((*lost)["data"]["error"]["code"], "engine_lost");
    let_go();
    EXPECT_EQ(wait_task(*client, task)["outcome"], "done");
    EXPECT_EQ(engine->status().restarts, 1);
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done"); // the session's next task
}

TEST_F(LostEngine, TwoLossesEndTheTaskAndTheSessionGoesOn) {
    const auto client = connect();
    const std::string session = create_session(*client);
    ASSERT_EQ(call(*client, "events.subscribe", {{"sessions", {session}}, {"from_seq", 1}, {"progress", true}}).kind, "");
    const std::string task = run_task(*client, session);
    kill_in_mid_answer(*client);
    ASSERT_TRUE(event_of_type(*client, "engine.finished"));
    kill_in_mid_answer(*client);
    const json end = wait_task(*client, task);
    EXPECT_EQ(end["outcome"], "failed");
    EXPECT_NE(end["message"].get<std::string>().find("signal 11"), std::string::npos) << end;
    let_go();
    EXPECT_EQ(wait_task(*client, run_task(*client, session))["outcome"], "done");
}

} // namespace
} // namespace handeye::testing
