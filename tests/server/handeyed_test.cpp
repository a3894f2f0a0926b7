// SPDX-License-Identifier: Apache-2.0
// The real program: its options, its socket, its signals; and the two examples as clients of a server.
#include "base/file.h"
#include "base/json.h"
#include "tests/server/handeyed_fixture.h"

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>

#include <sys/stat.h>

#include <fmt/format.h>

namespace handeye::testing {
namespace {




TEST_F(Handeyed, ListensPrivatelyAndSaysThatTheEngineIsMissing) {
    const auto process = spawn_ready();
    EXPECT_EQ(mode_of(socket_path()), 0600U);
    EXPECT_EQ(mode_of(socket_path().parent_path()), 0700U);
    const auto client = connect();
    while (info(*client)["engine"]["state"] == "loading") {
    }
    const auto reply = client->request("task.run", R"({"session":"S","goal":"g"})", soon());
    ASSERT_TRUE(reply && reply->failure);
    EXPECT_EQ(reply->failure->kind, "engine_missing");
    EXPECT_NE(reply->failure->message.find("no-model"), std::string::npos) << reply->failure->message;
}

TEST_F(Handeyed, OpensNoTcpPortByDefault) {
    const auto process = spawn_ready();
    std::set<std::string> sockets;
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", process->pid()))) {
        std::error_code gone;
        const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.starts_with("socket:[")) {
            sockets.insert(target.substr(8, target.size() - 9));
        }
    }
    EXPECT_FALSE(sockets.empty());
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream lines(table);
        std::string line;
        while (std::getline(lines, line)) {
            std::istringstream words(line);
            std::string word;
            for (int i = 0; i < 10 && words >> word; ++i) {
            }
            EXPECT_FALSE(sockets.contains(word)) << line; // the tenth column is the inode
        }
    }
}

TEST_F(Handeyed, RestartsItsEngineAfterASegfaultAndSaysSo) {
    const auto process = spawn_ready({"--model", HANDEYE_SOURCE_DIR "/models/nano"});
    const auto client = connect();
    const auto wait_for_state = [&](const std::string& state) {
        const TimePoint deadline = soon();
        while (info(*client)["engine"]["state"] != state && std::chrono::steady_clock::now() < deadline) {
        }
        return info(*client)["engine"]["state"] == state;
    };
    ASSERT_TRUE(wait_for_state("ready"));
    pid_t engine = -1;
    for (const auto& thread : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process->pid()))) {
        std::ifstream children(thread.path() / "children");
        pid_t child = -1;
        engine = children >> child ? child : engine;
    }
    ASSERT_GT(engine, 0);
    ASSERT_EQ(::kill(engine, SIGSEGV), 0);
    const TimePoint killed = std::chrono::steady_clock::now();
    ASSERT_TRUE(wait_for_state("loading"));
    EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(1));
    ASSERT_TRUE(wait_for_state("ready"));
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_NE(process->output().find("engine.lost"), std::string::npos) << process->output();
    EXPECT_NE(process->output().find("engine.restarted"), std::string::npos) << process->output();
}

TEST_F(Handeyed, SigtermEndsItInGoodOrder) {
    const auto process = spawn_ready();
    const auto client = connect();
    process->send_signal(SIGTERM);
    while (client->socket().receive(soon())) {
    }
    EXPECT_EQ(client->socket().close_reason().code, 1001);
    EXPECT_TRUE(notify.wait_for("STOPPING=1"));
    EXPECT_EQ(process->wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(socket_path()));
}

TEST_F(Handeyed, SigintEndsItToo) {
    const auto process = spawn_ready();
    process->send_signal(SIGINT);
    EXPECT_EQ(process->wait(), 0);
}

TEST_F(Handeyed, Sigusr1IsTheKillSwitch) {
    const auto process = spawn_ready();
    const auto client = connect();
    EXPECT_EQ(info(*client)["stop_latched"], false);
    process->send_signal(SIGUSR1);
    const TimePoint deadline = soon();
    while (info(*client)["stop_latched"] == false && std::chrono::steady_clock::now() < deadline) {
    }
    EXPECT_EQ(info(*client)["stop_latched"], true);
}

