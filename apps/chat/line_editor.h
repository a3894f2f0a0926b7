// SPDX-License-Identifier: Apache-2.0
// Lines from a person at a terminal, with editing, history and file names completed (libedit), or from a file or pipe.
#pragma once

#include "base/result.h"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace handeye::chat {

struct TypedLine {
    std::string text;
    bool is_dropped = false; ///< Ctrl-C: the person does not want it
};
/// The next line, without its end; nullopt: there is none any more, or `stop` was requested. `prompt` is shown at a terminal.
/// LimitExceeded for a line of more than 1 MiB.
using NextLine = std::function<Result<std::optional<TypedLine>>(const std::string& prompt)>;

/// Standard input is a terminal. Ctrl-C ends the line and not the program. Keeps the history of this run in memory alone.
NextLine edited_lines(std::stop_token stop);
NextLine plain_lines(std::stop_token stop);

} // namespace handeye::chat
