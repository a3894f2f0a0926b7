// SPDX-License-Identifier: Apache-2.0
// R4 through the API: when the disk fails under a task the step is refused, nothing more is done on the screen, and the daemon serves on.
#include "agent/recorder.h"
#include "tests/agent/failing_disk.h"
#include "tests/server/server_fixture.h"

#include <cerrno>

namespace handeye::testing {
namespace {

using nlohmann::json;
using tests::DiskCall;
using tests::FailingDisk;

constexpr const char* kClick = "Action: left_click(start_box='[500,500]', element_info='b')";

class FailingDisks : public ServerTest, public ::testing::WithParamInterface<int> {
protected:
    /// A task whose disk fails, as `fails` says, while the model answers.
    json task_on_failing_disk(JsonRpcClient& client, const std::string& session, const std::function<bool(DiskCall, std::uint64_t)>& fails) {
        model.set_answers({kClick, "Action: DONE()"});
        model.hold();
        const std::string task = run_task(client, session);
        EXPECT_TRUE(model.wait_for_calls(1));
        const FailingDisk disk(GetParam(), fails);
        model.release();
        json done = wait_task(client, task);
        EXPECT_GT(FailingDisk::failures(), 0U);
        const Reply refused = call(client, "session.create", {{"platform", "fake"}});
        EXPECT_EQ(refused.kind, "io_failed") << refused.message;
        EXPECT_EQ(call(client, "connection.info").kind, "");
        return done;
    }
    void expect_whole(const std::string& session) const {
        const auto recording = Recording::open(options.sessions_dir / (session + ".handeye"));
        ASSERT_TRUE(recording) << recording.error().message;
        const auto whole = recording->verify_chain();
        ASSERT_TRUE(whole) << whole.error().message;
        EXPECT_GT(*whole, 2U);
    }
};

TEST_P(FailingDisks, RefuseTheStepAndTheNextTaskRunsWhenThereIsRoomAgain) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const fakes::FakePlatform& screen = *platform; // of this session; the refused one has another
    const json failed = task_on_failing_disk(*client, session, [](DiskCall call, std::uint64_t) { return call == DiskCall::Write; });
    EXPECT_EQ(failed["outcome"], "failed") << failed;
    EXPECT_NE(failed.value("message", "").find(session + ".handeye"), std::string::npos) << failed;
    EXPECT_TRUE(screen.events().empty()) << "something was clicked that no recording tells of";
    expect_whole(session);
    model.set_answers({kClick, "Action: DONE()"});
    const json next = wait_task(*client, run_task(*client, session));
    EXPECT_NE(next["outcome"], "failed") << next;
    EXPECT_FALSE(screen.events().empty());
    expect_whole(session);
}

TEST_P(FailingDisks, AfterAFailedSyncTheSessionIsOverAndANewOneWorks) {
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    const json failed = task_on_failing_disk(*client, session, [](DiskCall call, std::uint64_t) { return call == DiskCall::Sync; });
    EXPECT_EQ(failed["outcome"], "failed") << failed;
    const json next = wait_task(*client, run_task(*client, session));
    EXPECT_EQ(next["outcome"], "failed") << next;
    EXPECT_NE(next.value("message", "").find("start a new recording"), std::string::npos) << next;
    expect_whole(session);
    const std::string other = create_session(*client);
    EXPECT_NE(wait_task(*client, run_task(*client, other))["outcome"], "failed");
    expect_whole(other);
}

INSTANTIATE_TEST_SUITE_P(Errors, FailingDisks, ::testing::Values(ENOSPC, EIO),
                         [](const auto& row) { return row.param == EIO ? std::string("Eio") : std::string("Enospc"); });

} // namespace
} // namespace handeye::testing