TEST_F(Handeyed, ASecondOneIsRefusedAndTheFirstGoesOn) {
    const auto process = spawn_ready();
    const auto second = spawn();
    EXPECT_EQ(second->wait(), 5);
    EXPECT_NE(second->output().find("another server"), std::string::npos) << second->output();
    EXPECT_EQ(info(*connect())["server"], "handeyed");
}

TEST_F(Handeyed, StartsAgainAfterKill9) {
    auto process = spawn_ready();
    process->send_signal(SIGKILL);
    EXPECT_EQ(process->wait(), 128 + SIGKILL);
    EXPECT_TRUE(std::filesystem::exists(socket_path())); // stale
    process = spawn_ready();
    EXPECT_EQ(info(*connect())["server"], "handeyed");
}

TEST_F(Handeyed, RefusesToListenBeyondThisMachine) {
    for (const char* address : {"0.0.0.0:7625", "[::]:7625", "192.0.2.1:7625"}) {
        const auto process = spawn({"--listen", address});
        EXPECT_EQ(process->wait(), 2) << address;
        EXPECT_NE(process->output().find("refusing to listen"), std::string::npos) << process->output();
    }
}

TEST_F(Handeyed, TcpNeedsTheTokenOfItsFileAndNeverLogsIt) {
    const auto token_file = folder.path() / "token";
    const auto process = spawn_ready({"--verbose", "--listen", "unix:" + socket_path().string(), "--listen", "127.0.0.1:0",
                                      "--token-file", token_file});
    EXPECT_EQ(mode_of(token_file), 0600U);
    std::string token;
    std::ifstream(token_file) >> token;
    EXPECT_EQ(token.size(), 64U);
    EXPECT_EQ(info(*connect())["server"], "handeyed"); // both listen
    process->send_signal(SIGTERM);
    EXPECT_EQ(process->wait(), 0);
    EXPECT_EQ(process->output().find(token), std::string::npos);
    const std::size_t port_at = process->output().find("127.0.0.1:");
    ASSERT_NE(port_at, std::string::npos) << process->output();
    EXPECT_NE(process->output()[port_at + 10], '0') << process->output(); // the port that it got
}

TEST_F(Handeyed, AClientChoosesNoFileProgramOrPasswordOfThisUser) {
    const auto process = spawn_ready();
    const auto client = connect();
    const auto refusal = [&](const std::string& platform, const json& target) {
        const auto opened = client->call("session.create", json{{"platform", platform}, {"target", target}}.dump(), soon());
        EXPECT_FALSE(opened) << target.dump();
        return opened ? std::string() : fmt::format("{} {}", error_code_name(opened.error().code), opened.error().message);
    };
    const std::string token = (folder.path() / "config" / "handeye" / "token").string();
    std::filesystem::create_directories(folder.path() / "config" / "handeye");
    ASSERT_TRUE(write_file_atomic(token, "secret\n", 0600));
    for (const auto& [platform, target, words] : {std::tuple{"vnc", json{{"attach", "127.0.0.1::1"}, {"password_file", token}}, "which alone a client may use"},
                                                  std::tuple{"web", json{{"browser", "/bin/true"}}, "targets.browsers"},
                                                  std::tuple{"web", json{{"url", "file:///etc/passwd"}}, "daemon's machine"},
                                                  std::tuple{"web", json{{"uploads", "/etc"}}, "targets.folders"}}) {
        const std::string said = refusal(platform, target);
        EXPECT_TRUE(said.starts_with("permission_denied")) << said;
        EXPECT_NE(said.find(words), std::string::npos) << said;
    }
}

