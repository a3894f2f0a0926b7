// SPDX-License-Identifier: Apache-2.0
// A command line as people write it, and the words that a program gets.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// Words of a command line: blanks separate, '..' and ".." keep them, a backslash takes the next character as it is.
/// InvalidArgument when there is none, when the first is empty, or when a quote is not closed.
Result<std::vector<std::string>> split_command(std::string_view line);

} // namespace handeye
