// SPDX-License-Identifier: Apache-2.0
// What a run healed, as files for a person to look at and to take over. Inside this folder only.
#pragma once

#include "agent/taskrun/heal.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::taskrun {

/// FOLDER/heal.diff, a unified diff of all files in which a target was healed, and each of them as it would be with the pictures that it
/// names. Paths are those from the folder of `root`, the task's own file, or from the nearest above it that holds all of them: the diff
/// says from which. The task files themselves are not touched. What cannot be put into its file (a target that stands in several lines)
/// is told in the diff's head. `folder` must be new or empty. Returns the path of the diff.
Result<std::filesystem::path> write_healed(const Healer& healer, const std::filesystem::path& root, const std::filesystem::path& folder);
/// The same of changes by canonical file; `pictures`: PNG by the name that the words use.
Result<std::filesystem::path> write_healed(const std::vector<Healed>& all, const std::map<std::string, std::vector<std::uint8_t>>& pictures, const std::filesystem::path& root,
                                           const std::filesystem::path& folder);

/// `text` with the value that begins at `place` replaced by a flow mapping. Unsupported when that value is a block of several lines, or
/// the text with it would be no task file.
Result<std::string> with_target(const std::string& text, taskfile::Place place, std::string_view words);

/// Of two texts with as many lines each, with three lines of context; empty when they are equal.
std::string unified_diff(const std::string& name, const std::string& before, const std::string& after);

} // namespace handeye::taskrun
