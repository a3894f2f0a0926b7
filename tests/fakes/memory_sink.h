// SPDX-License-Identifier: Apache-2.0
// Keeps a session's events and blobs in memory; can be told to fail.
#pragma once

#include "agent/step_sink.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace handeye::fakes {

class MemorySink final : public StepSink {
public:
    Result<std::uint64_t> on_event(const SessionEvent& event) override {
        if (fail_at_ && events_.size() + 1 == *fail_at_) {
            return Error{ErrorCode::IoFailed, "the sink was told to fail"};
        }
        for (const Blob& blob : event.blobs) {
            blobs_.emplace(blob.sha256_hex, blob);
        }
        events_.push_back(event);
        return events_.size();
    }
    /// The event with this number (from 1) is refused, and all after it.
    void fail_at(std::size_t seq) { fail_at_ = seq; }

    [[nodiscard]] const std::vector<SessionEvent>& events() const { return events_; }
    [[nodiscard]] const std::map<std::string, Blob>& blobs() const { return blobs_; }
    [[nodiscard]] std::vector<std::string> types() const {
        std::vector<std::string> out;
        for (const SessionEvent& event : events_) {
            out.push_back(event.type);
        }
        return out;
    }
    [[nodiscard]] std::vector<SessionEvent> of_type(const std::string& type) const {
        std::vector<SessionEvent> out;
        for (const SessionEvent& event : events_) {
            if (event.type == type) {
                out.push_back(event);
            }
        }
        return out;
    }

private:
    std::vector<SessionEvent> events_;
    std::map<std::string, Blob> blobs_;
    std::optional<std::size_t> fail_at_;
};

} // namespace handeye::fakes
