// SPDX-License-Identifier: Apache-2.0
// A thread that reads recordings for every client, in turns: round between the tokens, and round between a token's connections,
// so that nobody's many reads come before another one's first.
#pragma once

#include "server/call.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace handeye {

class Librarian {
public:
    static constexpr std::size_t kWaitingMax = 256; ///< of one token

    struct Reader {
        std::string token; ///< its sum; empty: this user
        const void* peer = nullptr;
    };

    Librarian() : thread_([this](const std::stop_token& stop) { run(stop); }) {}
    /// Finishes the job under way, drops the others.
    ~Librarian() = default;

    /// The job owes `reply` its answer. It is skipped when the answer is of no use any more. False when too many of the token
    /// wait. Any thread.
    [[nodiscard]] bool submit(const Reader& reader, const Reply& reply, std::function<void()> job);

private:
    struct Wanted {
        Reply reply;
        std::function<void()> job;
    };
    struct Shelf { ///< of one token
        std::map<const void*, std::deque<Wanted>> of_peer;
        const void* last_peer = nullptr;
        std::size_t waiting = 0;
    };
    Wanted take();
    void run(const std::stop_token& stop);

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::map<std::string, Shelf> shelves_; ///< of those who wait
    std::string last_token_;
    std::jthread thread_; // last: it uses the others
};

} // namespace handeye
