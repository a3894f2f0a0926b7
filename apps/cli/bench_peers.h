// SPDX-License-Identifier: Apache-2.0
// The same files through handeye and through llama.cpp, in turn, in one run.
#pragma once

#include "apps/cli/command.h"

#include <string>

namespace handeye::cli {

struct BenchPeersOptions {
    std::string model;              ///< a GGUF file, or a folder with one; the mmproj beside it is used
    std::string python = "python3"; ///< one that has llama-cpp-python
    std::string picture;            ///< a screenshot, for a model that sees
    int threads = 0;                ///< 0: one per core
    int rounds = 3;                 ///< each is started once in a round
};

/// Prints each figure of both and their ratio. Unavailable: the peer's Python cannot run it.
Result<int> bench_peers(const BenchPeersOptions& options, const Context& context);

} // namespace handeye::cli
