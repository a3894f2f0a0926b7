// SPDX-License-Identifier: Apache-2.0
// A file of JSON lines that grows while work is done and is read again when the work goes on: what was written is not done twice.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

#include <nlohmann/json_fwd.hpp>

namespace handeye::kept {

class LineLog {
public:
    static constexpr std::size_t kBytesMax = std::size_t{2} << 30U;

    /// Reads what is there into `take`, line by line, and leaves out a last line that was not written to its end. Makes the file (0600) where
    /// there is none. One process at a time: Unavailable where another has it open. ParseFailed names file and line; an error of `take`
    /// ends it, too.
    static Result<LineLog> open(const std::filesystem::path& path, const std::function<Result<void>(const nlohmann::json& line)>& take);

    /// Appended whole, and on the disk when it returns; after an error, not at all. Any thread.
    Result<void> add(const nlohmann::json& line);

private:
    LineLog(std::filesystem::path path, FileDescriptor file) : path_(std::move(path)), file_(std::move(file)), mutex_(std::make_unique<std::mutex>()) {}

    std::filesystem::path path_;
    FileDescriptor file_;
    std::unique_ptr<std::mutex> mutex_; // guards the file's end
};

} // namespace handeye::kept
