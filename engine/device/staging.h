// SPDX-License-Identifier: Apache-2.0
// Memory of the host that a CUDA device copies from and to by itself: pinned, in two halves, one filled while the other is on its way.
#pragma once

#include <cstddef>
#include <cstring>

#include <cuda_runtime.h>

namespace handeye::cuda {

class Staging {
public:
    static constexpr std::size_t kHalfBytes = 32U << 20U;

    cudaError_t create() {
        cudaError_t error = cudaMallocHost(&memory_, 2 * kHalfBytes);
        for (Half& half : halves_) {
            error = error == cudaSuccess ? cudaEventCreateWithFlags(&half.done, cudaEventDisableTiming) : error;
        }
        return error;
    }
    ~Staging() {
        for (const Half& half : halves_) {
            if (half.done != nullptr) {
                cudaEventDestroy(half.done);
            }
        }
        if (memory_ != nullptr) {
            cudaFreeHost(memory_);
        }
    }

    /// The bytes may change as soon as this returns; they arrive in order with the stream.
    cudaError_t upload(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
        auto* target = static_cast<std::byte*>(to);
        const auto* source = static_cast<const std::byte*>(from);
        while (bytes > 0) {
            if (const cudaError_t error = make_room(stream); error != cudaSuccess) {
                return error;
            }
            Half& half = halves_[at_];
            const std::size_t count = bytes < kHalfBytes - half.used ? bytes : kHalfBytes - half.used;
            std::byte* const place = static_cast<std::byte*>(memory_) + at_ * kHalfBytes + half.used;
            std::memcpy(place, source, count);
            if (const cudaError_t error = cudaMemcpyAsync(target, place, count, cudaMemcpyHostToDevice, stream); error != cudaSuccess) {
                return error;
            }
            half.used += (count + 63) / 64 * 64;
            target += count;
            source += count;
            bytes -= count;
        }
        return cudaSuccess;
    }

    /// Waits for all that the stream has.
    cudaError_t download(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
        if (cudaError_t error = cudaStreamSynchronize(stream); error != cudaSuccess) {
            return error;
        }
        halves_[0].used = halves_[1].used = 0;
        for (std::size_t done = 0; done < bytes; done += 2 * kHalfBytes) {
            const std::size_t count = bytes - done < 2 * kHalfBytes ? bytes - done : 2 * kHalfBytes;
            cudaError_t error = cudaMemcpyAsync(memory_, static_cast<const std::byte*>(from) + done, count, cudaMemcpyDeviceToHost, stream);
            error = error == cudaSuccess ? cudaStreamSynchronize(stream) : error;
            if (error != cudaSuccess) {
                return error;
            }
            std::memcpy(static_cast<std::byte*>(to) + done, memory_, count);
        }
        return cudaSuccess;
    }

private:
    struct Half {
        cudaEvent_t done = nullptr;
        std::size_t used = 0;
    };
    // A full half is left to the device; the other one's copies must have ended before it is filled again.
    cudaError_t make_room(cudaStream_t stream) {
        if (halves_[at_].used < kHalfBytes) {
            return cudaSuccess;
        }
        cudaError_t error = cudaEventRecord(halves_[at_].done, stream);
        at_ = 1 - at_;
        error = error == cudaSuccess ? cudaEventSynchronize(halves_[at_].done) : error;
        halves_[at_].used = 0;
        return error;
    }

    void* memory_ = nullptr;
    Half halves_[2];
    std::size_t at_ = 0;
};

} // namespace handeye::cuda
