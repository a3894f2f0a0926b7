// SPDX-License-Identifier: Apache-2.0
// Which instruction sets the kernels are compiled for. Before <hwy/foreach_target.h>, in every file that includes it.
#pragma once

// Vectors whose length is unknown to the compiler cannot lie in the arrays that hold a tile's sums;
// SSSE3 and the AVX-512 subsets would double the build's time for no gain here.
#define HWY_DISABLED_TARGETS \
    (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3 | HWY_AVX3_DL)
