// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/mask_store.h"

namespace handeye {

void MaskStore::drop_oldest() {
    while (counts_.bytes > bytes_max_ && ages_.size() > 1) {
        const auto oldest = entries_.find(ages_.back());
        counts_.bytes -= oldest->second.mask->size_bytes();
        entries_.erase(oldest);
        ages_.pop_back();
    }
}

Result<MaskStore::Mask> MaskStore::get(Key key, const std::function<Result<Mask>()>& make) {
    {
        std::unique_lock lock(mutex_);
        for (auto at = entries_.find(key); at != entries_.end(); at = entries_.find(key)) {
            if (at->second.mask != nullptr) {
                ages_.splice(ages_.begin(), ages_, at->second.age);
                ++counts_.hits;
                return at->second.mask;
            }
            arrived_.wait(lock); // woken when any mask came or failed
        }
        entries_.emplace(key, Entry{nullptr, ages_.end()});
        ++counts_.misses;
    }
    Result<Mask> mask = make();
    const std::lock_guard lock(mutex_);
    if (mask) {
        ages_.push_front(key);
        entries_[key] = {*mask, ages_.begin()};
        counts_.bytes += (*mask)->size_bytes();
        drop_oldest();
    } else {
        entries_.erase(key);
    }
    arrived_.notify_all();
    return mask;
}

bool MaskStore::holds(Key key) const {
    const std::lock_guard lock(mutex_);
    return entries_.contains(key);
}

MaskStore::Counts MaskStore::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

} // namespace handeye
