// SPDX-License-Identifier: Apache-2.0
#include "server/send_queue.h"

#include <algorithm>

namespace handeye {

bool SendQueue::has_room(std::size_t bytes) const {
    return items_.empty() || (bytes_ + bytes <= limits_.bytes_max && items_.size() < limits_.messages_max);
}

bool SendQueue::push_must(std::string text) {
    // Progress makes way before a client is given up.
    for (auto item = items_.begin(); item != items_.end() && !has_room(text.size());) {
        if (item->key.empty()) {
            ++item;
            continue;
        }
        bytes_ -= item->message.bytes.size();
        ++dropped_;
        item = items_.erase(item);
    }
    if (!has_room(text.size())) {
        return false;
    }
    bytes_ += text.size();
    items_.push_back({"", {std::move(text), false}});
    return true;
}

void SendQueue::push_latest(std::string_view key, OutMessage message) {
    for (Item& item : items_) {
        if (item.key == key) {
            bytes_ += message.bytes.size();
            bytes_ -= item.message.bytes.size();
            item.message = std::move(message);
            ++dropped_;
            return;
        }
    }
    if (!has_room(message.bytes.size())) {
        ++dropped_;
        return;
    }
    bytes_ += message.bytes.size();
    items_.push_back({std::string(key), std::move(message)});
}

bool SendQueue::holds(std::string_view key) const {
    return std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return item.key == key; });
}

OutMessage SendQueue::pop() {
    OutMessage message = std::move(items_.front().message);
    items_.pop_front();
    bytes_ -= message.bytes.size();
    return message;
}

void SendQueue::clear() {
    items_.clear();
    bytes_ = 0;
}

} // namespace handeye
