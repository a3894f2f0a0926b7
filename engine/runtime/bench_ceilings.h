// SPDX-License-Identifier: Apache-2.0
// What a device does at best.
#pragma once

#include "engine/device/device.h"
#include "engine/runtime/bench_lines.h"

namespace handeye::device {

/// Tells "memory_read", "upload" (through pinned memory, as weights are brought) and, where there is a library, "bf16_peak".
Result<Ceilings> measure_ceilings(Device& device, const DeviceBench& bench, const Tell& tell);

} // namespace handeye::device
