// SPDX-License-Identifier: Apache-2.0
#include "server/openai/crowd.h"

namespace handeye {

std::optional<std::uint64_t> Crowd::longest_silent(const std::string& address) const {
    for (const auto& [turn, number] : silent_) {
        if (address.empty() || guests_.at(number).address == address) {
            return number;
        }
    }
    return std::nullopt;
}

Crowd::Admission Crowd::admit(std::uint64_t number, const std::string& address) {
    const auto found = per_address_.find(address);
    const bool is_share_taken = found != per_address_.end() && found->second >= limits_.address_connections_max;
    const bool is_full = guests_.size() >= limits_.connections_max;
    Admission out;
    if (is_share_taken || is_full || silent_.size() >= limits_.silent_max) {
        out.leaves = longest_silent(is_share_taken ? address : "");
        if (!out.leaves && (is_share_taken || is_full)) {
            return out;
        }
    }
    if (out.leaves) {
        leave(*out.leaves);
    }
    guests_[number].address = address;
    ++per_address_[address];
    fall_silent(number);
    out.is_admitted = true;
    return out;
}

void Crowd::speak(std::uint64_t number) {
    if (const auto guest = guests_.find(number); guest != guests_.end() && guest->second.silent_since) {
        silent_.erase(*guest->second.silent_since);
        guest->second.silent_since.reset();
    }
}

void Crowd::fall_silent(std::uint64_t number) {
    if (const auto guest = guests_.find(number); guest != guests_.end() && !guest->second.silent_since) {
        guest->second.silent_since = next_turn_++;
        silent_[*guest->second.silent_since] = number;
    }
}

bool Crowd::hold(std::uint64_t number, std::size_t bytes) {
    const auto guest = guests_.find(number);
    if (guest == guests_.end()) {
        return false;
    }
    const std::size_t others = body_bytes_ - guest->second.body_bytes;
    if (bytes > limits_.body_bytes_max || others > limits_.body_bytes_max - bytes) {
        return false;
    }
    body_bytes_ = others + bytes;
    guest->second.body_bytes = bytes;
    return true;
}

void Crowd::release(std::uint64_t number) { (void)hold(number, 0); }

void Crowd::leave(std::uint64_t number) {
    const auto guest = guests_.find(number);
    if (guest == guests_.end()) {
        return;
    }
    speak(number);
    release(number);
    if (--per_address_[guest->second.address] == 0) {
        per_address_.erase(guest->second.address);
    }
    guests_.erase(guest);
}

} // namespace handeye
