// SPDX-License-Identifier: Apache-2.0
// The states of a grammar as a table that fills itself: a transition is computed the first time it is taken. Counters are cut to what
// one token can count, so that a text of up to 10,000 characters has a few hundred states. Any threads may use one together.
#pragma once

#include "engine/grammar/stacks.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace handeye {

struct DfaState {
    Positions positions;
    bool may_end = false;
    std::uint32_t index = 0;
    std::unique_ptr<std::atomic<const DfaState*>[]> next; ///< by class of bytes, then by token; nullptr: not computed yet
};

class LazyDfa {
public:
    LazyDfa(std::shared_ptr<const Grammar> grammar, std::size_t bytes_max);

    /// The state that stands for these positions with counters cut to `counter_max`; nullptr: the table is full.
    const DfaState* find(const FrameStore& frames, const Positions& positions, std::uint32_t counter_max);
    /// dead() where the symbol may not come; nullptr: the table is full, or the grammar is too ambiguous. Lock-free once computed.
    const DfaState* next(const DfaState& from, std::uint32_t symbol_class) {
        const DfaState* const known = from.next[symbol_class].load(std::memory_order_acquire);
        return known != nullptr ? known : compute(from, symbol_class);
    }
    [[nodiscard]] const DfaState* dead() const { return dead_; }
    [[nodiscard]] const Network& network() const { return grammar_->network(); }
    /// Different for every table of the process.
    [[nodiscard]] std::uint64_t serial() const { return serial_; }
    [[nodiscard]] std::size_t size_bytes() const { return bytes_.load(std::memory_order_relaxed); }
    /// Positions looked at since the table began: what its states have cost.
    [[nodiscard]] std::size_t work() const { return work_.load(std::memory_order_relaxed); }

private:
    const DfaState* compute(const DfaState& from, std::uint32_t symbol_class);
    const DfaState* intern(Positions positions); ///< with mutex_ held
    [[nodiscard]] std::uint32_t symbol_of(std::uint32_t symbol_class) const;

    const std::shared_ptr<const Grammar> grammar_;
    const std::size_t bytes_max_;
    const std::uint64_t serial_;
    std::atomic<std::size_t> bytes_{0};
    std::atomic<std::size_t> work_{0};
    mutable std::mutex mutex_; ///< over all below; a state itself never changes but in `next`
    FrameStore frames_;
    Stepper stepper_;
    std::vector<std::unique_ptr<DfaState>> states_;
    std::unordered_multimap<std::size_t, const DfaState*> by_hash_;
    const DfaState* dead_ = nullptr;
};

} // namespace handeye
