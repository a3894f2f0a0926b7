// SPDX-License-Identifier: Apache-2.0
// Ways to the same product that round otherwise than floats do. All are taken where the machine has them; tests and benchmarks compare them with
// plain floats.
#pragma once

namespace handeye::kernels {

struct FastPaths {
    bool tiles = true;         ///< AMX: each float as parts of 8 bits, for many rows
    bool whole_numbers = true; ///< GGUF blocks times activations of up to 16 bits: for a few rows; for many with AVX2, or with the tiles those of 256 weights
};

/// $HANDEYE_FAST_PATHS, "tiles", "whole-numbers" or "none", is what a process begins with; unset: all.
FastPaths fast_paths();
/// For the whole process. Not while a product is computed.
void set_fast_paths(FastPaths paths);

} // namespace handeye::kernels
