// SPDX-License-Identifier: Apache-2.0
// One device: its memory, and operations that it computes one after the other, in the order in which they were given. CUDA is one
// (cuda_device.h); tests run the same kernels on the host. One thread at a time.
#pragma once

#include "base/result.h"
#include "engine/device/choose.h"
#include "engine/device/device_matrix.h"
#include "engine/device/ops.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace handeye::device {

struct DeviceInfo {
    std::string name;               ///< "NVIDIA H100 80GB HBM3"
    int capability = 0;             ///< 90: compute capability 9.0
    int multiprocessors = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t free_bytes = 0;    ///< when it was opened
    bool has_library = false;       ///< LibraryProduct can be run
};

/// y (+)= x w^T + bias by a library's kernels: x (rows, cols) and w (n, cols) in bf16, both with `stride` numbers from row to row, sums in float.
struct LibraryProduct {
    const std::uint16_t* x = nullptr;
    const std::uint16_t* w = nullptr;
    int rows = 0;
    int n = 0;
    int cols = 0;
    const float* bias = nullptr; ///< only with Overwrite
    Rows y;
    Into into = Into::Overwrite;
};

using Operation = std::variant<Split, SiluSplit, RmsNorm, LayerNormGelu, Add, Rope, GatherBlocks, AddWeightedRows, ResizePixels, CutPatches, StoreKv, Attention, FullAttention, Route, GatherRows, ScatterAdd, CombineExperts,
                               FewProduct, FewProducts, GatedProduct, ExpertProduct, GatedExperts, ManyProduct, Unpack, Candidates, LibraryProduct, FillRandom, ReadAll>;

/// Operations that were given once and can be given again with one call; what they read and write stays where it is.
class Recording {
public:
    virtual ~Recording() = default;
    virtual void replay() = 0;
};

class Device {
public:
    virtual ~Device() = default;
    [[nodiscard]] virtual const DeviceInfo& info() const = 0;

    /// Floats of Attention::partial for so many rows.
    [[nodiscard]] virtual std::size_t attention_partial_floats(int rows, int heads, int head_dim) const = 0;
    /// OutOfMemory says how much was asked for and how much is free.
    virtual Result<void*> allocate(std::size_t bytes) = 0;
    virtual void free(void* memory) = 0;
    /// In order with the operations. `from` may change as soon as the call returns.
    virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
    /// Waits for everything before it. EngineLost when anything failed on the device.
    virtual Result<void> download(void* to, const void* from, std::size_t bytes) = 0;
    virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
    /// Errors of a launch are told by the next download() or finish().
    virtual void run(const Operation& operation) = 0;
    virtual Result<void> finish() = 0;
    /// What `give` runs is recorded, not computed.
    virtual Result<std::unique_ptr<Recording>> record(const std::function<void()>& give) = 0;
};

/// Memory of a device, given back when it goes out of scope.
class DeviceMemory {
public:
    static Result<DeviceMemory> allocate(Device& device, std::size_t bytes) {
        DeviceMemory memory;
        memory.data_ = TRY(device.allocate(bytes));
        memory.device_ = &device;
        memory.bytes_ = bytes;
        return Result<DeviceMemory>(std::move(memory)); // nvcc does not move it by itself
    }
    DeviceMemory() = default;
    DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
    DeviceMemory& operator=(DeviceMemory&& other) noexcept {
        swap(other);
        return *this;
    }
    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;
    ~DeviceMemory() {
        if (data_ != nullptr) {
            device_->free(data_);
        }
    }
    [[nodiscard]] std::byte* bytes() const { return static_cast<std::byte*>(data_); }
    [[nodiscard]] std::size_t size_bytes() const { return bytes_; }

private:
    void swap(DeviceMemory& other) {
        std::swap(device_, other.device_);
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }
    Device* device_ = nullptr;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

/// Gives out parts of one piece of memory, each 256-byte aligned. Without memory it only counts.
class Carver {
public:
    explicit Carver(std::byte* memory = nullptr) : memory_(memory) {}
    template <class T>
    T* take(std::int64_t count) {
        std::byte* const at = memory_ == nullptr ? nullptr : memory_ + used_;
        used_ += (static_cast<std::size_t>(count) * sizeof(T) + 255) / 256 * 256;
        return reinterpret_cast<T*>(at);
    }
    [[nodiscard]] std::size_t used() const { return used_; }

private:
    std::byte* memory_;
    std::size_t used_ = 0;
};

} // namespace handeye::device
