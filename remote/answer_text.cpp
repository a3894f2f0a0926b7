// SPDX-License-Identifier: Apache-2.0
#include "remote/answer_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::size_t kDigitsMax = 3;

bool is_blank(std::string_view text) { return text.find_first_not_of(kBlanks) == std::string_view::npos; }

std::optional<int> number_of(std::string_view token) {
    int value = 0;
    const auto [end, problem] = std::from_chars(token.data(), token.data() + token.size(), value);
    const bool is_number = !token.empty() && token.size() <= kDigitsMax && token.front() != '-' && problem == std::errc() && end == token.data() + token.size();
    return is_number ? std::optional(value) : std::nullopt;
}

// Of the tokens that a server tells, which are the most probable ones alone.
std::vector<NumberSpread::Chance> chances_of(const TokenLogprobs& token) {
    std::map<int, double> chances;
    for (const TokenChance& one : token.top) {
        if (const auto value = number_of(one.bytes); value && std::exp(one.logprob) >= kNumberChanceMin) {
            chances[*value] = std::max(chances[*value], std::exp(one.logprob));
        }
    }
    if (const auto own = number_of(token.token.bytes); own && !chances.contains(*own) && std::exp(token.token.logprob) >= kNumberChanceMin) {
        chances[*own] = std::exp(token.token.logprob);
    }
    std::vector<NumberSpread::Chance> out;
    for (const auto& [value, probability] : chances) {
        out.push_back({value, probability});
    }
    return out;
}

} // namespace

std::size_t character_border(std::string_view text, std::size_t at) {
    at = std::min(at, text.size());
    while (at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) {
        --at;
    }
    return at;
}

AnswerText::AnswerText(AnswerTextOptions options) : options_(std::move(options)), begun_bytes_(options_.begun.size()), text_(options_.begun) {}

bool AnswerText::is_thought_open() const {
    const std::size_t begin = text_.find_first_not_of(kBlanks);
    return begin != std::string::npos && std::string_view(text_).substr(begin).starts_with(kThink) && text_.find(kThinkEnd) == std::string::npos;
}

void AnswerText::append_reasoning(const std::string& piece) {
    was_apart_ = true;
    if (options_.is_answer_begun) {
        append_content(piece);
        return;
    }
    if (has_content_) {
        return; // a thought has its place in front; what is behind would be read as the answer
    }
    if (!std::exchange(is_open_, true) && !is_thought_open()) { // one that was begun before goes on as it is
        text_ += kThink;
    }
    blanks_.clear();
    text_ += piece;
}

void AnswerText::append_content(const std::string& piece) {
    if (!has_content_ && is_blank(piece)) {
        blanks_ += piece;
        return;
    }
    if (std::exchange(is_open_, false)) {
        text_ += kThinkEnd;
    }
    text_ += std::exchange(blanks_, "");
    has_content_ = true;
    text_ += piece;
}

// A token's place is where its text stands next in what this piece brought; one that the server left out of the text has none.
void AnswerText::note_numbers(std::size_t from, std::span<const TokenLogprobs> tokens) {
    for (const TokenLogprobs& token : tokens) {
        const std::size_t found = token.token.bytes.empty() ? std::string::npos : text_.find(token.token.bytes, from);
        if (found == std::string::npos) {
            continue;
        }
        from = found + token.token.bytes.size();
        if (number_of(token.token.bytes)) {
            numbers_.push_back({.text_offset = found, .chances = chances_of(token)});
        }
    }
}

Result<AnswerText::Grown> AnswerText::add(const AnswerChunk& chunk) {
    const std::size_t before = text_.size();
    if (!chunk.reasoning.empty()) {
        append_reasoning(chunk.reasoning);
    }
    if (!chunk.content.empty()) {
        append_content(chunk.content);
    }
    if (text_.size() + blanks_.size() > options_.bytes_max) {
        return Error{ErrorCode::LimitExceeded, fmt::format("an answer of more than {} bytes", options_.bytes_max)};
    }
    if (options_.number_chances) {
        note_numbers(before, chunk.logprobs);
    }
    std::size_t end = std::string::npos;
    for (const std::string& stop : options_.stop_texts) {
        const std::size_t from = std::max(begun_bytes_, before - std::min(before, stop.size())); // it may have begun in an earlier piece
        if (const std::size_t found = stop.empty() ? std::string::npos : text_.find(stop, from); found != std::string::npos) {
            end = std::min(end, found + stop.size());
        }
    }
    if (end == std::string::npos) {
        return Grown::GoesOn;
    }
    text_.resize(end);
    return Grown::StopText;
}

void AnswerText::finish(bool is_complete) {
    if (!is_open_ || has_content_) {
        text_ += is_open_ ? "" : std::exchange(blanks_, "");
        return;
    }
    is_open_ = false;
    if (is_complete && text_.starts_with(kThink)) {
        text_.erase(0, kThink.size());
        for (NumberSpread& number : numbers_) {
            number.text_offset -= std::min(number.text_offset, kThink.size());
        }
    }
}

} // namespace handeye
