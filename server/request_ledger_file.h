// SPDX-License-Identifier: Apache-2.0
// The request ledger's file: lines that stand in it whole or not at all, whatever the disk has to say.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace handeye {

/// One thread at a time.
class RequestLedgerFile {
public:
    explicit RequestLedgerFile(std::filesystem::path path = {}) : path_(std::move(path)) {}

    /// Each line, however many there are; none when there is no file.
    Result<void> read(const std::function<void(const std::string& line)>& take) const;
    /// Ready to append; makes the file where there is none.
    Result<void> open();
    /// On the disk when it returns. A failure leaves the file as it was.
    Result<void> append(std::string_view line);
    /// `lines` in place of all that is there: a crash leaves the old file or the new one.
    Result<void> replace(std::string_view lines);

private:
    std::filesystem::path path_;
    FileDescriptor file_; ///< closed after replace(), until the next append
    bool has_torn_end_ = true; ///< half a line may be the last one: an earlier run's, or one that could not be taken back
};

} // namespace handeye
