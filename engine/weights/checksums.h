// SPDX-License-Identifier: Apache-2.0
// Compares the files of a checkpoint with the SHA-256 sums that lie beside them, before any of them is read for anything else.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <functional>
#include <string_view>

namespace handeye {

struct ChecksumReport {
    int files = 0;    ///< that have a sum to compare with; 0: the folder brings none
    int computed = 0; ///< of those, read anew; the others were known from an earlier load
};

/// `model` is a folder, or one file whose folder is meant. Sums come from `SHA256SUMS` in the folder (as sha256sum writes it; every *.safetensors must be listed), else from what the hub's
/// downloader left: .cache/huggingface/download/NAME.metadata, or a link to a blob that is named by its sum.
/// ParseFailed for a wrong sum names the file, the expected and the found one; NotFound for a listed file that is missing.
/// `cache`: remembers the sums of files by device, inode, size and times, so that the next load reads nothing; it is only a
/// shortcut: when it cannot be read or written, sums are computed. Empty: none.
Result<ChecksumReport> verify_checksums(const std::filesystem::path& model, const std::filesystem::path& cache,
                                        const std::function<void(std::string_view stage, double share)>& on_progress = {});

/// $XDG_CACHE_HOME/handeye/checksums
std::filesystem::path checksum_cache();

} // namespace handeye
