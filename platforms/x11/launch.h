// SPDX-License-Identifier: Apache-2.0
// Starts programs on a display: argument vectors, never a shell.
#pragma once

#include "base/result.h"
#include "platforms/program.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace handeye::x11 {

/// argv of the desktop entry whose file or display name is `name` (letter case ignored), its field codes removed. NotFound.
Result<std::vector<std::string>> find_desktop_entry(const std::string& name);
/// Splits the Exec line of a desktop entry by that format's quoting rules and drops its field codes (%f, %U ...).
std::vector<std::string> split_exec(const std::string& line);

/// Starts argv (argv[0]: a program or a desktop entry's name) in a session of its own with no standard input; its output goes to
/// /dev/null. Returns its process id; whoever started it reaps it.
Result<int> launch(const std::vector<std::string>& argv, const Environment& changes);

/// What waitpid() said of a program, or kStillRuns.
using LaunchStatus = std::atomic<int>;
inline constexpr int kStillRuns = -1;
/// Reaps `pid`, a child of this process, as soon as it ends, whoever ends it and however long that takes.
std::shared_ptr<const LaunchStatus> reap_when_ended(int pid);

} // namespace handeye::x11
