// SPDX-License-Identifier: Apache-2.0
#include "engine/grammar/lazy_dfa.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr std::size_t kStateOverheadBytes = 160; ///< the state, its slot and its place in the index

std::uint64_t new_serial() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

std::size_t hash_of(const Positions& positions) {
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (const Position p : positions) {
        hash = (hash ^ p.node) * 0x9E3779B97F4A7C15ULL;
        hash = (hash ^ (hash >> 32U) ^ p.frame) * 0xBF58476D1CE4E5B9ULL;
    }
    return static_cast<std::size_t>(hash ^ hash >> 31U);
}

} // namespace

LazyDfa::LazyDfa(std::shared_ptr<const Grammar> grammar, std::size_t bytes_max)
    : grammar_(std::move(grammar)), bytes_max_(bytes_max), serial_(new_serial()),
      stepper_(grammar_->network()) {
    dead_ = intern({});
}

std::uint32_t LazyDfa::symbol_of(std::uint32_t symbol_class) const {
    const Network& net = network();
    return symbol_class < net.class_byte.size() ? net.class_byte[symbol_class]
                                                : 256 + symbol_class - static_cast<std::uint32_t>(net.class_byte.size());
}

const DfaState* LazyDfa::intern(Positions positions) {
    const std::size_t hash = hash_of(positions);
    const auto [begin, end] = by_hash_.equal_range(hash);
    for (auto at = begin; at != end; ++at) {
        if (at->second->positions == positions) {
            return at->second;
        }
    }
    const std::size_t symbols = network().symbol_count();
    const std::size_t bytes = kStateOverheadBytes + positions.size() * sizeof(Position) + symbols * sizeof(void*);
    if (!states_.empty() && bytes_ + bytes + frames_.size_bytes() > bytes_max_) {
        return nullptr;
    }
    auto state = std::make_unique<DfaState>();
    state->may_end = may_end(positions);
    positions.shrink_to_fit();
    state->positions = std::move(positions);
    state->index = static_cast<std::uint32_t>(states_.size());
    state->next = std::make_unique<std::atomic<const DfaState*>[]>(symbols);
    if (state->positions.empty()) {
        for (std::size_t i = 0; i < symbols; ++i) {
            state->next[i].store(state.get(), std::memory_order_relaxed);
        }
    }
    bytes_ += bytes;
    states_.push_back(std::move(state));
    by_hash_.emplace(hash, states_.back().get());
    return states_.back().get();
}

const DfaState* LazyDfa::find(const FrameStore& frames, const Positions& positions, std::uint32_t counter_max) {
    const std::lock_guard lock(mutex_);
    Positions copy;
    copy.reserve(positions.size());
    for (const Position p : positions) {
        copy.push_back({p.node, copy_frame(frames, p.frame, frames_, counter_max)});
    }
    std::sort(copy.begin(), copy.end());
    copy.erase(std::unique(copy.begin(), copy.end()), copy.end()); // cut counters can make stacks equal
    return intern(std::move(copy));
}

const DfaState* LazyDfa::compute(const DfaState& from, std::uint32_t symbol_class) {
    const std::lock_guard lock(mutex_);
    if (const DfaState* const known = from.next[symbol_class].load(std::memory_order_relaxed)) {
        return known; // another thread was quicker
    }
    Positions positions;
    const bool is_within_limits = stepper_.step(frames_, from.positions, symbol_of(symbol_class), positions);
    work_ += from.positions.size() + stepper_.visits();
    if (!is_within_limits) {
        return nullptr;
    }
    const DfaState* const to = intern(std::move(positions));
    if (to != nullptr) {
        from.next[symbol_class].store(to, std::memory_order_release);
    }
    return to;
}

} // namespace handeye
