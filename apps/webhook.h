// SPDX-License-Identifier: Apache-2.0
// Posts JSON to one configured URL from a thread of its own: whoever asks never waits, and what cannot be delivered is dropped.
#pragma once

#include "base/clock.h"
#include "base/net/http_client.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

namespace handeye {

struct WebhookOptions {
    HttpUrl url;
    HttpPostOptions post{.timeout = std::chrono::seconds(5)};
    std::size_t waiting_max = 64; ///< one more pushes out the oldest
    int tries_max = 3;
    Duration pause_first = std::chrono::seconds(1); ///< before the second try; doubled before the third
};

class Webhook {
public:
    Webhook(WebhookOptions options, Clock& clock);
    /// Gives up what waits and what is under way.
    ~Webhook();
    Webhook(const Webhook&) = delete;
    Webhook& operator=(const Webhook&) = delete;

    /// Any thread; never blocks.
    void send(std::string json);

private:
    void run(const std::stop_token& stop);
    void deliver(const std::string& json, const std::stop_token& stop);

    const WebhookOptions options_;
    Clock& clock_;
    std::mutex mutex_; // guards the two below
    std::condition_variable_any changed_;
    std::deque<std::string> waiting_;
    bool is_dropping_ = false;
    std::jthread thread_;
};

} // namespace handeye
