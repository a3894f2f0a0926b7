// SPDX-License-Identifier: Apache-2.0
// Where a command writes what it made of a recording: never over the recording, over something else only when told to, and a file
// that is there is whole.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace handeye::cli {

/// Whether a file that is there may be replaced, told by its first bytes.
using MayReplace = bool (*)(std::string_view beginning);

class OutputFile {
public:
    struct Options {
        std::string out; ///< a file, or "-" for standard output
        std::vector<std::filesystem::path> recordings; ///< not these, and not what lies beside them
        bool is_forced = false;
        MayReplace may_replace = nullptr; ///< without is_forced; null: nothing may be
    };
    /// InvalidArgument: `out` is a folder, one of the recordings, a link to nothing, or is there and must not be replaced.
    static Result<OutputFile> create(const Options& options);
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    /// Removes what was not finished.
    ~OutputFile();

    Result<void> write(std::string_view bytes);
    /// Synced, and under its name; for this user alone (0600), since it holds what the recording holds. Returns its size.
    Result<std::uint64_t> finish();
    /// What is written until then: for a library that writes a file by itself. Empty for standard output and for a pipe.
    [[nodiscard]] const std::filesystem::path& part() const { return part_; }
    [[nodiscard]] bool is_standard_output() const { return name_.empty(); }

private:
    OutputFile() = default;
    FileDescriptor file_;
    std::filesystem::path name_; ///< empty: standard output
    std::filesystem::path part_; ///< beside it; empty: written in place
    std::uint64_t bytes_ = 0;
};

} // namespace handeye::cli
