// SPDX-License-Identifier: Apache-2.0
// What starting a program needs: where it is, and the environment that it gets.
#pragma once

#include "base/result.h"

#include <string>
#include <utility>
#include <vector>

namespace handeye {

/// NAME=VALUE pairs put over the environment of this process.
using Environment = std::vector<std::pair<std::string, std::string>>;

/// This process's environment with `changes` put over it, as "NAME=VALUE" strings.
std::vector<std::string> merged_environment(const Environment& changes);
/// The program's path: as it is when it holds a slash, otherwise looked up in $PATH. NotFound names it.
Result<std::string> find_program(const std::string& name);

} // namespace handeye
