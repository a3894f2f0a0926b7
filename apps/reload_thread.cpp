// SPDX-License-Identifier: Apache-2.0
#include "apps/reload_thread.h"

#include <utility>

namespace handeye {

ReloadThread::ReloadThread(std::function<void()> reload)
    : reload_(std::move(reload)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void ReloadThread::ask() {
    {
        const std::lock_guard lock(mutex_);
        is_asked_ = true;
    }
    changed_.notify_all();
}

bool ReloadThread::end(Duration grace) {
    thread_.request_stop();
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, grace, [this] { return !is_running_; });
}

void ReloadThread::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return is_asked_; }) && !stop.stop_requested()) {
        is_asked_ = false;
        is_running_ = true;
        lock.unlock();
        reload_();
        lock.lock();
        is_running_ = false;
        changed_.notify_all();
    }
}

} // namespace handeye
