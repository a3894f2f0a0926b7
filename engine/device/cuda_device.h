// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/device/device.h"

#include <memory>

namespace handeye::device {

/// The CUDA device of this number. Unavailable says what is missing: a driver, a device, one of compute capability 8.0 or more; Unsupported in a program
/// that was built without CUDA.
Result<std::unique_ptr<Device>> open_cuda_device(int index);

} // namespace handeye::device
