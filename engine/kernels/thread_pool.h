// SPDX-License-Identifier: Apache-2.0
// A few threads that share the loops of one caller. Waking costs about a microsecond while they still spin.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace handeye {

/// run() may be called from one thread at a time; tasks must not throw and must not call run().
class ThreadPool {
public:
    /// `threads` includes the caller's own; 0: one per core this process may use.
    explicit ThreadPool(int threads);
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ~ThreadPool();

    [[nodiscard]] int size() const { return static_cast<int>(workers_.size()) + 1; }

    /// Calls task(i, worker) for every i in 0..count-1 in any order, worker in 0..size()-1; returns when all are done.
    template <class Task>
    void run(std::int64_t count, const Task& task) {
        run_erased(count, [](const void* t, std::int64_t i, int w) { (*static_cast<const Task*>(t))(i, w); }, &task);
    }

private:
    using Call = void (*)(const void* task, std::int64_t index, int worker);
    // Two slots in turn, so that a worker that wakes late reads a slot nobody is writing, and its claim then fails.
    struct Slot {
        std::atomic<Call> call{nullptr};
        std::atomic<const void*> task{nullptr};
        std::atomic<std::uint32_t> count{0};
    };

    void run_erased(std::int64_t count, Call call, const void* task);
    void work(std::uint32_t epoch, int worker);
    void worker_main(int worker);

    std::array<Slot, 2> slots_;
    alignas(64) std::atomic<std::uint64_t> ticket_{0}; // epoch << 32 | next index
    alignas(64) std::atomic<std::uint32_t> done_{0};
    alignas(64) std::atomic<std::uint32_t> epoch_{0}; // what workers wait on
    std::atomic<bool> quit_{false};
    std::vector<std::thread> workers_;
};

} // namespace handeye
