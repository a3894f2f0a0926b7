// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/lookup.h"

#include <algorithm>
#include <chrono>

namespace handeye {
namespace {

constexpr double kMemory = 0.8;      // of what was measured before, in a running mean
constexpr double kWorthIt = 1.02;    // tokens for the time of one
constexpr double kGainAtFirst = 1.15; // trusted after a pause: two wrong guesses end it
constexpr int kPauseMax = 4096;      // tokens

double mean(double before, double now) { return kMemory * before + (1 - kMemory) * now; }

} // namespace

std::uint64_t PromptLookup::key_at(std::size_t end) const {
    std::uint64_t key = 0xCBF2'9CE4'8422'2325U; // FNV-1a over ids
    for (std::size_t i = end - kTokens; i < end; ++i) {
        key = (key ^ static_cast<std::uint32_t>(ids_[i])) * 0x100'0000'01B3U;
    }
    return key;
}

void PromptLookup::append(std::span<const TokenId> ids) {
    for (const TokenId id : ids) {
        // The place before this token becomes known only now: the sequence's own end must not find itself.
        if (ids_.size() >= kTokens) {
            after_[key_at(ids_.size())] = static_cast<std::uint32_t>(ids_.size());
        }
        ids_.push_back(id);
    }
}

std::vector<TokenId> PromptLookup::guess(std::size_t count) const {
    if (ids_.size() < kTokens) {
        return {};
    }
    const auto found = after_.find(key_at(ids_.size()));
    if (found == after_.end()) {
        return {};
    }
    const std::size_t begin = found->second;
    const bool is_same = std::equal(ids_.end() - kTokens, ids_.end(), ids_.begin() + static_cast<std::ptrdiff_t>(begin - kTokens));
    if (!is_same) {
        return {};
    }
    const auto first = ids_.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = ids_.begin() + static_cast<std::ptrdiff_t>(std::min(begin + count, ids_.size()));
    return {first, std::find(first, last, AnswerMemory::kBetween)};
}

void GuessPolicy::note(std::size_t guessed, std::size_t gained, Duration took) {
    const double seconds = std::chrono::duration<double>(took).count();
    if (guessed == 0) {
        plain_s_ = plain_s_ > 0 ? mean(plain_s_, seconds) : seconds;
        pause_ = std::max(0, pause_ - static_cast<int>(gained));
        return;
    }
    if (plain_s_ <= 0 || seconds <= 0) {
        return;
    }
    gain_ = mean(gain_, static_cast<double>(gained) * plain_s_ / seconds);
    if (gain_ < kWorthIt) {
        pause_ = next_pause_;
        next_pause_ = std::min(kPauseMax, next_pause_ * 2);
        gain_ = kGainAtFirst;
    } else if (gain_ > kGainAtFirst) {
        next_pause_ = 32;
    }
}

void AnswerMemory::remember(const std::string& session, std::span<const TokenId> answer) {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(sessions_, session, &Session::name);
    if (known == sessions_.end()) {
        sessions_.push_front({.name = session, .ids = {}});
    } else {
        sessions_.splice(sessions_.begin(), sessions_, known);
    }
    std::vector<TokenId>& ids = sessions_.front().ids;
    ids.insert(ids.end(), answer.begin(), answer.end());
    ids.push_back(kBetween);
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(std::min(ids.size(), kTokensMax)));
    if (sessions_.size() > kSessionsMax) {
        sessions_.pop_back();
    }
}

std::vector<TokenId> AnswerMemory::recall(const std::string& session) const {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(sessions_, session, &Session::name);
    return known == sessions_.end() ? std::vector<TokenId>() : known->ids;
}

} // namespace handeye
