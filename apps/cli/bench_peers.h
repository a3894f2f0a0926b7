// SPDX-License-Identifier: Apache-2.0
// The same files through handeye and through llama.cpp, in turn, in one run.
#pragma once

#include "apps/cli/command.h"

#include <string>

namespace handeye::cli {

struct BenchPeersOptions {
    std::string model;             ///< a folder with one model and at most one projector (mmproj*.gguf), or a model's file
    std::string python = "python3"; ///< one that has llama-cpp-python
    std::string picture;           ///< a screenshot; empty: text alone
    int threads = 0;               ///< 0: one per core
    int rounds = 2;
};

/// Prints each figure of both and their ratio. Unavailable: the peer's Python cannot run it.
Result<int> bench_peers(const BenchPeersOptions& options, const Context& context);

} // namespace handeye::cli
