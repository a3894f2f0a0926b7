// SPDX-License-Identifier: Apache-2.0
#include "remote/health.h"

#include "base/log.h"

#include <utility>

#include <fmt/format.h>

namespace handeye {

void HealthWatch::wake() {
    {
        const std::lock_guard lock(mutex_);
        is_woken_ = true;
    }
    changed_.notify_one();
}

void HealthWatch::look(const std::stop_token& stop) {
    for (const std::size_t server : pool_.due(std::chrono::steady_clock::now())) {
        const Outcome<ServedModel> seen = caller_.look_at(pool_.address(server), stop);
        if (stop.stop_requested()) {
            return;
        }
        if (const auto* const failure = std::get_if<Failure>(&seen)) {
            pool_.mark_down(server, failure->error.message, std::chrono::steady_clock::now());
            continue;
        }
        pool_.learn_model(server, std::get<ServedModel>(seen));
        if (pool_.mark_up(server)) {
            log::warn("remote", fmt::format("{} answers again", origin_of(pool_.address(server).base)));
        }
    }
}

void HealthWatch::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            const auto is_woken = [this] { return std::exchange(is_woken_, false); };
            if (const auto due = pool_.next_due(); due) {
                changed_.wait_until(lock, stop, *due, is_woken);
            } else {
                changed_.wait(lock, stop, is_woken);
            }
        }
        look(stop);
    }
}

} // namespace handeye
