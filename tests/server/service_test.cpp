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
    const std::string log = fmt::format("log: {{file: {}}}\n", (folder.path() / "log").string()); // nobody reads stderr meanwhile
    write_config(log + "limits: {connections: 100}\n");
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    const auto client = connect();
    const std::string fds = fmt::format("/proc/{}/fd", process->pid());
    (void)info(*client);
    const std::size_t fds_before = entries_of(fds);
    const std::int64_t resident_before = resident_kib(process->pid());
    int failed = 0;
    for (int i = 0; i < count; ++i) {
        write_config(i % 3 == 2 ? "nonsense: 1\n" : log + fmt::format("limits: {{connections: {}}}\n", 100 + i % 7));
        process->send_signal(SIGHUP);
        const auto reply = client->request("connection.ping", "{}", soon());
        failed += reply && !reply->failure ? 0 : 1;
        (void)next_starting("READY=1"); // signals of one kind do not queue
    }
    EXPECT_EQ(failed, 0);
    const TimePoint deadline = soon();
    while (entries_of(fds) != fds_before && std::chrono::steady_clock::now() < deadline) { // the last reload may still read its file
    }
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

TEST_F(Service, CheckConfigRefusesWhatAStartRefuses) {
    const auto check = [&](const std::string& text, int code) {
        write_config(text);
        return run_to_end({kProgram, "--config", config_path(), "--check-config"}, code, environment());
    };
    EXPECT_NE(check("listen: \"0.0.0.0:9017\"\n", 2).find("refusing to listen on 0.0.0.0:9017: without tls"), std::string::npos);
    EXPECT_NE(check("listen: \"tls:127.0.0.1:0\"\n", 2).find("needs a certificate"), std::string::npos);
    EXPECT_NE(check(fmt::format("listen: \"unix:/{}\"\n", std::string(200, 'x')), 2).find("sockets take 107"), std::string::npos);
    const auto token = folder.path() / "loose";
    std::ofstream(token) << std::string(64, 'a') << "\n";
    std::filesystem::permissions(token, std::filesystem::perms(0644));
    EXPECT_NE(check(fmt::format("listen: \"127.0.0.1:0\"\ntoken_file: {}\n", token.string()), 2).find("mode 0600"), std::string::npos);
    EXPECT_NE(check(fmt::format("listen: \"127.0.0.1:0\"\ntoken_file: {}/none\n", folder.path().string()), 0).find("fine"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "none")); // a check makes nothing
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

// While the bundled model answers, and its clients wait for that.
TEST_F(Service, EndsInTimeHoweverOftenItEnds) {
    const bool is_full = std::getenv("HANDEYE_FULL") != nullptr;
    const int ends = is_full ? 100 : 3;
    const int followers = is_full ? 199 : 20;
    std::vector<double> seconds;
    for (int i = 0; i < ends; ++i) {
        const auto process = spawn_ready({"--model", HANDEYE_SOURCE_DIR "/models/nano"});
        const auto client = connect();
        for (const TimePoint deadline = soon(); info(*client)["engine"]["state"] != "ready" && std::chrono::steady_clock::now() < deadline;) {
        }
        std::vector<std::unique_ptr<JsonRpcClient>> clients;
        for (int n = 0; n < followers; ++n) {
            clients.push_back(connect());
        }
        const std::string question = R"({"jsonrpc":"2.0","id":"ask","method":"engine.infer","params":{"stream":true,"max_tokens":4000,)"
                                     R"("messages":[{"role":"user","content":"Say something long."}]}})";
        ASSERT_TRUE(client->socket().send_text(question, soon()));
        const auto token = client->next_notification(soon()); // it is answering
        ASSERT_TRUE(token && token->method == "engine.token") << (token ? token->method : token.error().message);
        const TimePoint begin = std::chrono::steady_clock::now();
        process->send_signal(SIGTERM);
        EXPECT_EQ(process->wait(), 0);
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        while (clients.front()->socket().receive(soon())) {
        }
        EXPECT_EQ(clients.front()->socket().close_reason().code, 1001);
    }
    std::sort(seconds.begin(), seconds.end());
    const double p99 = seconds[(seconds.size() - 1) * 99 / 100];
    fmt::print("{} ends with {} clients and an answer under way: median {:.2f} s, p99 {:.2f} s, longest {:.2f} s\n", ends, followers + 1,
               seconds[seconds.size() / 2], p99, seconds.back());
    EXPECT_LT(p99, 6.0);
    EXPECT_LT(seconds.back(), 10.0);
}

TEST_F(Service, WhatCountsOnlyAtTheNextStartIsSaid) {
    write_config("threads: 1\nlog: {level: warn}\n");
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    write_config("threads: 2\nlog: {level: warn}\nlisten: \"unix:/elsewhere/x.sock\"\npolicy: {deny_verbs: [drag]}\n");
    process->send_signal(SIGHUP);
    const std::string said = next_starting("READY=1\nSTATUS=the configuration was read again");
    EXPECT_NE(said.find("listen, threads counts at the next start"), std::string::npos) << said;
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_NE(process->output().find("listen, threads counts at the next start"), std::string::npos) << process->output();
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

class Tls : public Service {
protected:
    /// A self-signed certificate by the openssl program; false without it.
    [[nodiscard]] bool make_certificate() const {
        return std::system(fmt::format("cd '{}' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem "
                                       "-out cert.pem -days 2 -subj /CN=handeye.test -addext subjectAltName=IP:127.0.0.2 >/dev/null 2>&1 && chmod 600 key.pem",
                                       folder.path().string())
                               .c_str()) == 0;
    }
    [[nodiscard]] int python(const std::string& script, std::string& said) const {
        Process process({"/usr/bin/python3", "-c", script, folder.path()});
        const int code = process.wait();
        said = process.output();
        return code;
    }
};

// 127.0.0.2 stands for an address beyond this machine: it is none of the three that are served in the clear.
TEST_F(Tls, AnAddressBeyondThisMachineSpeaksTlsAndWantsTheToken) {
    if (!make_certificate()) {
        GTEST_SKIP() << "the openssl program is not installed";
    }
    const std::string base = folder.path().string();
    write_config(fmt::format("listen: [\"unix:{}\", \"127.0.0.2:0\"]\ntls: {{cert: {}/cert.pem, key: {}/key.pem}}\ntoken_file: {}/token\n"
                             "log: {{level: info, file: {}/log}}\n", socket_path().string(), base, base, base, base));
    const auto process = spawn({"--config", config_path()});
    ASSERT_TRUE(notify.wait_for("READY=1"));
    const std::string table = fmt::format("/proc/{}/net/tcp", process->pid());
    std::string port;
    std::ifstream lines(table);
    for (std::string line; std::getline(lines, line);) { // the newest listener on 127.0.0.2
        if (const std::size_t at = line.find("0200007F:"); at != std::string::npos && line.find(" 0A ") != std::string::npos) {
            port = std::to_string(std::stoi(line.substr(at + 9, 4), nullptr, 16));
        }
    }
    ASSERT_FALSE(port.empty());
    const std::string script = R"(
import json, socket, ssl, sys
folder, port = sys.argv[1], )" + port + R"(
def speak(token, high=None):
    context = ssl.create_default_context(cafile=folder + "/cert.pem")
    if high:
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = high
    s = context.wrap_socket(socket.create_connection(("127.0.0.2", port), 20), server_hostname="127.0.0.2")
    s.sendall(b"GET /ws HTTP/1.1\r\nHost: handeye.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    text = json.dumps({"jsonrpc": "2.0", "id": "in", "method": "connection.identify",
                       "params": {"protocol": 1, "client": "tls", "token": token}}).encode()
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(4096)
    s.sendall(b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text)
    while b'"id":"in"' not in data:
        piece = s.recv(65536)
        if not piece:
            break
        data += piece
    return data, s.version()
good, version = speak(open(folder + "/token").read().strip())
assert b"negotiated_protocol" in good and version in ("TLSv1.2", "TLSv1.3"), (good, version)
bad, _ = speak("x" * 64)
assert b"unauthorized" in bad, bad
try:
    speak("x", high=ssl.TLSVersion.TLSv1_1)
    raise SystemExit("TLS 1.1 was spoken")
except OSError:
    pass
plain = socket.create_connection(("127.0.0.2", port), 20)
plain.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")
answer = b""
try:
    while piece := plain.recv(4096):
        answer += piece
except OSError:
    pass
assert not answer.startswith(b"HTTP"), answer
)";
    std::string said;
    EXPECT_EQ(python(script, said), 0) << said;
    EXPECT_EQ(info(*connect())["server"], "handeyed"); // the Unix socket is as it was
}

