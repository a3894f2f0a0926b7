// SPDX-License-Identifier: Apache-2.0
// The caches of all sequences, those at work and those whose sessions may come back, within one number of tokens.
#pragma once

#include "base/result.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/prompt.h"
#include "engine/runtime/timeline.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace handeye {

/// One thread at a time.
class CacheSlots {
public:
    /// `tokens_max`: of all slots together; what a memory plan has reckoned with.
    CacheSlots(const EngineCore& core, std::size_t slots_max, std::int64_t tokens_max)
        : core_(core), slots_max_(slots_max), tokens_max_(tokens_max) {}

    /// A cache for the prompt, holding as much of its beginning as any cache has: an idle one that the prompt continues, else an empty
    /// or the longest unused one, into which the beginning is copied. As many slots as sequences at a time: there is always one.
    Result<Timeline*> take(const Prompt& prompt);
    /// Stays as it is for who comes next.
    void give_back(Timeline* timeline);
    /// Empties idle caches, the longest unused first, until `tokens` more fit. False: they do not even then.
    bool make_room(std::int64_t tokens);
    void release_idle();
    [[nodiscard]] std::int64_t committed() const;

private:
    struct Slot {
        std::unique_ptr<Timeline> timeline;
        bool is_taken = false;
        std::uint64_t used_at = 0; ///< a turn, not a time
    };
    Slot* longest_unused();
    Result<Slot*> free_slot();

    const EngineCore& core_;
    const std::size_t slots_max_;
    const std::int64_t tokens_max_;
    std::vector<Slot> slots_;
    std::uint64_t turn_ = 0;
};

} // namespace handeye
