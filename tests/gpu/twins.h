// SPDX-License-Identifier: Apache-2.0
// Every operation on two devices with the same numbers: what a card computes beside what the same kernels compute on the host.
#pragma once

#include "engine/device/device.h"

namespace handeye::gpu {

/// Prints a line for each operation and shape; the number of those that differ by more than they may.
int compare_operations(device::Device& device, device::Device& beside);
/// What would be compared, given to one device.
void give_operations(device::Device& device);

} // namespace handeye::gpu
