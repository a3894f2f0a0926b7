// SPDX-License-Identifier: Apache-2.0
#include "platforms/vnc/greeting.h"

#include <algorithm>
#include <utility>

namespace handeye::vnc {
namespace {

constexpr std::size_t kVersionBytes = 12; // "RFB 003.008\n"
constexpr std::size_t kReasonBytesMax = 1000;
constexpr std::string_view kFirstWithList = "RFB 003.007\n";

bool is_zero(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

} // namespace

bool Greeting::is_one_number() const { return ours_.size() == kVersionBytes && ours_ < kFirstWithList; }

std::size_t Greeting::wanted() const {
    switch (state_) {
    case State::Version: return kVersionBytes - head_.size();
    case State::Types: return (is_one_number() ? 4 : 1) - head_.size();
    case State::ReasonLength: return 4 - head_.size();
    case State::Reason: return reason_bytes_ - reason_.size();
    case State::Refused:
    case State::Over: break;
    }
    return 0;
}

std::string Greeting::take(std::string_view bytes) {
    if (state_ == State::Reason) {
        reason_ += bytes;
        state_ = wanted() == 0 ? State::Refused : state_;
        return {};
    }
    if (state_ == State::Over) {
        return std::string(bytes);
    }
    head_ += bytes;
    if (wanted() > 0) {
        return {};
    }
    const std::string part = std::exchange(head_, {});
    if (state_ == State::ReasonLength) {
        for (const char byte : part) {
            reason_bytes_ = reason_bytes_ << 8U | static_cast<unsigned char>(byte);
        }
        reason_bytes_ = std::min(reason_bytes_, kReasonBytesMax);
        state_ = reason_bytes_ == 0 ? State::Refused : State::Reason;
        return {};
    }
    if (state_ == State::Types && is_zero(part)) {
        state_ = State::ReasonLength;
        return {};
    }
    state_ = state_ == State::Version ? State::Types : State::Over;
    return part;
}

void Greeting::sent(std::string_view bytes) {
    if (ours_.size() < kVersionBytes) {
        ours_ += bytes.substr(0, kVersionBytes - ours_.size());
    }
}

} // namespace handeye::vnc
