// SPDX-License-Identifier: Apache-2.0
// What a person did and nobody has looked at yet. Inside this folder only.
#pragma once

#include "platforms/person_input.h"

#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

namespace handeye {

/// Filled by a thread of the platform; whoever waits for the screen is woken.
class PersonMailbox {
public:
    void put(const PersonInput& input) {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(input);
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

private:
    std::mutex mutex_; // guards both
    std::vector<PersonInput> waiting_;
    std::stop_source wake_;
};

} // namespace handeye
