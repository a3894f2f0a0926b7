// SPDX-License-Identifier: Apache-2.0
// Where `handeye run` writes what became of a task file's steps.
#pragma once

#include "base/result.h"

#include <string>

namespace handeye::cli {

struct ResultFiles {
    std::string json; ///< a path; empty: not wanted
    std::string junit;
};
/// InvalidArgument when one could not be written, before anything is done.
Result<void> check(const ResultFiles& files);
Result<void> write(const ResultFiles& files, const std::string& result_json, const std::string& junit);

} // namespace handeye::cli
