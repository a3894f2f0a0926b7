// SPDX-License-Identifier: Apache-2.0
// What stands in for cuda_device.cu in a build without CUDA.
#include "engine/device/cuda_device.h"

namespace handeye::device {

Result<std::unique_ptr<Device>> open_cuda_device(int /*index*/) {
    return Error{ErrorCode::Unsupported, "this program was built without CUDA: build it with -DHANDEYE_CUDA=ON where nvcc is, or leave --device cuda out"};
}

} // namespace handeye::device
