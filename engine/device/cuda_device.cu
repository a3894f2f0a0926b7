// SPDX-License-Identifier: Apache-2.0
// A CUDA device: one stream, memory, recordings as CUDA graphs.
#include "engine/device/cuda_device.h"

#include "engine/device/cublas_library.h"
#include "engine/device/kernels.h"
#include "engine/device/staging.h"

#include <string>
#include <utility>

namespace handeye::cuda {
namespace {

constexpr int kCapabilityLeast = 80; // products in bf16, copies into shared memory

/// Asked for its attributes alone: it is compiled for what the others are.
__global__ void any_kernel() {}

class CudaRecording final : public device::Recording {
public:
    CudaRecording(cudaGraphExec_t ready, cudaStream_t stream, cudaError_t& failed) : ready_(ready), stream_(stream), failed_(failed) {}
    CudaRecording(const CudaRecording&) = delete;
    CudaRecording& operator=(const CudaRecording&) = delete;
    ~CudaRecording() override { cudaGraphExecDestroy(ready_); }
    void replay() override {
        if (const cudaError_t error = cudaGraphLaunch(ready_, stream_); error != cudaSuccess && failed_ == cudaSuccess) {
            failed_ = error;
        }
    }

private:
    cudaGraphExec_t ready_;
    cudaStream_t stream_;
    cudaError_t& failed_;
};

class CudaDevice final : public device::Device {
public:
    CudaDevice() = default;
    CudaDevice(const CudaDevice&) = delete;
    CudaDevice& operator=(const CudaDevice&) = delete;
    ~CudaDevice() override {
        if (stream_ != nullptr) {
            cudaStreamSynchronize(stream_);
            cudaStreamDestroy(stream_);
        }
    }

    Result<void> open(int index) {
        int count = 0;
        const cudaError_t error = cudaGetDeviceCount(&count);
        if (error == cudaErrorInsufficientDriver) {
            return Error{ErrorCode::Unavailable, "no CUDA device: there is no NVIDIA driver here, or one older than CUDA 13 needs (580)"};
        }
        if (error != cudaSuccess || count == 0) {
            return Error{ErrorCode::Unavailable, std::string("no CUDA device: ") + (error != cudaSuccess ? cudaGetErrorString(error) : "the driver knows none")};
        }
        if (index < 0 || index >= count) {
            return Error{ErrorCode::Unavailable, "there is no CUDA device " + std::to_string(index) + ": the driver knows " + std::to_string(count) + ", counted from 0"};
        }
        cudaDeviceProp properties{};
        std::size_t free_bytes = 0, all_bytes = 0;
        index_ = index;
        TRY(check(cudaSetDevice(index)));
        TRY(check(cudaGetDeviceProperties(&properties, index)));
        const int capability = properties.major * 10 + properties.minor;
        if (capability < kCapabilityLeast) {
            return Error{ErrorCode::Unavailable, std::string(properties.name) + " has compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) + ", at least 8.0 is needed"};
        }
        cudaFuncAttributes attributes{};
        if (cudaFuncGetAttributes(&attributes, any_kernel) != cudaSuccess) {
            return Error{ErrorCode::Unavailable, std::string(properties.name) + " has compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor) + ", for which this program was not compiled (CMAKE_CUDA_ARCHITECTURES)"};
        }
        TRY(check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)));
        TRY(check(staging_.create()));
        const bool has_library = library_.open();
        TRY(check(cudaMemGetInfo(&free_bytes, &all_bytes))); // what the library took is gone
        info_ = {.name = properties.name, .capability = capability, .multiprocessors = properties.multiProcessorCount,
                 .memory_bytes = static_cast<std::int64_t>(all_bytes), .free_bytes = static_cast<std::int64_t>(free_bytes), .has_library = has_library};
        return {};
    }

    [[nodiscard]] const device::DeviceInfo& info() const override { return info_; }
    [[nodiscard]] std::size_t attention_partial_floats(int rows, int heads, int head_dim) const override { return cuda::attention_partial_floats(rows, heads, head_dim); }

