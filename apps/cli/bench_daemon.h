// SPDX-License-Identifier: Apache-2.0
// A handeyed of a benchmark's own: in a folder of its own, without a model, killed at the end.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <memory>

#include <sys/types.h>

namespace handeye {

/// Its folder goes with it.
class BenchDaemon {
public:
    /// Started, and perhaps not listening yet. NotFound: no handeyed is beside this program.
    static Result<std::unique_ptr<BenchDaemon>> start();
    ~BenchDaemon();
    BenchDaemon(const BenchDaemon&) = delete;
    BenchDaemon& operator=(const BenchDaemon&) = delete;

    [[nodiscard]] std::filesystem::path socket() const { return folder_ / "run" / "d.sock"; }
    [[nodiscard]] double resident_mib() const;
    [[nodiscard]] double cpu_seconds() const; ///< user and system, since it began

private:
    BenchDaemon() = default;
    std::filesystem::path folder_;
    pid_t pid_ = -1;
};

} // namespace handeye
