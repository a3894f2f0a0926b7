// SPDX-License-Identifier: Apache-2.0
// Work on many things, several at a time.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <functional>
#include <stop_token>

namespace handeye::batch {

/// Calls `work(index, worker, stop)` once for each index below `count`, in their order, on `workers` threads; `worker` says which. The first error
/// has the others stop, and is returned when all have ended; Cancelled where `stop` was requested before all was done.
Result<void> side_by_side(std::size_t count, std::size_t workers, const std::stop_token& stop,
                          const std::function<Result<void>(std::size_t index, std::size_t worker, const std::stop_token& stop)>& work);

} // namespace handeye::batch
