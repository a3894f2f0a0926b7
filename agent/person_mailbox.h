// SPDX-License-Identifier: Apache-2.0
// What a person did and nobody has looked at yet. Inside this folder only.
#pragma once

#include "platforms/person_input.h"

#include <cstddef>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

namespace handeye {

/// Filled by a thread of the platform; whoever waits for the screen is woken.
class PersonMailbox {
public:
    static constexpr std::size_t kWaitingMax = 100'000; ///< more than hands make in an hour: some 16 MiB

    /// What is too much is dropped, and has_overflowed() says so for good.
    void put(const PersonInput& input) {
        const std::lock_guard lock(mutex_);
        has_overflowed_ = has_overflowed_ || waiting_.size() >= kWaitingMax;
        if (!has_overflowed_) {
            waiting_.push_back(input);
        }
        wake_.request_stop();
    }
    std::vector<PersonInput> take() {
        const std::lock_guard lock(mutex_);
        if (wake_.stop_requested()) {
            wake_ = {};
        }
        return std::exchange(waiting_, {});
    }
    /// Requested when something is put; of now.
    std::stop_token token() {
        const std::lock_guard lock(mutex_);
        return wake_.get_token();
    }

    [[nodiscard]] bool has_overflowed() {
        const std::lock_guard lock(mutex_);
        return has_overflowed_;
    }

private:
    std::mutex mutex_; // guards all
    std::vector<PersonInput> waiting_;
    bool has_overflowed_ = false;
    std::stop_source wake_;
};

} // namespace handeye
