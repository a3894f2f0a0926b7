// SPDX-License-Identifier: Apache-2.0
// What a foreign program in its cage can do, and what it cannot.
#include "base/file.h"
#include "media/confined_tool.h"

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace handeye {
namespace {

class Caged : public testing::Test {
protected:
    Caged() {
        std::string name = (std::filesystem::temp_directory_path() / "handeye-cage-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(folder_ / "own");
        std::ofstream(folder_ / "secret") << "a secret";
    }
    ~Caged() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    [[nodiscard]] ToolCall call(const std::string& python) const {
        return {.program = "/usr/bin/python3", .arguments = {"-S", "-E", "-c", python}, .folder = folder_ / "own"};
    }
    struct Said {
        std::string text;
        Result<void> end;
    };
    static Said run(const ToolCall& call, const std::stop_token& stop = {}) {
        auto tool = ConfinedTool::start(call);
        if (!tool) {
            return {"", tool.error()};
        }
        auto text = (*tool)->read_rest(1U << 16U, stop);
        return {text.value_or(""), text ? (*tool)->finish(stop) : Result<void>(text.error())};
    }
    std::filesystem::path folder_;
};

TEST_F(Caged, WritesInItsFolderAndSpeaks) {
    const Said said = run(call("open('x', 'w').write('1'); print('done', open('x').read())"));
    EXPECT_TRUE(said.end) << said.end.error().message;
    EXPECT_EQ(said.text, "done 1\n");
}

TEST_F(Caged, SeesNoOtherFile) {
    if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < 1) {
        GTEST_SKIP() << "this kernel has no Landlock";
    }
    const std::string secret = (folder_ / "secret").string();
    for (const std::string& python : {fmt::format("print(open('{}').read())", secret), fmt::format("open('{}', 'a').write('x')", secret),
                                      fmt::format("open('{}/new', 'w')", folder_.string()), fmt::format("import os; print(os.listdir('{}'))", folder_.string()),
                                      fmt::format("import os; os.remove('{}')", secret), std::string("print(open('/proc/{}/environ'.format(__import__('os').getppid())).read())")}) {
        const Said said = run(call(python));
        EXPECT_FALSE(said.end) << python;
        EXPECT_EQ(said.text, "") << python;
    }
    EXPECT_EQ(read_file(secret, 100).value_or(""), "a secret");
}

TEST_F(Caged, HasNoNetworkAndNoDesktop) {
    ::setenv("DISPLAY", ":0", 1);
    const Said environment = run(call("import os; print('DISPLAY' in os.environ, os.environ['HOME'])"));
    EXPECT_EQ(environment.text, fmt::format("False {}\n", (folder_ / "own").string()));
    for (const char* const family : {"AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"}) {
        EXPECT_FALSE(run(call(fmt::format("import socket; socket.socket(socket.{})", family))).end) << family;
    }
    ToolCall local = call("import socket; socket.socket(socket.AF_UNIX); print('unix')\ntry:\n    socket.socket(socket.AF_INET)\nexcept PermissionError: print('refused')");
    local.sockets = ToolCall::Sockets::OfThisMachine;
    EXPECT_EQ(run(local).text, "unix\nrefused\n");
}

TEST_F(Caged, HasLimits) {
    EXPECT_FALSE(run(call("x = bytearray(3 << 30)")).end);
    ToolCall writer = call("f = open('x', 'wb')\nfor i in range(400): f.write(bytes(1 << 20)); f.flush()");
    writer.file_bytes_max = 1U << 24U;
    EXPECT_FALSE(run(writer).end);
    EXPECT_LE(std::filesystem::file_size(folder_ / "own" / "x"), 1U << 24U);
    ToolCall busy = call("while True: pass");
    busy.patience = std::chrono::seconds(2);
    const Said late = run(busy);
    ASSERT_FALSE(late.end); // by its processor time or by the clock, whichever is first
    ToolCall sleeper = call("import time; time.sleep(1000)");
    sleeper.patience = std::chrono::seconds(1);
    EXPECT_EQ(run(sleeper).end.error().code, ErrorCode::DeadlineExceeded);
    const Said endless = run(call("while True: print('x' * 1000)"));
    EXPECT_EQ(endless.end.error().code, ErrorCode::LimitExceeded);
}

TEST_F(Caged, SaysHowItEndedAndWhatItSaid) {
    const Said said = run(call("import sys; sys.stderr.write('no such page\\nsecond line'); sys.exit(9)"));
    ASSERT_FALSE(said.end);
    EXPECT_EQ(said.end.error().message, "python3 ended with code 9: no such page");
    const Said killed = run(call("import os; os.kill(os.getpid(), 11)"));
    EXPECT_NE(killed.end.error().message.find("signal 11"), std::string::npos) << killed.end.error().message;
    EXPECT_FALSE(run({.program = "/nonexistent/program", .folder = folder_ / "own"}).end);
    EXPECT_EQ(find_tool("no-such-program-anywhere").error().code, ErrorCode::NotFound);
}

TEST_F(Caged, EndsWithAllThatItStarted) {
    const ToolCall forking = call("import fcntl, os, time\nif os.fork() == 0:\n    f = open('lock', 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('locked', flush=True)\ntime.sleep(1000)");
    for (const bool is_stopped : {false, true}) {
        std::stop_source stop;
        auto tool = ConfinedTool::start(forking);
        ASSERT_TRUE(tool);
        std::array<std::uint8_t, 7> locked{};
        ASSERT_TRUE(*(*tool)->read(locked, {}));
        if (is_stopped) {
            stop.request_stop();
            EXPECT_EQ((*tool)->read(locked, stop.get_token()).error().code, ErrorCode::Cancelled);
        } else {
            tool->reset();
        }
        const FileDescriptor lock(::open((folder_ / "own" / "lock").c_str(), O_RDWR | O_CLOEXEC));
        EXPECT_EQ(::flock(lock.get(), LOCK_EX), 0); // returns when the second process is gone
    }
}

} // namespace
} // namespace handeye
