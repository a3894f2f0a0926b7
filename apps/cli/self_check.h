// SPDX-License-Identifier: Apache-2.0
// Screens that a model brings with it, and where it must click on them: whether this build, on this CPU, with these weights, still does.
#pragma once

#include "base/result.h"
#include "engine/chat_model.h"

#include <cstddef>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye::cli {

struct ScreenCheck {
    std::string name;
    bool pass = false;
    std::string said; ///< "(451, 221)", in thousandths of the picture; "no click"; or why there is no answer
    std::string box;  ///< "[412, 187, 490, 250]": where it must be
    double seconds = 0;
};

struct SelfCheck {
    std::vector<ScreenCheck> screens; ///< in the order of the file; empty: the model brings none
    std::size_t wanted = 0;           ///< screens there are; more than were asked where the machine is slow
    [[nodiscard]] std::size_t passed() const;
    [[nodiscard]] double seconds() const;
};

/// Asks what `checkpoint`/eval/selfcheck/screens.jsonl holds, in the form of `handeye eval jsonl --score click`, one after the other, greedy;
/// after a minute no further one.
/// Errors: a file that cannot be read or holds a line that is no item, and those of the model.
Result<SelfCheck> check_screens(ChatModel& model, const std::filesystem::path& checkpoint, const std::stop_token& stop);

/// "20 of 20 screens are clicked where they must be, 0.08 s each (0.06 to 0.12)"; where some are not: which, and what that means.
/// `is_changed`: the model was packed or adapted while it was loaded.
std::string to_text(const SelfCheck& check, bool is_changed);

} // namespace handeye::cli
