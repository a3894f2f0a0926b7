// SPDX-License-Identifier: Apache-2.0
// Which instruction sets the kernels are compiled for. Before <hwy/foreach_target.h>, in every file that includes it.
#pragma once

// Vectors whose length is unknown to the compiler cannot lie in the arrays that hold a tile's sums;
// SSSE3 and the AVX-512 subsets would double the build's time for no gain, but where a file says HANDEYE_WITH_VNNI.
#ifdef HANDEYE_WITH_VNNI
#define HANDEYE_AVX512_SUBSETS 0
#else
#define HANDEYE_AVX512_SUBSETS HWY_AVX3_DL
#endif
#define HWY_DISABLED_TARGETS \
    (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | HWY_SSSE3 | HANDEYE_AVX512_SUBSETS)
