// SPDX-License-Identifier: Apache-2.0
// Many answers from one device: prompts in chunks, one token of every answer in each pass over the weights.
#pragma once

#include "base/result.h"
#include "engine/chat.h"
#include "engine/chat_model.h"
#include "engine/runtime/cache_slots.h"
#include "engine/runtime/engine_core.h"
#include "engine/runtime/mask_worker.h"
#include "engine/runtime/sequence.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

namespace handeye {

struct SchedulerLimits {
    std::size_t sequences_max = 8; ///< answers at a time, at most kernels::kFewRows
    std::size_t waiting_max = 64;  ///< beyond these: Overloaded
    bool guesses = true;           ///< an answer alone is guessed ahead where that pays; it stays the same, token for token
};

/// Owns the device's thread. Greedy ids, and those of a seed, do not depend on what else is being answered.
class Scheduler {
public:
    Scheduler(std::unique_ptr<EngineCore> core, const SchedulerLimits& limits);
    ~Scheduler();

    /// Answers one request; any thread, several at once. `on_text` runs on the caller's thread.
    Result<Completion> run(const ChatRequest& request, const OnText& on_text, std::stop_token stop);
    [[nodiscard]] EngineLoad load() const;
    [[nodiscard]] const EngineCore& core() const { return *core_; }

private:
    Result<void> wait_in_line(TokenSequence& sequence);
    void work(const std::stop_token& stop);
    /// Sequences that wait take free places: of the session that has fewest, and of those the one that came first.
    void admit();
    void step();
    void decode();
    void prefill_one();
    Result<void> prefill_chunk(TokenSequence& sequence);
    void drop_stopped();
    void retire();
    /// Empties idle caches, then takes that of the sequence that came last, until `tokens` more find room beside what stays. False: only `keep` is left.
    bool make_room(std::int64_t tokens, TokenSequence& keep);

    std::unique_ptr<EngineCore> core_;
    const SchedulerLimits limits_;
    CacheSlots slots_;
    MaskWorker masks_;
    AnswerMemory memory_; ///< of sessions that have a name: what one was told is nobody else's to guess from
    std::vector<TokenSequence*> active_;  // in the order in which they came; the device's thread
    std::size_t next_prefill_ = 0;   // whose turn the next chunk is
    mutable std::mutex mutex_;       // guards the rest
    std::condition_variable_any changed_;
    std::deque<TokenSequence*> waiting_;
    EngineLoad load_;
    std::jthread device_; // last: it uses the others
};

} // namespace handeye
