// SPDX-License-Identifier: Apache-2.0
// Files of one folder, named by somebody who may not read any others.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

namespace handeye {

/// Any thread. The kernel resolves every name beneath the folder (openat2): neither ".." nor links nor races lead out of it.
class FilesBeneath {
public:
    /// NotFound, PermissionDenied; Unsupported where the kernel has no openat2 (Linux before 5.6).
    static Result<FilesBeneath> open(const std::filesystem::path& folder);

    /// An ordinary file of at most `bytes_max`, by a path below the folder, by an absolute one that begins with it, or as file:///PATH.
    /// PermissionDenied for what leads out of it, through a link, or to no ordinary file; NotFound; LimitExceeded. What lies outside
    /// is not told apart from what is not there.
    [[nodiscard]] Result<std::vector<std::uint8_t>> read(std::string_view path_or_url, std::size_t bytes_max) const;
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

private:
    FilesBeneath(std::filesystem::path folder, FileDescriptor root) : folder_(std::move(folder)), root_(std::make_shared<FileDescriptor>(std::move(root))) {}
    [[nodiscard]] Result<std::string> below(std::string_view path_or_url) const;

    std::filesystem::path folder_;
    std::shared_ptr<FileDescriptor> root_;
};

} // namespace handeye
