// SPDX-License-Identifier: Apache-2.0
// The files of this machine as a task may look into them. Inside this folder only.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

namespace handeye::taskrun {

class DiskView {
public:
    /// `root` empty: every file that this user may read; names are from the folder in which the program was started, "~/" is the home
    /// folder. Else only what lies below `root`, whatever links there are, and names are relative to it.
    explicit DiskView(std::filesystem::path root = {}) : root_(std::move(root)) {}

    /// When the ordinary file was written last; nullopt: there is none such. PermissionDenied: it lies outside.
    [[nodiscard]] Result<std::optional<WallTime>> written(const std::string& name) const;
    /// LimitExceeded before anything is read.
    [[nodiscard]] Result<std::string> read(const std::string& name, std::size_t bytes_max) const;

private:
    std::filesystem::path root_;
};

} // namespace handeye::taskrun
