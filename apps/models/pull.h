// SPDX-License-Identifier: Apache-2.0
// Fetches a model from a hub: what is there of it is kept and gone on with, every byte is checked, and it appears in its place
// only when all of it is right. One thread; one pull of a place at a time, whoever else tries.
#pragma once

#include "apps/models/hub.h"
#include "apps/models/registry.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace handeye {

struct PullProgress {
    std::string what;            ///< the file's name, with "checking " before it while what was there is read again
    std::uint64_t bytes_done = 0;    ///< of all files, what was there before included
    std::uint64_t bytes_fetched = 0; ///< from the hub by this pull
    std::uint64_t bytes_total = 0;
};

struct PullOptions {
    ModelRow row;
    std::string id;               ///< at the hub
    std::filesystem::path folder; ///< where the model is to be; "FOLDER.partial" beside it holds what is under way
    Clock* clock = nullptr;       ///< pauses before repeated tries
    std::function<void(const PullProgress&)> on_progress; ///< often; may be empty
};

struct PulledFile {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_kept = 0; ///< of an earlier pull
    std::string sha256;           ///< of what is on the disk
};
struct PullReport {
    bool was_here = false; ///< nothing was to be done
    std::vector<PulledFile> files;
};

/// Compares configuration and size with the row before the weights are fetched. SHA256SUMS in the folder lets every load check it again.
/// Errors besides those of the hub: InvalidArgument (it is not what the row says, or the place is taken by something else),
/// ParseFailed (a wrong hash, size or range; the file begins anew the next time), LimitExceeded (no room on the disk, or more
/// bytes than there should be), Overloaded (another pull of this place runs). After Unavailable, Cancelled and DeadlineExceeded
/// the same call goes on.
Result<PullReport> pull_model(Hub& hub, const PullOptions& options, const std::stop_token& stop);

/// "45 %  8.4 of 18.6 GB  52.1 MB/s  3 min left  model-00002-of-00004.safetensors"
std::string progress_line(const PullProgress& progress, Duration since_start);

} // namespace handeye
