// SPDX-License-Identifier: Apache-2.0
// A control server on real sockets over a scripted screen and a scripted model, and clients that talk to it.
#pragma once

#include "base/clock.h"
#include "base/net/json_rpc.h"
#include "server/control_server.h"
#include "tests/fakes/fake_platform.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::testing {

/// Generous: only a hang reaches it.
TimePoint soon();

/// A folder of its own (0700), removed with everything in it.
class PrivateFolder {
public:
    PrivateFolder();
    ~PrivateFolder();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Answers with `answers` in turn, then DONE() for ever. While held, an answer does not end until released or stopped.
class HoldableModel final : public ChatModel {
public:
    HoldableModel();
    void set_answers(std::vector<std::string> answers);
    /// Before the server knows it.
    void take_its_eyes() { info_.reads_pictures = false; }
    void hold();
    void release();
    /// Waits until this many calls have begun.
    [[nodiscard]] bool wait_for_calls(int count);

    Result<Completion> generate(const ChatRequest& request, const OnText& on_text, std::stop_token stop) override;
    [[nodiscard]] const ModelInfo& info() const override { return info_; }

private:
    ModelInfo info_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::string> answers_;
    std::size_t next_ = 0;
    int calls_ = 0;
    bool is_held_ = false;
};

struct Reply {
    nlohmann::json result;
    std::string kind; ///< empty: it went well
    std::string field;
    std::string message;
    int code = 0;
};

class ServerTest : public ::testing::Test {
protected:
    /// Changes to the defaults go in before start().
    ControlServerOptions options;
    HoldableModel model;
    std::shared_ptr<const SecretStore> secrets;
    std::filesystem::path task_files_root;
    decltype(ControlServices::decode_picture) decode_picture; ///< empty: in this process
    /// What each new platform can show.
    std::vector<fakes::Scene> scenes{{.frame = fakes::solid_frame({320, 240}, 200, 10, 10)}, {.frame = fakes::solid_frame({320, 240}, 10, 200, 10)}};
    /// Sets up each new platform; the platform stays readable until the session closes.
    std::function<void(fakes::FakePlatform&)> prepare_platform;

    ServerTest();
    void start(bool with_model = true);
    [[nodiscard]] Endpoint unix_endpoint() const;
    [[nodiscard]] Endpoint tcp_endpoint() const;
    [[nodiscard]] std::unique_ptr<WebSocketClient> connect_raw(const Endpoint& endpoint, WebSocketOptions wanted = {});
    /// Identified over the Unix socket.
    [[nodiscard]] std::unique_ptr<JsonRpcClient> connect();
    static Reply call(JsonRpcClient& client, const std::string& method, const nlohmann::json& params = nlohmann::json::object());
    [[nodiscard]] std::string create_session(JsonRpcClient& client);
    [[nodiscard]] std::string run_task(JsonRpcClient& client, const std::string& session, const std::string& goal = "Do it.");
    [[nodiscard]] nlohmann::json wait_task(JsonRpcClient& client, const std::string& task);
    /// The next `event` notification's params.
    static std::optional<nlohmann::json> next_event(JsonRpcClient& client);
    /// Reads events until one of this type.
    static std::optional<nlohmann::json> event_of_type(JsonRpcClient& client, const std::string& type);
    /// What the server's last message was when it closed: reads until the end.
    static WebSocketClose wait_for_close(WebSocketClient& socket);

    PrivateFolder folder;
    SystemClock clock;
    fakes::FakePlatform* platform = nullptr; ///< the newest; owned by its session
    std::unique_ptr<ControlServer> server;
};

} // namespace handeye::testing
