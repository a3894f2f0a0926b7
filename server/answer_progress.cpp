// SPDX-License-Identifier: Apache-2.0
#include "server/answer_progress.h"

#include <algorithm>

namespace handeye {
namespace {

constexpr std::size_t kTailBytesMax = 400;

// Cuts from the front, never through a character.
void keep_tail(std::string& text) {
    if (text.size() <= kTailBytesMax) {
        return;
    }
    std::size_t cut = text.size() - kTailBytesMax;
    while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) {
        ++cut;
    }
    text.erase(0, cut);
}

} // namespace

void AnswerProgress::clear() {
    const std::lock_guard lock(mutex_);
    characters_ = 0;
    tail_.clear();
}

std::pair<std::size_t, std::string> AnswerProgress::add(std::string_view text_utf8) {
    const std::lock_guard lock(mutex_);
    characters_ += static_cast<std::size_t>(
        std::count_if(text_utf8.begin(), text_utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    tail_ += text_utf8;
    keep_tail(tail_);
    return {characters_, tail_};
}

} // namespace handeye
