// SPDX-License-Identifier: Apache-2.0
// One order of events from two accounts of the same input. Pure, but for what it calls.
#pragma once

#include "platforms/x11/raw_input.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace handeye::x11 {

/// X servers lose events of the RECORD extension once its client lags so far behind that the socket between them is full: in
/// FlushClient(), what is recorded while older data waits is taken to be written with it. That is some hundred events; below, an event that
/// is raw alone is none that programs got: AccessX held it back, its button is mapped to none.
class InputMerge {
public:
    static constexpr std::size_t kLagMin = 64; ///< events at once; a full socket holds more

    /// `tell`: an event in its turn; `recovered`: it was told raw alone.
    explicit InputMerge(std::function<void(const HeardInput& heard, bool recovered)> tell) : tell_(std::move(tell)) {}

    void add_raw(const HeardInput& raw) {
        ++burst_;
        if (!take(early_, raw)) {
            raws_.push_back(raw);
            ++raws_ever_;
        }
    }
    void add_recorded(const HeardInput& recorded) {
        ++burst_;
        recorded_.push_back(recorded);
    }
    /// Tells what is due. In a burst raw events may come after recorded ones that are younger.
    void advance() {
        while (!recorded_.empty() && (has_raw(recorded_.front()) || burst_ < kLagMin)) {
            tell_recorded();
        }
    }
    /// Whether something may have been lost that nothing has shown yet.
    [[nodiscard]] bool is_in_doubt() const { return burst_ >= kLagMin && (!raws_.empty() || !recorded_.empty()); }
    /// A place in the stream of raw events: now.
    [[nodiscard]] std::size_t mark() const { return raws_ever_; }
    /// Everything that was told of events before `mark`, in either way, has been added.
    void settle(std::size_t mark) {
        while (!recorded_.empty()) {
            tell_recorded();
        }
        const std::size_t gone = raws_ever_ - raws_.size();
        pass(mark > gone ? mark - gone : 0);
    }
    /// Nothing is waiting to be read, and nothing is in doubt.
    void rest() {
        burst_ = 0;
        raws_.clear();
    }

private:
    static constexpr std::size_t kKeptMax = 1024; ///< of those that stand for themselves

    /// In one millisecond a key may go down twice, with shift and without: the one with the same state, or else the first.
    [[nodiscard]] std::size_t raw_of(const HeardInput& recorded) const {
        std::size_t first = raws_.size();
        for (std::size_t i = 0; i < raws_.size(); ++i) {
            if (first < raws_.size() && raws_[i].time_ms != recorded.time_ms) {
                break;
            }
            if (!raws_[i].is_same(recorded)) {
                continue;
            }
            if (raws_[i].state == recorded.state) {
                return i;
            }
            first = std::min(first, i);
        }
        return first;
    }
    [[nodiscard]] bool has_raw(const HeardInput& recorded) const { return raw_of(recorded) < raws_.size(); }
    void tell_recorded() {
        const HeardInput recorded = recorded_.front();
        recorded_.pop_front();
        const std::size_t raw = raw_of(recorded);
        if (raw < raws_.size()) {
            pass(raw);
            raws_.pop_front();
        } else if (take(recovered_, recorded)) {
            return;
        } else {
            keep(early_, recorded); // its raw event is on its way; or it has none, as a key that repeats itself
        }
        tell_(recorded, false);
    }
    static bool take(std::deque<HeardInput>& from, const HeardInput& what) {
        for (auto it = from.begin(); it != from.end(); ++it) {
            if (it->is_same(what)) {
                from.erase(it);
                return true;
            }
        }
        return false;
    }
    static void keep(std::deque<HeardInput>& in, const HeardInput& what) {
        in.push_back(what);
        if (in.size() > kKeptMax) {
            in.pop_front();
        }
    }
    void pass(std::size_t count) {
        for (; count > 0; --count) {
            const HeardInput raw = raws_.front();
            raws_.pop_front();
            if (burst_ >= kLagMin) {
                keep(recovered_, raw);
                tell_(raw, true);
            }
        }
    }

    std::function<void(const HeardInput& heard, bool recovered)> tell_;
    std::deque<HeardInput> raws_;      ///< of nothing that was told yet, oldest first
    std::deque<HeardInput> recorded_;  ///< not told yet, oldest first
    std::deque<HeardInput> early_;     ///< told as recorded, and not raw
    std::deque<HeardInput> recovered_; ///< told raw, should they be recorded after all
    std::size_t burst_ = 0;            ///< since nothing was waiting
    std::size_t raws_ever_ = 0;
};

} // namespace handeye::x11
