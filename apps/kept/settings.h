// SPDX-License-Identifier: Apache-2.0
// What results depend on: kept beside them, so that a run goes on only as the run that it was.
#pragma once

#include "base/result.h"

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

namespace handeye::kept {

/// `settings` is an object. Writes it to `file` where that is not there; else compares: InvalidArgument names all that differ, what each was
/// and what it is; what only one of them has differs, null counts as not there.
Result<void> keep_settings(const std::filesystem::path& file, const nlohmann::json& settings);

} // namespace handeye::kept
