// SPDX-License-Identifier: Apache-2.0
#include "server/openai/text_split.h"

#include <algorithm>
#include <utility>

namespace handeye {
namespace {

constexpr std::string_view kBegin = "<think>";
constexpr std::string_view kEnd = "</think>";
constexpr std::string_view kBlanks = " \t\r\n";

/// How many bytes at the end of `text` are the beginning of `mark`, and not all of it.
std::size_t begun(std::string_view text, std::string_view mark) {
    for (std::size_t n = std::min(text.size(), mark.size() - 1); n > 0; --n) {
        if (text.ends_with(mark.substr(0, n))) {
            return n;
        }
    }
    return 0;
}

} // namespace

std::string StopTrim::push(std::string_view text) {
    if (is_stopped_) {
        return "";
    }
    pending_ += text;
    std::size_t cut = std::string::npos;
    std::size_t held = 0;
    for (const std::string& stop : stops_) {
        cut = std::min(cut, pending_.find(stop));
        held = std::max(held, begun(pending_, stop));
    }
    is_stopped_ = cut != std::string::npos;
    std::string out = pending_.substr(0, is_stopped_ ? cut : pending_.size() - held);
    pending_.erase(0, is_stopped_ ? pending_.size() : out.size());
    return out;
}

std::string StopTrim::finish() { return std::exchange(pending_, ""); }

bool ReasoningSplit::step(Piece& out) {
    switch (state_) {
    case State::Begin: {
        const std::size_t first = std::min(pending_.find_first_not_of(kBlanks), pending_.size());
        const std::string_view text = std::string_view(pending_).substr(first);
        if (text.starts_with(kBegin)) {
            drop(first + kBegin.size());
            state_ = State::Thinking;
            return true;
        }
        if (kBegin.starts_with(text)) {
            return false;
        }
        state_ = State::Content;
        return true;
    }
    case State::Thinking: {
        const std::size_t end = pending_.find(kEnd);
        const std::size_t safe = end != std::string::npos ? end : pending_.size() - begun(pending_, kEnd);
        out.reasoning += pending_.substr(0, safe);
        drop(end != std::string::npos ? end + kEnd.size() : safe);
        state_ = end != std::string::npos ? State::AfterThinking : state_;
        return end != std::string::npos;
    }
    case State::AfterThinking:
        drop(std::min(pending_.find_first_not_of(kBlanks), pending_.size()));
        if (pending_.empty()) {
            return false;
        }
        state_ = State::Content;
        return true;
    case State::Content: out.content += std::exchange(pending_, ""); return false;
    }
    return false;
}

ReasoningSplit::Piece ReasoningSplit::push(std::string_view text) {
    pending_ += text;
    Piece out;
    while (step(out)) {
    }
    return out;
}

ReasoningSplit::Piece ReasoningSplit::finish() {
    Piece out;
    (state_ == State::Thinking ? out.reasoning : out.content) = std::exchange(pending_, "");
    state_ = state_ == State::Begin ? State::Content : state_; // it only began like thinking
    return out;
}

} // namespace handeye
