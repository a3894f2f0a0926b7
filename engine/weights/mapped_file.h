// SPDX-License-Identifier: Apache-2.0
// A file mapped read-only into memory. Immutable; shared by all views into it.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <span>

namespace handeye {

class MappedFile {
public:
    /// NotFound, PermissionDenied or IoFailed, each naming the path. An empty file maps to an empty span.
    static Result<MappedFile> open(const std::filesystem::path& path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();
    [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

private:
    MappedFile() = default;
    std::span<const std::byte> bytes_;
};

/// Lets go of whole pages of a mapping that are not needed again soon: they no longer count as this process's memory.
void drop_pages(std::span<const std::byte> bytes);

} // namespace handeye
