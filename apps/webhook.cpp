// SPDX-License-Identifier: Apache-2.0
#include "apps/webhook.h"

#include "base/log.h"
#include "base/http_status.h"

#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

using namespace http_status;

} // namespace

Webhook::Webhook(WebhookOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock), thread_([this](const std::stop_token& stop) { run(stop); }) {}

Webhook::~Webhook() = default; // the thread is asked to stop and waited for

void Webhook::send(std::string json) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= options_.waiting_max) {
            if (!std::exchange(is_dropping_, true)) {
                log::warn("webhook", fmt::format("{} messages wait for {}: the oldest are dropped", waiting_.size(), origin_of(options_.url)));
            }
            waiting_.pop_front();
        }
        waiting_.push_back(std::move(json));
    }
    changed_.notify_one();
}

void Webhook::run(const std::stop_token& stop) {
    for (;;) {
        std::string json;
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
                return;
            }
            json = std::move(waiting_.front());
            waiting_.pop_front();
            is_dropping_ = is_dropping_ && !waiting_.empty(); // said once until it has caught up
        }
        deliver(json, stop);
    }
}

// A "no" of the receiver is final; what may pass (no connection, 429, 5xx) is tried again.
void Webhook::deliver(const std::string& json, const std::stop_token& stop) {
    Duration pause = options_.pause_first;
    for (int tried = 1; !stop.stop_requested(); ++tried, pause *= 2) {
        const auto answer = http_post_json(options_.url, json, options_.post, stop);
        if (answer && answer->status >= kOk && answer->status < kRedirect) {
            return;
        }
        const std::string why = answer ? fmt::format("{} answered {}", origin_of(options_.url), answer->status) : answer.error().message;
        const bool may_pass = !answer || answer->status >= kServerFault || answer->status == kTooMany;
        if (!may_pass || tried >= options_.tries_max) {
            log::warn("webhook", fmt::format("a notice was not delivered, {} tries: {}", tried, why));
            return;
        }
        if (clock_.sleep_for(pause, stop) == WaitResult::Stopped) {
            return;
        }
    }
}

} // namespace handeye
