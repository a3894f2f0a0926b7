// SPDX-License-Identifier: Apache-2.0
// A remote model before scripted servers, with a clock that notes pauses instead of waiting.
#pragma once

#include "engine/chat_model.h"
#include "remote/remote_model.h"
#include "tests/remote/scripted_server.h"

#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace handeye::testing {

/// Real time, but whoever sleeps goes on at once.
class NotingClock final : public Clock {
public:
    TimePoint now() override { return std::chrono::steady_clock::now(); }
    WallTime wall_now() override { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }
    WaitResult sleep_until(TimePoint deadline, std::stop_token stop) override {
        const std::lock_guard lock(mutex_);
        pauses_.push_back(deadline - now());
        return stop.stop_requested() ? WaitResult::Stopped : WaitResult::Reached;
    }
    [[nodiscard]] std::vector<Duration> pauses() const {
        const std::lock_guard lock(mutex_);
        return pauses_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Duration> pauses_;
};

inline ChatRequest ask_for(const std::string& text, const std::string& session = "") {
    ChatRequest request;
    request.messages.push_back({.role = Role::User, .parts = {TextPart{text}}});
    request.max_new_tokens = 100;
    request.session = session;
    return request;
}

class RemoteTest : public ::testing::Test {
protected:
    RemoteTest() { std::signal(SIGPIPE, SIG_IGN); } // of OpenSSL's own writes

    static std::string url(const ScriptedServer& server, const char* scheme = "http") { return fmt::format("{}://127.0.0.1:{}/v1", scheme, server.port()); }
    static RemoteOptions options_for(const std::string& urls) {
        auto addresses = parse_remote_addresses(urls);
        EXPECT_TRUE(addresses) << addresses.error().message;
        RemoteOptions options;
        options.addresses = addresses ? *addresses : std::vector<RemoteAddress>();
        options.rounds_max = 3;
        options.health_pause = std::chrono::hours(1); // where a test is not about it, nobody looks after a server that is down
        options.pause_max = std::chrono::hours(2);
        options.pause_first = std::chrono::milliseconds(500);
        return options;
    }
    std::unique_ptr<ChatModel> open(const RemoteOptions& options) {
        auto model = open_remote_model(options, clock, {});
        EXPECT_TRUE(model) << model.error().message;
        return model ? std::move(*model) : nullptr;
    }
    /// Text that was heard on the way comes into `heard`.
    Result<Completion> ask(ChatModel& model, const ChatRequest& request = ask_for("Hello")) {
        heard.clear();
        return model.generate(request, [this](const TextPiece& piece) { heard += piece.text_utf8; }, {});
    }
    static nlohmann::json body_of(const SeenRequest& request) { return nlohmann::json::parse(request.body); }

    NotingClock clock;
    std::string heard;
};

} // namespace handeye::testing
