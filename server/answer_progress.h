// SPDX-License-Identifier: Apache-2.0
// How far an answer has come: its characters and the newest of them. Any thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace handeye {

class AnswerProgress {
public:
    /// A new answer begins.
    void clear();
    /// What there is with this piece: its number of characters, and its end.
    std::pair<std::size_t, std::string> add(std::string_view text_utf8);

private:
    std::mutex mutex_; // guards both
    std::size_t characters_ = 0;
    std::string tail_;
};

} // namespace handeye
