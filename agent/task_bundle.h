// SPDX-License-Identifier: Apache-2.0
// A task file with the files that it runs and the pictures that it names, as one program hands it to another.
#pragma once

#include "agent/task_file.h"
#include "base/image.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

constexpr std::size_t kBundleTextsMax = 64;
constexpr std::size_t kBundlePicturesMax = 256;
constexpr std::size_t kBundleTextBytesMax = 4U << 20U;     ///< of all task files together
constexpr std::int64_t kBundlePixelsMax = 64 * 1024 * 1024; ///< of all pictures together

/// Names are paths from one folder: relative, "/" between their parts, no part empty, "." or "..".
struct TaskBundle {
    std::string file;                         ///< the one that is carried out; one of `texts`
    std::map<std::string, std::string> texts; ///< task files
    std::map<std::string, Image> pictures;
};
/// InvalidArgument says what is wrong with a name.
Result<void> check_bundle_name(std::string_view name);

/// Where the parts of a bundle lie on this machine.
struct TaskBundleFiles {
    std::string file;
    std::map<std::string, std::filesystem::path> texts, pictures; ///< by their names in the bundle
    /// What ties the file to the machine on which it lies, so that no daemon carries it out for it: a secret of the environment or of
    /// a file, a model, a locale, a picture whose name is known only then; and files that it reads (these a daemon may allow).
    std::vector<TaskFinding> ties;
};
/// InvalidArgument with "FILE:LINE:COL: message" lines where the file has mistakes; LimitExceeded for more than a bundle holds.
Result<TaskBundleFiles> find_task_bundle(const std::filesystem::path& path);

} // namespace handeye
