// SPDX-License-Identifier: Apache-2.0
// Looks after servers that are down, on a thread of its own, so that no question waits for one that is away.
#pragma once

#include "remote/call.h"
#include "remote/pool.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace handeye {

class HealthWatch {
public:
    /// Borrows both. The thread sleeps while every server is up.
    HealthWatch(const Caller& caller, Pool& pool) : caller_(caller), pool_(pool), thread_([this](const std::stop_token& stop) { run(stop); }) {}
    /// A server was marked down. Any thread.
    void wake();

private:
    void run(const std::stop_token& stop);
    void look(const std::stop_token& stop);

    const Caller& caller_;
    Pool& pool_;
    std::mutex mutex_; // guards the flag
    std::condition_variable_any changed_;
    bool is_woken_ = false;
    std::jthread thread_; // last: it is joined before the others go
};

} // namespace handeye
