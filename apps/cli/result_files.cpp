// SPDX-License-Identifier: Apache-2.0
#include "apps/cli/result_files.h"

#include "base/file.h"

#include <filesystem>

#include <fmt/format.h>

namespace handeye::cli {

Result<void> check(const ResultFiles& files) {
    for (const std::string& path : {files.json, files.junit}) {
        std::error_code problem;
        const std::filesystem::path folder = std::filesystem::path(path).parent_path();
        if (!folder.empty() && !std::filesystem::is_directory(folder, problem)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("cannot write {}: there is no folder {}", path, folder.string())};
        }
    }
    return {};
}

Result<void> write(const ResultFiles& files, const std::string& result_json, const std::string& junit) {
    if (!files.json.empty()) {
        TRY(write_file_atomic(files.json, result_json + "\n"));
    }
    if (!files.junit.empty()) {
        TRY(write_file_atomic(files.junit, junit));
    }
    return {};
}

} // namespace handeye::cli
