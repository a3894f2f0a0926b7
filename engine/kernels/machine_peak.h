// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best, measured now: bytes read and multiply-adds per second, all threads together.
#pragma once

#include "engine/kernels/thread_pool.h"

#include <cstddef>

namespace handeye {

/// Bytes per second of reading `size_bytes` of memory again and again: the best of several passes. A size beyond the
/// caches measures memory, a smaller one the cache that holds it.
double measure_read_bandwidth(ThreadPool& pool, std::size_t size_bytes);
/// Floating-point operations per second of independent vector multiply-adds (two each) in float: the best of several runs.
double measure_fma_peak(ThreadPool& pool);

} // namespace handeye
