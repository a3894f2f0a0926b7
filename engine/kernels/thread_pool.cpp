// SPDX-License-Identifier: Apache-2.0
#include "engine/kernels/thread_pool.h"

#include "base/result.h"

#include <algorithm>
#include <limits>

#include <sched.h>

namespace handeye {
namespace {

// About 50 microseconds: longer than the gaps between the operations of one token, shorter than anyone notices.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        return std::max(1, CPU_COUNT(&set));
    }
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

} // namespace

ThreadPool::ThreadPool(int threads) {
    const int total = std::clamp(threads == 0 ? usable_cores() : threads, 1, 256);
    for (int worker = 1; worker < total; ++worker) {
        workers_.emplace_back([this, worker] { worker_main(worker); });
    }
}

ThreadPool::~ThreadPool() {
    quit_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (std::thread& thread : workers_) {
        thread.join();
    }
}

void ThreadPool::run_erased(std::int64_t count, Call call, const void* task) {
    CHECK(count >= 0 && count <= std::numeric_limits<std::uint32_t>::max());
    if (workers_.empty() || count <= 1) {
        for (std::int64_t i = 0; i < count; ++i) {
            call(task, i, 0);
        }
        return;
    }
    const std::uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    Slot& slot = slots_[epoch % 2];
    slot.call.store(call, std::memory_order_relaxed);
    slot.task.store(task, std::memory_order_relaxed);
    slot.count.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    ticket_.store(std::uint64_t{epoch} << 32U, std::memory_order_release);
    epoch_.store(epoch, std::memory_order_release);
    epoch_.notify_all();
    work(epoch, 0);
    for (int spins = 0; done_.load(std::memory_order_acquire) != static_cast<std::uint32_t>(count); ++spins) {
        if (spins < kSpins) {
            relax();
        } else {
            std::this_thread::yield(); // a worker was descheduled in the middle of its task
        }
    }
}

void ThreadPool::work(std::uint32_t epoch, int worker) {
    for (;;) {
        std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
        if (ticket >> 32U != epoch) {
            return;
        }
        const Slot& slot = slots_[epoch % 2];
        const Call call = slot.call.load(std::memory_order_relaxed);
        const void* task = slot.task.load(std::memory_order_relaxed);
        const auto index = static_cast<std::uint32_t>(ticket);
        if (index >= slot.count.load(std::memory_order_relaxed)) {
            return;
        }
        // Success proves that the epoch did not end meanwhile, so what was read from the slot belongs to it.
        if (ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) {
            call(task, index, worker);
            done_.fetch_add(1, std::memory_order_release);
        }
    }
}

void ThreadPool::worker_main(int worker) {
    std::uint32_t seen = 0;
    for (;;) {
        std::uint32_t epoch = epoch_.load(std::memory_order_acquire);
        for (int spins = 0; epoch == seen && spins < kSpins; ++spins) {
            relax();
            epoch = epoch_.load(std::memory_order_acquire);
        }
        if (epoch == seen) {
            epoch_.wait(seen, std::memory_order_acquire);
            continue;
        }
        seen = epoch;
        if (quit_.load(std::memory_order_acquire)) {
            return;
        }
        work(epoch, worker);
    }
}

} // namespace handeye
