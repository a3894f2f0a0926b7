// SPDX-License-Identifier: Apache-2.0
#include "server/send_queue.h"

#include <utility>

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
        bytes_ -= item->text.size();
        ++dropped_;
        item = items_.erase(item);
    }
    if (!has_room(text.size())) {
        return false;
    }
    bytes_ += text.size();
    items_.push_back({"", std::move(text)});
    return true;
}

void SendQueue::push_latest(std::string_view key, std::string text) {
    for (Item& item : items_) {
        if (item.key == key) {
            bytes_ += text.size();
            bytes_ -= item.text.size();
            item.text = std::move(text);
            ++dropped_;
            return;
        }
    }
    if (!has_room(text.size())) {
        ++dropped_;
        return;
    }
    bytes_ += text.size();
    items_.push_back({std::string(key), std::move(text)});
}

std::string SendQueue::pop() {
    std::string text = std::move(items_.front().text);
    items_.pop_front();
    bytes_ -= text.size();
    return text;
}

void SendQueue::clear() {
    items_.clear();
    bytes_ = 0;
}

} // namespace handeye
