// SPDX-License-Identifier: Apache-2.0
// What answers depend on: kept beside them, so that a run goes on only as the run that it was.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace handeye::batch {

/// A checkpoint by its files: names, sizes, and what stands in the first and last mebibyte of each. Two trainings of one model differ in it;
/// the path does not count. NotFound.
Result<std::string> checkpoint_print(const std::filesystem::path& checkpoint);

/// `settings` is an object of plain values. Writes them to `file` where it is not there; else compares: InvalidArgument names the first that
/// differs, what it was and what it is.
Result<void> keep_settings(const std::filesystem::path& file, const nlohmann::json& settings);

} // namespace handeye::batch
