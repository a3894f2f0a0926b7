// SPDX-License-Identifier: Apache-2.0
// The real `handeyed` in folders of its own, with a service manager's notify socket.
#pragma once

#include "base/json.h"
#include "tests/server/process.h"
#include "tests/server/server_fixture.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>

namespace handeye::testing {

using nlohmann::json;

inline const std::string kProgram = HANDEYE_BINARY_DIR "/bin/handeyed";

class Handeyed : public ::testing::Test {
protected:
    PrivateFolder folder;
    NotifySocket notify{(folder.path() / "notify").string()};

    [[nodiscard]] std::filesystem::path socket_path() const { return folder.path() / "run" / "handeye" / "handeyed.sock"; }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const {
        const std::string base = folder.path().string();
        return {{"XDG_RUNTIME_DIR", base + "/run"}, {"XDG_CONFIG_HOME", base + "/config"}, {"XDG_STATE_HOME", base + "/state"}, {"XDG_CACHE_HOME", base + "/cache"},
                {"NOTIFY_SOCKET", base + "/notify"}, {"HANDEYE_MODEL", ""}};
    }
    std::unique_ptr<Process> spawn(std::vector<std::string> options = {}) const {
        std::vector<std::string> argv{kProgram};
        if (std::find(options.begin(), options.end(), "--model") == options.end()) {
            argv.insert(argv.end(), {"--model", folder.path() / "no-model"});
        }
        argv.insert(argv.end(), options.begin(), options.end());
        return std::make_unique<Process>(argv, environment());
    }
    std::unique_ptr<Process> spawn_ready(std::vector<std::string> options = {}) const {
        auto process = spawn(std::move(options));
        EXPECT_TRUE(notify.wait_for("READY=1"));
        return process;
    }
    static std::unique_ptr<JsonRpcClient> connect(const Endpoint& endpoint, const std::string& token = "") {
        auto socket = WebSocketClient::connect(endpoint, {.connect_timeout = std::chrono::seconds(60)});
        EXPECT_TRUE(socket) << socket.error().message;
        auto client = std::make_unique<JsonRpcClient>(std::move(*socket));
        const auto identified = client->identify("handeyed tests", token, soon());
        EXPECT_TRUE(identified) << identified.error().message;
        return client;
    }
    std::unique_ptr<JsonRpcClient> connect() const { return connect({.unix_path = socket_path()}); }
    static json info(JsonRpcClient& client) {
        const auto text = client.call("connection.info", "{}", soon());
        EXPECT_TRUE(text) << text.error().message;
        return text ? json::parse(*text) : json();
    }
    static unsigned mode_of(const std::filesystem::path& path) {
        struct stat facts {};
        EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
        return facts.st_mode & 0777U;
    }
    static std::string run_to_end(const std::vector<std::string>& argv, int expected_code,
                                  const std::vector<std::pair<std::string, std::string>>& variables) {
        Process process(argv, variables);
        EXPECT_EQ(process.wait(), expected_code) << process.output();
        return process.output();
    }
};

} // namespace handeye::testing
