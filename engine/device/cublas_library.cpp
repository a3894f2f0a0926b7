// SPDX-License-Identifier: Apache-2.0
#include "engine/device/cublas_library.h"

#include <dlfcn.h>

namespace handeye::cuda {

// The functions used, under their own names.
struct CublasLibrary::Functions {
    decltype(&cublasLtCreate) create = nullptr;
    decltype(&cublasLtDestroy) destroy = nullptr;
    decltype(&cublasLtMatmul) multiply = nullptr;
    decltype(&cublasLtMatmulDescCreate) describe = nullptr;
    decltype(&cublasLtMatmulDescDestroy) forget_description = nullptr;
    decltype(&cublasLtMatmulDescSetAttribute) set = nullptr;
    decltype(&cublasLtMatrixLayoutCreate) lay_out = nullptr;
    decltype(&cublasLtMatrixLayoutDestroy) forget_layout = nullptr;
    decltype(&cublasLtMatmulPreferenceCreate) prefer = nullptr;
    decltype(&cublasLtMatmulPreferenceDestroy) forget_preference = nullptr;
    decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
    decltype(&cublasLtMatmulAlgoGetHeuristic) choose = nullptr;
};

namespace {

constexpr std::size_t kWorkspaceBytes = 32U << 20U;

template <class Function>
bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library, name));
    return function != nullptr;
}

} // namespace

CublasLibrary::~CublasLibrary() {
    if (handle_ != nullptr) {
        for (auto& [key, plan] : plans_) {
            call_->forget_description(plan.description);
            for (cublasLtMatrixLayout_t const layout : {plan.w, plan.x, plan.y}) {
                call_->forget_layout(layout);
            }
        }
        call_->destroy(handle_);
        cudaFree(workspace_);
    }
    delete call_;
    if (library_ != nullptr) {
        ::dlclose(library_);
    }
}

bool CublasLibrary::open() {
    for (const char* const name : {"libcublasLt.so.13", "libcublasLt.so"}) {
        if (library_ == nullptr) {
            library_ = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
    }
    if (library_ == nullptr) {
        return false;
    }
    call_ = new Functions;
    const bool has_all = find(library_, "cublasLtCreate", call_->create) && find(library_, "cublasLtDestroy", call_->destroy) && find(library_, "cublasLtMatmul", call_->multiply) &&
                         find(library_, "cublasLtMatmulDescCreate", call_->describe) && find(library_, "cublasLtMatmulDescDestroy", call_->forget_description) &&
                         find(library_, "cublasLtMatmulDescSetAttribute", call_->set) && find(library_, "cublasLtMatrixLayoutCreate", call_->lay_out) &&
                         find(library_, "cublasLtMatrixLayoutDestroy", call_->forget_layout) && find(library_, "cublasLtMatmulPreferenceCreate", call_->prefer) &&
                         find(library_, "cublasLtMatmulPreferenceDestroy", call_->forget_preference) &&
                         find(library_, "cublasLtMatmulPreferenceSetAttribute", call_->set_preference) && find(library_, "cublasLtMatmulAlgoGetHeuristic", call_->choose);
    const bool is_open = has_all && cudaMalloc(&workspace_, kWorkspaceBytes) == cudaSuccess && call_->create(&handle_) == CUBLAS_STATUS_SUCCESS;
    (void)cudaGetLastError(); // what failed is told here, and is no failure of what runs next
    return is_open;
}

// In the library's column-major view: y^T (n, rows) = w^T^T (n, cols) x^T (cols, rows), w's memory being (cols, n) there.
CublasLibrary::Plan* CublasLibrary::plan_for(const device::LibraryProduct& op) {
    Plan& plan = plans_[{op.rows, op.n, op.cols, op.y.stride, op.bias != nullptr}];
    if (plan.description != nullptr) {
        return plan.is_found ? &plan : nullptr;
    }
    const auto rows = static_cast<std::uint64_t>(op.rows), n = static_cast<std::uint64_t>(op.n), cols = static_cast<std::uint64_t>(op.cols);
    bool is_good = call_->describe(&plan.description, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS;
    const cublasOperation_t transposed = CUBLAS_OP_T;
    is_good = is_good && call_->set(plan.description, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed) == CUBLAS_STATUS_SUCCESS;
    if (op.bias != nullptr) {
        const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
        is_good = is_good && call_->set(plan.description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue) == CUBLAS_STATUS_SUCCESS;
    }
    is_good = is_good && call_->lay_out(&plan.w, CUDA_R_16BF, cols, n, static_cast<std::int64_t>(cols)) == CUBLAS_STATUS_SUCCESS &&
              call_->lay_out(&plan.x, CUDA_R_16BF, cols, rows, static_cast<std::int64_t>(cols)) == CUBLAS_STATUS_SUCCESS &&
              call_->lay_out(&plan.y, CUDA_R_32F, n, rows, op.y.stride) == CUBLAS_STATUS_SUCCESS;
    cublasLtMatmulPreference_t preference = nullptr;
    is_good = is_good && call_->prefer(&preference) == CUBLAS_STATUS_SUCCESS &&
              call_->set_preference(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspaceBytes, sizeof kWorkspaceBytes) == CUBLAS_STATUS_SUCCESS;
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    is_good = is_good && call_->choose(handle_, plan.description, plan.w, plan.x, plan.y, plan.y, preference, 1, &best, &found) == CUBLAS_STATUS_SUCCESS && found == 1;
    if (preference != nullptr) {
        call_->forget_preference(preference);
    }
    plan.algorithm = best.algo;
    plan.is_found = is_good;
    return is_good ? &plan : nullptr;
}

const char* CublasLibrary::product(const device::LibraryProduct& op, cudaStream_t stream) {
    Plan* const plan = plan_for(op);
    if (plan == nullptr) {
        return "cuBLASLt has no algorithm for a product";
    }
    if (op.bias != nullptr && call_->set(plan->description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &op.bias, sizeof op.bias) != CUBLAS_STATUS_SUCCESS) {
        return "cuBLASLt takes no bias";
    }
    const float one = 1, added = op.into == device::Into::Add ? 1.0F : 0.0F;
    const cublasStatus_t status = call_->multiply(handle_, plan->description, &one, op.w, plan->w, op.x, plan->x, &added, op.y.data, plan->y, op.y.data, plan->y, &plan->algorithm,
                                                  workspace_, kWorkspaceBytes, stream);
    return status == CUBLAS_STATUS_SUCCESS ? nullptr : "cuBLASLt failed";
}

} // namespace handeye::cuda
