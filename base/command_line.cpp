// SPDX-License-Identifier: Apache-2.0
#include "base/command_line.h"

#include <fmt/format.h>

namespace handeye {

Result<std::vector<std::string>> split_command(std::string_view line) {
    std::vector<std::string> words;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        const bool is_blank = c == ' ' || c == '\t' || c == '\n';
        if (quote == 0 && is_blank) {
            in_word = false;
            continue;
        }
        if (!in_word) {
            words.emplace_back();
            in_word = true;
        }
        if (quote != 0 && c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
            words.back() += line[++i];
        } else {
            words.back() += c;
        }
    }
    if (quote != 0 || words.empty() || words.front().empty()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is not a command line{}", line,
                                                             quote != 0 ? ": a quote is not closed" : "")};
    }
    return words;
}

} // namespace handeye