TEST_F(Tls, WithoutTlsOrWithBrokenFilesItDoesNotStart) {
    const auto plain = spawn({"--listen", "127.0.0.2:0"});
    EXPECT_EQ(plain->wait(), 2);
    std::ofstream(folder.path() / "cert.pem") << "no certificate";
    std::ofstream(folder.path() / "key.pem") << "no key";
    std::filesystem::permissions(folder.path() / "key.pem", std::filesystem::perms(0600));
    const std::string base = folder.path().string();
    write_config(fmt::format("listen: \"127.0.0.2:0\"\ntls: {{cert: {}/cert.pem, key: {}/key.pem}}\n", base, base));
    const auto broken = spawn({"--config", config_path()});
    EXPECT_EQ(broken->wait(), 2);
    EXPECT_NE(broken->output().find("cert.pem"), std::string::npos) << broken->output();
}

TEST_F(Tls, AKeyThatOthersMayReadIsRefused) {
    if (!make_certificate()) {
        GTEST_SKIP() << "the openssl program is not installed";
    }
    const std::string base = folder.path().string();
    write_config(fmt::format("listen: \"127.0.0.2:0\"\ntls: {{cert: {}/cert.pem, key: {}/key.pem}}\n", base, base));
    const std::vector<std::string> check{kProgram, "--config", config_path(), "--check-config"};
    for (const unsigned mode : {0644U, 0640U, 0604U, 0602U}) {
        std::filesystem::permissions(folder.path() / "key.pem", std::filesystem::perms(mode));
        const auto process = spawn({"--config", config_path()});
        EXPECT_EQ(process->wait(), 2);
        const std::string want = fmt::format("key.pem cannot be used: its mode is {:04o} and others may read it: chmod 600", mode);
        EXPECT_NE(process->output().find(want), std::string::npos) << process->output();
        EXPECT_NE(run_to_end(check, 2, environment()).find(want), std::string::npos);
    }
    std::filesystem::permissions(folder.path() / "key.pem", std::filesystem::perms(0600));
    EXPECT_NE(run_to_end(check, 0, environment()).find("fine"), std::string::npos);
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
