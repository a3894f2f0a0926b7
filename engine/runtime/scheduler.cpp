// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/scheduler.h"

#include "engine/runtime/memory.h"

#include <algorithm>
#include <map>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::int64_t kSharedChunk = 128; // prompt rows between two tokens of the others: they go on five times as slowly, not a hundred times

} // namespace

Scheduler::Scheduler(std::unique_ptr<EngineCore> core, const SchedulerLimits& limits)
    : core_(std::move(core)),
      limits_{.sequences_max = std::clamp<std::size_t>(limits.sequences_max, 1, kernels::kFewRows), .waiting_max = limits.waiting_max,
              .guesses = limits.guesses},
      slots_(*core_, limits_.sequences_max, core_->timeline().capacity()), device_([this](const std::stop_token& stop) { work(stop); }) {}

Scheduler::~Scheduler() = default;

EngineLoad Scheduler::load() const {
    const std::lock_guard lock(mutex_);
    EngineLoad now = load_;
    now.waiting = waiting_.size();
    return now;
}

Result<void> Scheduler::wait_in_line(TokenSequence& sequence) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= limits_.waiting_max) {
            return Error{ErrorCode::Overloaded, fmt::format("{} requests wait for the engine already", limits_.waiting_max)};
        }
        waiting_.push_back(&sequence);
    }
    changed_.notify_all();
    return {};
}

Result<Completion> Scheduler::run(const ChatRequest& request, const OnText& on_text, std::stop_token stop) {
    const std::unique_ptr<TokenSequence> sequence = TRY(TokenSequence::begin(*core_, request, stop, memory_.recall(request.session)));
    TRY(wait_in_line(*sequence));
    const std::stop_callback wake(stop, [this] { changed_.notify_all(); });
    return sequence->outbox().read(on_text);
}

void Scheduler::work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return !waiting_.empty() || !active_.empty(); });
        }
        admit();
        try {
            step();
        } catch (const std::bad_alloc&) {
            for (TokenSequence* sequence : active_) {
                sequence->fail({ErrorCode::OutOfMemory, "not enough memory for this request's pictures and tokens"});
            }
            core_->forget_all();
            slots_.release_idle();
        }
        retire();
    }
    for (TokenSequence* sequence : active_) {
        sequence->cancel();
    }
    retire();
    const std::lock_guard lock(mutex_);
    for (TokenSequence* sequence : std::exchange(waiting_, {})) {
        sequence->cancel();
        sequence->deliver();
    }
}

void Scheduler::admit() {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::size_t, std::less<>> shares;
    for (const TokenSequence* sequence : active_) {
        ++shares[sequence->session()];
    }
    while (!waiting_.empty() && active_.size() < limits_.sequences_max) {
        const auto next = std::min_element(waiting_.begin(), waiting_.end(), [&](const TokenSequence* a, const TokenSequence* b) {
            return shares[a->session()] < shares[b->session()]; // of equals the first
        });
        ++shares[(*next)->session()];
        active_.push_back(*next);
        waiting_.erase(next);
    }
    load_.running = active_.size();
}

void Scheduler::step() {
    drop_stopped();
    decode();
    prefill_one();
}

void Scheduler::drop_stopped() {
    const TimePoint now = engine_now();
    const auto end_if_over = [now](TokenSequence& sequence) {
        if (sequence.stop().stop_requested()) {
            sequence.cancel();
        } else if (sequence.is_out_of_time(now)) {
            sequence.end_in_time();
        }
        return sequence.has_ended();
    };
    for (TokenSequence* sequence : active_) {
        if (!sequence->has_ended()) {
            end_if_over(*sequence);
        }
    }
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](TokenSequence* sequence) {
        if (!end_if_over(*sequence)) {
            return false;
        }
        sequence->deliver();
        return true;
    });
}

// One token, or the few that are due, of every answer that has begun.
void Scheduler::decode() {
    std::vector<TokenSequence*> sequences;
    const bool is_alone = std::count_if(active_.begin(), active_.end(), [](const TokenSequence* s) { return !s->has_ended(); }) == 1;
    for (TokenSequence* sequence : std::vector(active_)) {
        if (is_alone && limits_.guesses && !sequence->due().empty()) {
            sequence->guess(GuessPolicy::kGuessMax); // beside others the rows are theirs
        }
        const auto due = static_cast<std::int64_t>(sequence->due().size());
        if (sequence->has_ended() || due == 0) {
            continue;
        }
        if (!make_room(due, *sequence)) {
            sequence->fail({ErrorCode::LimitExceeded, fmt::format("the context of {} tokens is full", core_->timeline().capacity())});
            continue;
        }
        sequences.push_back(sequence);
    }
    std::erase_if(sequences, [](const TokenSequence* sequence) { return sequence->due().empty() || sequence->has_ended(); }); // their room was taken
    std::vector<EngineCore::PassRows> parts;
    for (const TokenSequence* sequence : sequences) {
        parts.push_back({.timeline = sequence->timeline, .ids = sequence->due(), .position_offset = sequence->position_offset(), .logit_rows = {}, .scale = sequence->scale()});
        for (auto row = sequence->first_wanted(); row < static_cast<std::int64_t>(sequence->due().size()); ++row) {
            parts.back().logit_rows.push_back(row);
        }
    }
    if (parts.empty()) {
        return;
    }
    for (const TokenSequence* sequence : sequences) {
        if (auto ahead = sequence->mask_ahead()) {
            masks_.compute(*std::move(ahead));
        }
    }
    const std::size_t guessed = sequences.front()->guessed();
    const std::int64_t before = sequences.front()->new_count();
    const TimePoint begin = engine_now();
    const auto logits = core_->forward_rows(parts, sequences.size() == 1 ? sequences.front()->stop() : std::stop_token());
    std::size_t row = 0;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
        const std::size_t rows = parts[i].logit_rows.size();
        if (logits) {
            sequences[i]->take(std::span(*logits).subspan(row, rows));
        } else if (logits.error().code == ErrorCode::Cancelled) {
            sequences[i]->cancel();
        } else {
            sequences[i]->fail(logits.error());
        }
        row += rows;
    }
    const auto gained = static_cast<std::size_t>(sequences.front()->new_count() - before);
    if (is_alone) {
        sequences.front()->note_pass(guessed, gained, engine_now() - begin);
    }
    const std::lock_guard lock(mutex_);
    ++load_.passes;
    load_.pass_rows += sequences.size();
    load_.guessed_tokens += guessed;
    load_.right_guesses += guessed > 0 && gained > 0 ? std::min(guessed, gained - 1) : 0;
}

