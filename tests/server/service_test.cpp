// SPDX-License-Identifier: Apache-2.0
// `handeyed` as a service: notify messages in order, reload, log lines, the end with many clients, the unit file.
#include "tests/server/handeyed_fixture.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace handeye::testing {
namespace {

class Service : public Handeyed {
protected:
    [[nodiscard]] std::filesystem::path config_path() const { return folder.path() / "config.yaml"; }
    void write_config(const std::string& text) const { std::ofstream(config_path()) << text; }
    /// Until a datagram that starts with `prefix`; "" when none comes.
    [[nodiscard]] std::string next_starting(const std::string& prefix) const {
        for (;;) {
            const std::string said = notify.next();
            if (said.empty() || said.starts_with(prefix)) {
                return said;
            }
        }
    }
    static std::size_t entries_of(const std::string& folder_path) {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_path)) {
            ++count;
        }
        return count;
    }
    static std::int64_t resident_kib(pid_t pid) {
        std::ifstream status(fmt::format("/proc/{}/status", pid));
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmRSS:")) {
                return std::atoll(line.c_str() + 6);
            }
        }
        return 0;
    }
};

TEST_F(Service, TellsTheManagerInOrder) {
    write_config("limits: {connections: 20}\n");
    const auto process = spawn({"--config", config_path()});
    EXPECT_EQ(next_starting("READY=1"), "READY=1");
    EXPECT_EQ(info(*connect())["server"], "handeyed"); // the sockets accept when READY is said
    process->send_signal(SIGHUP);
    const std::string reloading = next_starting("RELOADING=1");
    const std::size_t at = reloading.find("\nMONOTONIC_USEC=");
    ASSERT_NE(at, std::string::npos) << reloading;
    const auto said_us = std::atoll(reloading.c_str() + at + 16);
    const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
    EXPECT_LE(said_us, now_us);
    EXPECT_GT(said_us, now_us - 60'000'000);
    EXPECT_TRUE(next_starting("READY=1").find("read again") != std::string::npos);
    process->send_signal(SIGTERM);
    EXPECT_EQ(next_starting("STOPPING=1"), "STOPPING=1");
    EXPECT_EQ(process->wait(), 0);
}

TEST_F(Service, ABrokenFileKeepsTheOldConfigurationAndSaysWhy) {
    write_config("limits: {message_bytes: 2048}\n");
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    const auto client = connect();
    EXPECT_EQ(info(*client)["limits"]["message_bytes_max"], 2048);
    write_config("limits:\n  message_bites: 4096\n");
    process->send_signal(SIGHUP);
    const std::string kept = next_starting("READY=1");
    EXPECT_NE(kept.find("config.yaml:2:3: there is no key \"limits.message_bites\""), std::string::npos) << kept;
    EXPECT_EQ(info(*client)["limits"]["message_bytes_max"], 2048);
    write_config("limits:\n  message_bytes: 4096\n");
    process->send_signal(SIGHUP);
    (void)next_starting("READY=1");
    const TimePoint deadline = soon();
    while (info(*client)["limits"]["message_bytes_max"] != 4096 && std::chrono::steady_clock::now() < deadline) {
    }
    EXPECT_EQ(info(*client)["limits"]["message_bytes_max"], 4096);
}

TEST_F(Service, ReloadsUnderLoadDropNothing) {
    const int count = std::getenv("HANDEYE_FULL") != nullptr ? 10'000 : 100;
    write_config("limits: {connections: 100}\n");
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    const auto client = connect();
    const std::string fds = fmt::format("/proc/{}/fd", process->pid());
    (void)info(*client);
    const std::size_t fds_before = entries_of(fds);
    const std::int64_t resident_before = resident_kib(process->pid());
    int failed = 0;
    for (int i = 0; i < count; ++i) {
        write_config(i % 3 == 2 ? "nonsense: 1\n" : fmt::format("limits: {{connections: {}}}\n", 100 + i % 7));
        process->send_signal(SIGHUP);
        const auto reply = client->request("connection.ping", "{}", soon());
        failed += reply && !reply->failure ? 0 : 1;
        (void)next_starting("READY=1"); // signals of one kind do not queue
    }
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(entries_of(fds), fds_before);
    EXPECT_LT(resident_kib(process->pid()), resident_before + 4096);
}

TEST_F(Service, CheckConfigReadsAndEnds) {
    write_config("log: {format: json}\n");
    EXPECT_NE(run_to_end({kProgram, "--config", config_path(), "--check-config"}, 0, environment()).find("fine"), std::string::npos);
    write_config("log: {fromat: json}\n");
    const std::string said = run_to_end({kProgram, "--config", config_path(), "--check-config"}, 2, environment());
    EXPECT_NE(said.find("did you mean \"format\"?"), std::string::npos) << said;
}