TEST_F(Handeyed, ThePasswordOfTheEnvironmentIsInNoChildAndNotInItsOwnEither) {
    auto variables = environment();
    variables.emplace_back("HANDEYE_VNC_PASSWORD", "geheim-in-the-environment");
    const std::string script = folder.path() / "browser", seen = folder.path() / "seen";
    ASSERT_TRUE(write_file_atomic(script, "#!/bin/sh\nexec env > '" + seen + "'\n", 0700));
    run_to_end({HANDEYE_BINARY_DIR "/bin/handeye", "screenshot", "--platform", "web", "--headless", "320x240", "--browser", script, "-o", folder.path() / "o.png"}, 5, variables);
    const auto child = read_file(seen, 1U << 20U);
    ASSERT_TRUE(child) << child.error().message;
    EXPECT_NE(child->find("XDG_CONFIG_HOME="), std::string::npos);
    EXPECT_EQ(child->find("geheim"), std::string::npos) << *child;
    const Process process({kProgram, "--model", folder.path() / "no-model"}, variables);
    ASSERT_TRUE(notify.wait_for("READY=1"));
    std::ifstream file("/proc/" + std::to_string(process.pid()) + "/environ");
    const std::string own(std::istreambuf_iterator<char>(file), {});
    EXPECT_NE(own.find("HANDEYE_VNC_PASSWORD="), std::string::npos);
    EXPECT_EQ(own.find("geheim"), std::string::npos);
}

TEST_F(Handeyed, HelpTeachesAndVersionSaysIt) {
    const std::string help = run_to_end({kProgram, "--help"}, 0, environment());
    for (const char* word : {"--listen", "--token-file", "--config", "--model", "USR1", "Exit codes"}) {
        EXPECT_NE(help.find(word), std::string::npos) << word;
    }
    EXPECT_EQ(run_to_end({kProgram, "--version"}, 0, environment()).substr(0, 9), "handeyed ");
    (void)run_to_end({kProgram, "--no-such-option"}, 2, environment());
    (void)run_to_end({kProgram, "--listen", "nowhere"}, 2, environment());
    (void)run_to_end({kProgram, "--config", folder.path() / "absent.yaml"}, 2, environment());
}

TEST_F(Handeyed, ConfigurationFileIsReadAndItsMistakesAreShown) {
    const auto path = folder.path() / "config.yaml";
    std::ofstream(path) << "sessions_dir: /tmp\nlissten: 127.0.0.1:1\n";
    const std::string said = run_to_end({kProgram, "--config", path}, 2, environment());
    EXPECT_NE(said.find("config.yaml:2:1: there is no key \"lissten\""), std::string::npos) << said;
}

class Examples : public ServerTest {};

TEST_F(Examples, PythonClientRunsATask) {
    start();
    Process process({"/usr/bin/python3", HANDEYE_SOURCE_DIR "/examples/ws_client.py", "Do it.", "--platform", "fake", "--daemon",
                     to_string(unix_endpoint())});
    const int code = process.wait();
    if (code != 0 && process.output().find("No module named 'websockets'") != std::string::npos) {
        GTEST_SKIP() << "the package python3-websockets is not installed";
    }
    EXPECT_EQ(code, 0) << process.output();
    EXPECT_NE(process.output().find("outcome: done"), std::string::npos) << process.output();
}

TEST_F(Examples, PythonClientShowsItsTokenOverTcp) {
    start();
    const auto token_file = folder.path() / "token";
    std::ofstream(token_file) << options.token << '\n';
    Process process({"/usr/bin/python3", HANDEYE_SOURCE_DIR "/examples/ws_client.py", "Do it.", "--platform", "fake", "--daemon",
                     to_string(tcp_endpoint()), "--token-file", token_file});
    const int code = process.wait();
    if (code != 0 && process.output().find("No module named 'websockets'") != std::string::npos) {
        GTEST_SKIP() << "the package python3-websockets is not installed";
    }
    EXPECT_EQ(code, 0) << process.output();
}

TEST_F(Examples, CppClientRunsATask) {
    start();
    Process process({HANDEYE_BINARY_DIR "/bin/ws_client", to_string(tcp_endpoint()), "fake", "Do it."}, {{"HANDEYE_TOKEN", options.token}});
    EXPECT_EQ(process.wait(), 0) << process.output();
    EXPECT_NE(process.output().find("outcome: done"), std::string::npos) << process.output();
}

TEST_F(Examples, CppClientSaysWhatIsWrong) {
    Process process({HANDEYE_BINARY_DIR "/bin/ws_client", "unix:" + (folder.path() / "none").string(), "fake", "Do it."});
    EXPECT_EQ(process.wait(), 5);
    EXPECT_NE(process.output().find("cannot connect"), std::string::npos) << process.output();
}

} // namespace
} // namespace handeye::testing