// One chunk of one prompt; the next chunk is another's.
void Scheduler::prefill_one() {
    for (std::size_t i = 0; i < active_.size(); ++i) {
        TokenSequence& sequence = *active_[next_prefill_++ % active_.size()];
        if (sequence.has_ended() || !sequence.due().empty()) {
            continue;
        }
        if (const auto done = prefill_chunk(sequence); !done) {
            done.error().code == ErrorCode::Cancelled ? sequence.cancel() : sequence.fail(done.error());
        }
        return;
    }
}

Result<void> Scheduler::prefill_chunk(TokenSequence& sequence) {
    const auto count = static_cast<std::int64_t>(sequence.prompt().ids.size());
    if (sequence.timeline == nullptr) {
        sequence.timeline = TRY(slots_.take(sequence.prompt()));
        sequence.timeline->truncate(reusable_rows(sequence.timeline->common_prefix(sequence.prompt()), count));
        sequence.note_reused(sequence.timeline->size());
    }
    const bool others_wait = std::any_of(active_.begin(), active_.end(), [](const TokenSequence* other) { return !other->due().empty(); });
    const std::int64_t first = sequence.timeline->size();
    const std::int64_t rows = chunk_rows(count - first, others_wait ? kSharedChunk : core_->prefill_rows());
    if (!make_room(first + rows - sequence.timeline->committed(), sequence)) {
        return Error{ErrorCode::LimitExceeded, fmt::format("a prompt of {} tokens finds no room in the caches", count)};
    }
    const auto between = [&] {
        if (others_wait) {
            decode();
        }
    };
    TRY(core_->hold_images(sequence.prompt(), first, rows, sequence.images(), sequence.timings(), {.stop = sequence.stop(), .between = between, .tap = {}}));
    if (sequence.timeline == nullptr) {
        return {}; // a token of the others took its place meanwhile: it begins again
    }
    const TimePoint begin = engine_now();
    EngineCore::PassRows part{.timeline = sequence.timeline,
                              .ids = std::span(sequence.prompt().ids).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)),
                              .prompt = &sequence.prompt(), .images = &sequence.images(), .logit_rows = {}, .scale = sequence.scale()};
    if (first + rows == count) {
        part.logit_rows.push_back(rows - 1);
    }
    const std::vector<LogitRow> logits = TRY(core_->forward_rows({&part, 1}, sequence.stop()));
    sequence.timings().prefill += engine_now() - begin;
    if (first + rows == count) {
        sequence.images().clear();
        sequence.take(logits);
    }
    const std::lock_guard lock(mutex_);
    load_.prefill_tokens += static_cast<std::uint64_t>(rows);
    load_.images_embedded = core_->images_embedded();
    return {};
}

bool Scheduler::make_room(std::int64_t tokens, TokenSequence& keep) {
    while (!slots_.make_room(tokens)) {
        const auto victim = std::find_if(active_.rbegin(), active_.rend(), [&](const TokenSequence* s) { return s != &keep && s->timeline != nullptr; });
        if (victim == active_.rend()) {
            return false;
        }
        (*victim)->timeline->release();
        slots_.give_back((*victim)->timeline);
        (*victim)->start_again();
        const std::lock_guard lock(mutex_);
        ++load_.restarts;
    }
    return true;
}

void Scheduler::retire() {
    std::vector<TokenSequence*> ended;
    for (TokenSequence* sequence : active_) {
        if (sequence->has_ended()) {
            ended.push_back(sequence);
        }
    }
    std::erase_if(active_, [](const TokenSequence* sequence) { return sequence->has_ended(); });
    {
        const std::lock_guard lock(mutex_);
        load_.running = active_.size();
        load_.cached_tokens = slots_.committed();
        for (TokenSequence* sequence : ended) {
            ++load_.answers;
            load_.prompt_tokens += static_cast<std::uint64_t>(sequence->usage().prompt_tokens);
            load_.reused_tokens += static_cast<std::uint64_t>(sequence->usage().reused_tokens);
            load_.completion_tokens += static_cast<std::uint64_t>(sequence->usage().completion_tokens);
        }
    }
    for (TokenSequence* sequence : ended) {
        if (limits_.guesses && !sequence->session().empty()) {
            memory_.remember(sequence->session(), sequence->ids());
        }
        if (sequence->timeline != nullptr) {
            slots_.give_back(sequence->timeline);
        }
        sequence->deliver();
    }
}

} // namespace handeye
