// SPDX-License-Identifier: Apache-2.0
// A private session bus (a real dbus-daemon) with a notification service on it. While it lives, this process's session bus is that one.
#pragma once

#include "tests/server/process.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace handeye::testing {

class NotificationService {
public:
    struct Notice {
        std::uint32_t id = 0;
        std::string title;
        std::string body;
        std::vector<std::string> actions; ///< key, label, key, label
        std::int32_t life_ms = 0;
    };
    /// `socket`: where the bus listens.
    explicit NotificationService(const std::filesystem::path& socket);
    ~NotificationService();
    NotificationService(const NotificationService&) = delete;
    NotificationService& operator=(const NotificationService&) = delete;

    /// False where there is no dbus-daemon.
    [[nodiscard]] bool is_running() const { return thread_.joinable(); }
    /// nullopt and 0: none came within a minute.
    std::optional<Notice> next_notice();
    std::uint32_t next_closed();
    /// As a person presses a button.
    void press(std::uint32_t id, const std::string& action);

private:
    struct Bus;
    void serve(const std::stop_token& stop);

    std::unique_ptr<Process> daemon_;
    std::unique_ptr<Bus> bus_;
    std::mutex mutex_; // guards the queues
    std::condition_variable changed_;
    std::deque<Notice> notices_;
    std::deque<std::uint32_t> closed_;
    std::deque<std::pair<std::uint32_t, std::string>> presses_;
    std::jthread thread_;
};

} // namespace handeye::testing
