// SPDX-License-Identifier: Apache-2.0
// What waits to be sent to one client: in order, and bounded. One thread.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

namespace handeye {

struct OutMessage {
    std::string bytes;
    bool is_binary = false;
};

class SendQueue {
public:
    struct Limits {
        std::size_t bytes_max = 4U << 20U;
        std::size_t messages_max = 4096;
    };
    explicit SendQueue(Limits limits) : limits_(limits) {}

    /// Replies and events. False when the queue is full: the client is too slow to be kept. An empty queue takes a
    /// message of any size, so a single large reply is never the reason.
    [[nodiscard]] bool push_must(std::string text);
    /// Progress and pictures: replaces what waits under the same key, and is dropped when the queue is full.
    void push_latest(std::string_view key, std::string text) { push_latest(key, OutMessage{std::move(text), false}); }
    void push_latest(std::string_view key, OutMessage message);

    /// Whether something waits under this key.
    [[nodiscard]] bool holds(std::string_view key) const;
    [[nodiscard]] bool is_empty() const { return items_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::size_t dropped() const { return dropped_; }
    /// Must not be empty.
    OutMessage pop();
    void clear();

private:
    struct Item {
        std::string key; ///< empty: must
        OutMessage message;
    };
    [[nodiscard]] bool has_room(std::size_t bytes) const;

    Limits limits_;
    std::deque<Item> items_;
    std::size_t bytes_ = 0;
    std::size_t dropped_ = 0;
};

} // namespace handeye