TEST_F(Service, LogLinesAreJsonAndHoldNoToken) {
    const auto log_file = folder.path() / "daemon.log";
    write_config(fmt::format("log: {{level: debug, format: json, file: {}}}\ntoken_file: {}\nlisten: [\"unix:{}\", \"127.0.0.1:0\"]\n",
                             log_file.string(), (folder.path() / "token").string(), socket_path().string()));
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    std::string token;
    std::ifstream(folder.path() / "token") >> token;
    ASSERT_EQ(token.size(), 64U);
    (void)connect()->request("session.create", fmt::format(R"({{"platform":"none","target":{{"display":"{}"}}}})", token), soon());
    process->send_signal(SIGHUP);
    (void)next_starting("READY=1\nSTATUS");
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_EQ(mode_of(log_file), 0600U);
    std::ifstream lines(log_file);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const json entry = json::parse(line, nullptr, false);
        ASSERT_TRUE(entry.is_object()) << line;
        for (const char* key : {"time", "level", "area", "message"}) {
            EXPECT_TRUE(entry.contains(key) && entry[key].is_string()) << line;
        }
        EXPECT_EQ(line.find(token), std::string::npos);
    }
    EXPECT_GE(count, 2);
    EXPECT_EQ(process->output().find(token), std::string::npos);
}

TEST_F(Service, EndsInTimeWithTwoHundredClients) {
    const auto process = spawn_ready();
    std::vector<std::unique_ptr<JsonRpcClient>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(connect());
    }
    const TimePoint begin = std::chrono::steady_clock::now();
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
    int told = 0;
    for (const auto& client : clients) {
        while (client->socket().receive(soon())) {
        }
        told += client->socket().close_reason().code == 1001 ? 1 : 0;
    }
    EXPECT_EQ(told, 200);
}

TEST_F(Service, ASecondSigtermEndsItAtOnce) {
    const auto process = spawn_ready();
    const auto client = connect(); // somebody to say good-bye to
    process->send_signal(SIGTERM);
    (void)next_starting("STOPPING=1");
    const TimePoint begin = std::chrono::steady_clock::now();
    process->send_signal(SIGTERM);
    const int code = process->wait();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
    EXPECT_TRUE(code == 128 + SIGTERM || code == 0) << code; // 0: it was done before the second came
}

TEST_F(Service, TheWatchdogIsFedByTheMainLoop) {
    auto variables = environment();
    variables.emplace_back("WATCHDOG_USEC", "400000");
    const Process process({kProgram, "--model", folder.path() / "no-model"}, variables);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(notify.wait_for("WATCHDOG=1"));
    }
}

class Watchdog : public ServerTest {};

TEST_F(Watchdog, ABlockedLoopFeedsItNoMore) {
    std::atomic<int> pings = 0;
    std::atomic<bool> is_blocked = false;
    options.tick = std::chrono::milliseconds(5);
    options.on_tick = [&] {
        ++pings;
        pings.notify_all();
        is_blocked.wait(true); // the hook runs on the loop: as long as it waits, so does the loop
    };
    start();
    for (int seen = pings; seen < 3; seen = pings) {
        pings.wait(seen);
    }
    is_blocked = true;
    for (const int last = pings; pings == last;) {
        pings.wait(last); // the next tick is the one that stays
    }
    const auto client = WebSocketClient::connect(unix_endpoint(), {.connect_timeout = std::chrono::milliseconds(300)});
    EXPECT_FALSE(client); // the loop does nothing any more
    const int then = pings;
    SystemClock().sleep_for(std::chrono::milliseconds(100), {});
    EXPECT_EQ(pings, then);
    is_blocked = false;
    is_blocked.notify_all();
    EXPECT_EQ(call(*connect(), "connection.ping").kind, "");
}

// The figure of `systemd-analyze security` in packaging/exposure.txt may only fall.
TEST(UnitFile, ItsExposureOnlyFalls) {
    if (std::system("command -v systemd-analyze >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "systemd-analyze is not installed";
    }
    double limit = 0;
    std::ifstream(HANDEYE_SOURCE_DIR "/packaging/exposure.txt") >> limit;
    ASSERT_GT(limit, 0);
    EXPECT_LE(limit, 3.0);
    Process process({"systemd-analyze", "security", "--offline=true", "--no-pager", HANDEYE_SOURCE_DIR "/packaging/handeyed.service"});
    process.wait();
    const std::string words = "Overall exposure level for handeyed.service: ";
    const std::size_t at = process.output().find(words);
    if (at == std::string::npos) {
        GTEST_SKIP() << "this systemd-analyze cannot look at a file: " << process.output().substr(0, 200);
    }
    EXPECT_LE(std::atof(process.output().c_str() + at + words.size()), limit);
}

} // namespace
} // namespace handeye::testing
