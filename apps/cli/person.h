// SPDX-License-Identifier: Apache-2.0
// The person at the terminal, where there is one: says yes or no to an action, and answers questions.
#pragma once

#include "agent/approval.h"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::cli {

class Person {
public:
    /// Denied at once where standard input is no terminal.
    ApprovalAnswer approve(const ApprovalRequest& request, const std::function<void()>& announce, const std::stop_token& stop);
    std::optional<std::string> answer(const std::string& question_utf8, const std::vector<std::string>& choices, const std::stop_token& stop);
    /// Something was asked and nobody was there.
    [[nodiscard]] bool was_missed() const { return was_missed_; }

private:
    bool was_missed_ = false;
};

} // namespace handeye::cli