    Result<void*> allocate(std::size_t bytes) override {
        void* memory = nullptr;
        bind();
        const cudaError_t error = cudaMalloc(&memory, bytes > 0 ? bytes : 1);
        if (error != cudaSuccess && error != cudaErrorMemoryAllocation) { // of what ran before
            note(error);
            TRY(told());
        }
        if (error != cudaSuccess) {
            (void)cudaGetLastError(); // it is told here
            std::size_t free_bytes = 0, all_bytes = 0;
            cudaMemGetInfo(&free_bytes, &all_bytes);
            return Error{ErrorCode::OutOfMemory, std::to_string(bytes) + " bytes on " + info_.name + ": " + cudaGetErrorString(error) + ", " + std::to_string(free_bytes) + " are free"};
        }
        return memory;
    }
    void free(void* memory) override {
        bind();
        note(cudaFree(memory));
    }
    void upload(void* to, const void* from, std::size_t bytes) override {
        bind();
        note(staging_.upload(to, from, bytes, stream_));
    }
    Result<void> download(void* to, const void* from, std::size_t bytes) override {
        bind();
        note(staging_.download(to, from, bytes, stream_));
        return told();
    }
    void copy(void* to, const void* from, std::size_t bytes) override { note(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_)); }

    void run(const device::Operation& operation) override {
        bind();
        if (const auto* product = std::get_if<device::LibraryProduct>(&operation)) {
            const char* const problem = library_.product(*product, stream_);
            library_problem_ = library_problem_ == nullptr ? problem : library_problem_;
            return;
        }
        std::visit([this](const auto& op) { give(op); }, operation);
        note(cudaPeekAtLastError());
    }
    Result<void> finish() override {
        note(cudaStreamSynchronize(stream_));
        return told();
    }
    Result<std::unique_ptr<device::Recording>> record(const std::function<void()>& give) override {
        note(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
        give();
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t ready = nullptr;
        note(cudaStreamEndCapture(stream_, &graph));
        if (graph != nullptr) {
            note(cudaGraphInstantiate(&ready, graph, 0));
            note(cudaGraphDestroy(graph));
        }
        TRY(told());
        return std::unique_ptr<device::Recording>(std::make_unique<CudaRecording>(ready, stream_, failed_));
    }

private:
    template <class Op>
    void give(const Op& op) {
        cuda::run(stream_, op);
    }
    void give(const device::LibraryProduct& /*op*/) {} // taken before

    // Which device a call means is the calling thread's own affair in CUDA.
    void bind() {
        thread_local int bound = -1;
        if (bound != index_) {
            note(cudaSetDevice(index_));
            bound = index_;
        }
    }
    void note(cudaError_t error) { failed_ = failed_ == cudaSuccess ? error : failed_; }
    static Result<void> check(cudaError_t error) {
        return error == cudaSuccess ? Result<void>() : Result<void>(Error{ErrorCode::Unavailable, std::string("CUDA: ") + cudaGetErrorString(error)});
    }
    // What failed on a device does not mend: the engine's process is started anew.
    [[nodiscard]] Result<void> told() const {
        if (library_problem_ != nullptr) {
            return Error{ErrorCode::EngineLost, info_.name + ": " + library_problem_};
        }
        return failed_ == cudaSuccess ? Result<void>() : Result<void>(Error{ErrorCode::EngineLost, info_.name + ": " + cudaGetErrorString(failed_)});
    }

    device::DeviceInfo info_;
    int index_ = 0;
    cudaStream_t stream_ = nullptr;
    Staging staging_;
    CublasLibrary library_;
    const char* library_problem_ = nullptr;
    cudaError_t failed_ = cudaSuccess;
};

} // namespace
} // namespace handeye::cuda

namespace handeye::device {

Result<std::unique_ptr<Device>> open_cuda_device(int index) {
    auto cuda = std::make_unique<cuda::CudaDevice>();
    TRY(cuda->open(index));
    return std::unique_ptr<Device>(std::move(cuda));
}

} // namespace handeye::device
