// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/cache_slots.h"

#include <algorithm>
#include <utility>

namespace handeye {
namespace {

constexpr std::int64_t kWorthCopying = 16; // tokens; fewer are computed as fast

} // namespace

std::int64_t CacheSlots::committed() const {
    std::int64_t tokens = 0;
    for (const Slot& slot : slots_) {
        tokens += slot.timeline->committed();
    }
    return tokens;
}

CacheSlots::Slot* CacheSlots::longest_unused() {
    Slot* oldest = nullptr;
    for (Slot& slot : slots_) {
        if (!slot.is_taken && slot.timeline->committed() > 0 && (oldest == nullptr || slot.used_at < oldest->used_at)) {
            oldest = &slot;
        }
    }
    return oldest;
}

Result<CacheSlots::Slot*> CacheSlots::free_slot() {
    for (Slot& slot : slots_) {
        if (!slot.is_taken && slot.timeline->size() == 0) {
            return &slot;
        }
    }
    if (slots_.size() < slots_max_) {
        slots_.push_back({.timeline = std::make_unique<Timeline>(TRY(core_.new_timeline()))});
        return &slots_.back();
    }
    Slot* const oldest = longest_unused();
    if (oldest == nullptr) {
        return Error{ErrorCode::Overloaded, "every cache is in use"};
    }
    return oldest;
}

Result<Timeline*> CacheSlots::take(const Prompt& prompt) {
    std::size_t best = slots_.size();
    std::int64_t common = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        const std::int64_t mine = slots_[i].timeline->common_prefix(prompt);
        if (mine > common || (mine == common && mine > 0 && slots_[best].is_taken && !slots_[i].is_taken)) {
            best = i;
            common = mine;
        }
    }
    // What the prompt would throw away of a cache is less than what it keeps: it is that session's next step.
    const bool continues = common > 0 && !slots_[best].is_taken && slots_[best].timeline->size() <= 2 * common;
    Slot* slot = continues ? &slots_[best] : nullptr;
    if (slot == nullptr) {
        slot = TRY(free_slot()); // may move the slots, never their timelines
        const Timeline* const source = common >= kWorthCopying ? slots_[best].timeline.get() : nullptr;
        if (source != nullptr && source != slot->timeline.get() && slot->timeline->common_prefix(prompt) < common) {
            (void)make_room(common - slot->timeline->committed());
            TRY(slot->timeline->copy_beginning(*source, common));
        }
    }
    slot->is_taken = true;
    slot->used_at = ++turn_;
    return slot->timeline.get();
}

void CacheSlots::give_back(Timeline* timeline) {
    for (Slot& slot : slots_) {
        if (slot.timeline.get() == timeline) {
            slot.is_taken = false;
            slot.used_at = ++turn_;
        }
    }
}

bool CacheSlots::make_room(std::int64_t tokens) {
    while (committed() + tokens > tokens_max_) {
        Slot* const oldest = longest_unused();
        if (oldest == nullptr) {
            return false;
        }
        oldest->timeline->release();
    }
    return true;
}

void CacheSlots::release_idle() {
    for (Slot& slot : slots_) {
        if (!slot.is_taken) {
            slot.timeline->release();
        }
    }
}

} // namespace handeye
