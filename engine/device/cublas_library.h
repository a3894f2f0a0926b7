// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, found when the program runs: a machine without it multiplies with our own kernels.
#pragma once

#include "engine/device/device.h"

#include <map>
#include <tuple>

#include <cublasLt.h>
#include <cuda_runtime.h>

namespace handeye::cuda {

class CublasLibrary {
public:
    ~CublasLibrary();
    /// False where the library is not there or does not start.
    bool open();
    /// Null, or what went wrong.
    const char* product(const device::LibraryProduct& op, cudaStream_t stream);

private:
    struct Functions;
    struct Plan {
        cublasLtMatmulDesc_t description = nullptr;
        cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
        cublasLtMatmulAlgo_t algorithm{};
        bool is_found = false;
    };
    using Key = std::tuple<int, int, int, long long, bool>; // rows, n, cols, stride of y, bias
    Plan* plan_for(const device::LibraryProduct& op);

    void* library_ = nullptr;
    Functions* call_ = nullptr;
    cublasLtHandle_t handle_ = nullptr;
    void* workspace_ = nullptr;
    std::map<Key, Plan> plans_;
};

} // namespace handeye::cuda
