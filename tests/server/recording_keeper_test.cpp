// SPDX-License-Identifier: Apache-2.0
// The daemon's folder of recordings: what is too old goes, a full quota says so, and nobody's recording goes unasked.
#include "agent/recording_folder.h"
#include "base/file.h"
#include "server/recording_keeper.h"
#include "tests/server/server_fixture.h"

#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

namespace handeye::testing {
namespace {

using nlohmann::json;

constexpr auto kDay = std::chrono::hours(24);

std::string id(char last) { return std::string(25, '0') + last; }

class Keeping : public ServerTest {
protected:
    Keeping() { EXPECT_TRUE(make_private_dir(options.sessions_dir)); }
    std::filesystem::path file(const std::string& session) const { return options.sessions_dir / (session + ".handeye"); }
    /// Something of this size that was last changed so many days ago.
    std::filesystem::path put(const std::string& session, int days_old, std::size_t bytes = 1000) const {
        EXPECT_TRUE(write_file_atomic(file(session), std::string(bytes, 'x')));
        const auto then = std::chrono::system_clock::now() - kDay * days_old;
        const timespec time{std::chrono::system_clock::to_time_t(then), 0};
        const timespec both[] = {time, time};
        EXPECT_EQ(::utimensat(AT_FDCWD, file(session).c_str(), both, 0), 0);
        return file(session);
    }
    static void wait_until_gone(const std::filesystem::path& path) {
        const TimePoint end = soon();
        while (std::filesystem::exists(path) && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
        EXPECT_FALSE(std::filesystem::exists(path)) << path;
    }
    Reply create(JsonRpcClient& client) { return call(client, "session.create", {{"platform", "fake"}}); }
};

TEST_F(Keeping, DeletesNothingUnlessItWasToldTo) {
    put(id('1'), 20'000);
    RecordingKeeper keeper(options.sessions_dir, {}, clock, {});
    keeper.sweep();
    EXPECT_TRUE(keeper.make_room());
    EXPECT_TRUE(std::filesystem::exists(file(id('1'))));
}

TEST_F(Keeping, OldRecordingsGoAtTheStartAndWhenASessionCloses) {
    options.recordings.age_max = kDay * 30;
    put(id('1'), 31);
    put(id('2'), 29);
    put(id('3'), 31);
    put("mine", 31);
    ASSERT_TRUE(keep_recording(file(id('3')), handeye::Keeping::Kept));
    start();
    wait_until_gone(file(id('1')));
    const auto client = connect();
    const std::string session = create_session(*client);
    put(id('4'), 31);
    ASSERT_EQ(call(*client, "session.close", {{"session", session}}).kind, "");
    wait_until_gone(file(id('4')));
    for (const std::string& stays : {id('2'), id('3'), std::string("mine"), session}) {
        EXPECT_TRUE(std::filesystem::exists(file(stays))) << stays;
    }
}

TEST_F(Keeping, AFullQuotaRefusesASessionAndSaysWhatToDo) {
    options.recordings.quota_bytes = 1 << 20U;
    put(id('1'), 1, 1 << 20U);
    start();
    const auto client = connect();
    const Reply refused = create(*client);
    EXPECT_EQ(refused.kind, "limit_exceeded");
    EXPECT_NE(refused.message.find(options.sessions_dir.string() + " take 1.0 MiB, the quota is 1.0 MiB"), std::string::npos) << refused.message;
    EXPECT_NE(refused.message.find("handeye sessions prune"), std::string::npos) << refused.message;
    EXPECT_TRUE(std::filesystem::exists(file(id('1'))));
    EXPECT_EQ(call(*client, "recording.delete", {{"session", id('1')}}).kind, "");
    EXPECT_EQ(create(*client).kind, "");
}

TEST_F(Keeping, AFullQuotaRefusesTheNextTaskToo) {
    options.recordings.quota_bytes = 1 << 20U;
    start();
    const auto client = connect();
    const std::string session = create_session(*client);
    put(id('1'), 1, 1 << 20U);
    const json refused = wait_task(*client, run_task(*client, session));
    EXPECT_EQ(refused["outcome"], "failed") << refused;
    EXPECT_NE(refused.dump().find("recordings.quota_bytes"), std::string::npos) << refused;
    ASSERT_TRUE(delete_recording(file(id('1'))));
    EXPECT_NE(wait_task(*client, run_task(*client, session))["outcome"], "failed");
}

TEST_F(Keeping, MakesRoomWhereThatIsAllowedOldestFirst) {
    options.recordings = {.quota_bytes = 300'000, .when_full = RecordingRules::WhenFull::DeleteOldest};
    put(id('1'), 9, 100'000);
    put(id('2'), 8, 100'000);
    put(id('3'), 7, 100'000);
    ASSERT_TRUE(keep_recording(file(id('1')), handeye::Keeping::Kept));
    start();
    const auto client = connect();
    EXPECT_EQ(create(*client).kind, "");
    EXPECT_TRUE(std::filesystem::exists(file(id('1'))));
    EXPECT_FALSE(std::filesystem::exists(file(id('2'))));
    EXPECT_TRUE(std::filesystem::exists(file(id('3'))));
}

TEST_F(Keeping, SaysNoWhenAllOfItIsKept) {
    options.recordings = {.quota_bytes = 1000, .when_full = RecordingRules::WhenFull::DeleteOldest};
    put(id('1'), 9);
    ASSERT_TRUE(keep_recording(file(id('1')), handeye::Keeping::Kept));
    start();
    const auto client = connect();
    EXPECT_EQ(create(*client).kind, "limit_exceeded");
    EXPECT_EQ(call(*client, "recording.delete", {{"session", id('1')}}).kind, "permission_denied");
    EXPECT_TRUE(std::filesystem::exists(file(id('1'))));
}

TEST_F(Keeping, NewRulesHoldAtOnce) {
    put(id('1'), 9);
    start();
    const auto client = connect();
    ASSERT_EQ(create(*client).kind, "");
    FreshOptions fresh;
    fresh.server = options;
    fresh.server.recordings.quota_bytes = 1000;
    ASSERT_TRUE(server->reload(fresh));
    EXPECT_EQ(call(*client, "connection.info").kind, ""); // after the reload, which the same thread does
    EXPECT_EQ(create(*client).kind, "limit_exceeded");
}

} // namespace
} // namespace handeye::testing
