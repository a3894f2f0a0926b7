// SPDX-License-Identifier: Apache-2.0
// What a configuration can do to the daemon that reads it again: files that are gone, that others may write or that never end.
#include "apps/reload_thread.h"
#include "tests/server/handeyed_fixture.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <semaphore>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace handeye::testing {
namespace {

class Reload : public Handeyed {
protected:
    /// Where the daemon looks when nothing is said.
    [[nodiscard]] std::filesystem::path config_path() const { return folder.path() / "config" / "handeye" / "config.yaml"; }
    void write_config(const std::string& text) const {
        std::filesystem::create_directories(config_path().parent_path());
        EXPECT_TRUE(write_file_atomic(config_path(), text, 0600));
    }
    /// What the daemon says of the reload that SIGHUP starts.
    [[nodiscard]] std::string reload(const Process& process) const {
        process.send_signal(SIGHUP);
        for (;;) {
            const std::string said = notify.next();
            if (said.empty() || said.starts_with("READY=1\nSTATUS=the configuration")) {
                return said;
            }
        }
    }
    static int message_bytes(JsonRpcClient& client) { return info(client)["limits"]["message_bytes_max"].get<int>(); }
    [[nodiscard]] std::string fifo() const {
        const std::string path = folder.path() / "fifo";
        EXPECT_TRUE(::mkfifo(path.c_str(), 0600) == 0 || errno == EEXIST);
        return path;
    }
};

TEST_F(Reload, AFileThatIsGoneTakesNoRulesWithIt) {
    write_config("limits: {message_bytes: 2048}\npolicy: {otherwise: deny}\n");
    const auto process = spawn_ready();
    const auto client = connect();
    ASSERT_EQ(message_bytes(*client), 2048);
    std::filesystem::remove(config_path());
    EXPECT_NE(reload(*process).find("stays as it was: cannot open " + config_path().string()), std::string::npos);
    std::filesystem::create_symlink("/nonexistent", config_path());
    EXPECT_NE(reload(*process).find("stays as it was: cannot open"), std::string::npos);
    std::filesystem::remove(config_path());
    write_config("\n");
    EXPECT_NE(reload(*process).find("stays as it was: " + config_path().string() + " is empty"), std::string::npos);
    EXPECT_EQ(message_bytes(*client), 2048);
    write_config("{}\n");
    EXPECT_NE(reload(*process).find("was read again"), std::string::npos);
    EXPECT_NE(message_bytes(*client), 2048);
    std::filesystem::remove(config_path());
    std::filesystem::create_symlink("/nonexistent", config_path());
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_NE(process->output().find("stays as it was: cannot open"), std::string::npos) << process->output();
    EXPECT_EQ(spawn()->wait(), 2); // the link to nothing is still there
}

TEST_F(Reload, AFileThatCameLaterMustStayToo) {
    const auto process = spawn_ready();
    write_config("limits: {message_bytes: 2048}\n");
    EXPECT_NE(reload(*process).find("was read again"), std::string::npos);
    std::filesystem::remove(config_path());
    EXPECT_NE(reload(*process).find("stays as it was"), std::string::npos);
}

TEST_F(Reload, AFileThatOthersMayWriteIsRefused) {
    write_config("limits: {message_bytes: 2048}\n");
    const auto process = spawn_ready();
    for (const unsigned mode : {0666U, 0620U, 0602U}) {
        std::filesystem::permissions(config_path(), std::filesystem::perms(mode));
        const std::string want = fmt::format("config.yaml: its mode is {:04o} and others may write it: chmod go-w", mode);
        EXPECT_NE(reload(*process).find(want), std::string::npos);
        EXPECT_NE(run_to_end({kProgram, "--check-config"}, 2, environment()).find(want), std::string::npos);
    }
    std::filesystem::permissions(config_path(), std::filesystem::perms(0644));
    EXPECT_NE(reload(*process).find("was read again"), std::string::npos);
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can give a file away";
    }
    ASSERT_EQ(::chown(config_path().c_str(), 12345, 12345), 0);
    EXPECT_NE(reload(*process).find("must belong to this user or to root"), std::string::npos);
}

TEST_F(Reload, AFifoIsRefusedNotWaitedFor) {
    write_config("{}\n");
    const auto process = spawn_ready();
    for (const std::string& text : {fmt::format("log: {{file: {}}}\n", fifo()), fmt::format("tls: {{cert: {0}, key: {0}}}\n", fifo())}) {
        write_config(text);
        const std::string said = run_to_end({kProgram, "--check-config"}, 2, environment());
        EXPECT_NE(said.find("not a regular file"), std::string::npos) << said;
    }
    write_config(fmt::format("log: {{file: {}}}\n", fifo()));
    EXPECT_NE(reload(*process).find("stays as it was: log file"), std::string::npos);
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
}

/// Takes no further datagram until somebody reads.
void fill(const std::string& path) {
    const FileDescriptor out(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    while (::sendto(out.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 1) {
    }
    EXPECT_EQ(errno, EAGAIN);
}

// A service manager that does not read stands for whatever may hold a reload up.
TEST_F(Reload, OneThatHangsTakesNoSignalWithIt) {
    const auto process = spawn_ready();
    const auto client = connect();
    fill((folder.path() / "notify").string());
    const auto is_latched = [&] { return info(*client)["stop_latched"] == true; };
    process->send_signal(SIGHUP); // the lower number: it is taken first
    process->send_signal(SIGUSR1);
    const TimePoint deadline = soon();
    while (!is_latched() && std::chrono::steady_clock::now() < deadline) {
    }
    EXPECT_TRUE(is_latched()) << "the emergency stop waits for the reload";
    process->send_signal(SIGTERM);
    EXPECT_TRUE(notify.wait_for("STOPPING=1"));
    EXPECT_EQ(process->wait(), 0);
}

TEST(ReloadThread, WhatIsAskedForMeanwhileIsOneMore) {
    std::binary_semaphore has_begun{0};
    std::binary_semaphore may_end{0};
    std::atomic<int> runs = 0;
    ReloadThread reloads([&] {
        ++runs;
        has_begun.release();
        may_end.acquire();
    });
    reloads.ask();
    has_begun.acquire();
    for (int i = 0; i < 3; ++i) {
        reloads.ask(); // none of them waits
    }
    may_end.release();
    has_begun.acquire();
    EXPECT_FALSE(reloads.end(Duration::zero())); // it hangs
    may_end.release();
    EXPECT_TRUE(reloads.end(std::chrono::minutes(1)));
    EXPECT_EQ(runs, 2);
}

TEST_F(Reload, ALimitOnFilesFailsAWriteNotTheProgram) {
    write_config(fmt::format("log: {{level: info, file: {}}}\n", (folder.path() / "log").string()));
    const auto process = spawn_ready();
    const rlimit none{0, RLIM_INFINITY};
    ASSERT_EQ(::prlimit(process->pid(), RLIMIT_FSIZE, &none, nullptr), 0);
    EXPECT_NE(reload(*process).find("was read again"), std::string::npos); // which the log cannot say
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
}

TEST_F(Reload, WhatAClientIsToldOfTheScreenIsNotLogged) {
    write_config("log: {level: info}\n");
    const auto process = spawn_ready();
    const auto answer = connect()->request("session.create", R"({"platform":"x11","target":{"region":"SECRETTITLE"}})", soon());
    ASSERT_TRUE(answer && answer->failure);
    EXPECT_NE(answer->failure->message.find("SECRETTITLE"), std::string::npos);
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_EQ(process->output().find("SECRETTITLE"), std::string::npos) << process->output();
    EXPECT_NE(process->output().find("could not be opened: invalid_argument"), std::string::npos) << process->output();
}

} // namespace
} // namespace handeye::testing
