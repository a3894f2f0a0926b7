// SPDX-License-Identifier: Apache-2.0
#include "host_device.h"

#include "engine/device/kernels.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace handeye {
namespace {

void multiply(const device::LibraryProduct& op) {
    for (int i = 0; i < op.rows; ++i) {
        for (int n = 0; n < op.n; ++n) {
            float sum = 0;
            for (int k = 0; k < op.cols; ++k) {
                sum += on_host::bf16_float(op.x[std::int64_t{i} * op.cols + k]) * on_host::bf16_float(op.w[std::int64_t{n} * op.cols + k]);
            }
            float& y = op.y.data[i * op.y.stride + n];
            y = sum + (op.bias == nullptr ? 0 : op.bias[n]) + (op.into == device::Into::Add ? y : 0);
        }
    }
}

class HostDevice final : public device::Device {
public:
    explicit HostDevice(const HostDeviceOptions& options) : downloads_left_(options.lost_after), on_download_(options.on_download), on_operation_(options.on_operation) {
        info_ = {.name = "the host", .capability = 80, .multiprocessors = 4, .memory_bytes = options.memory_bytes, .free_bytes = options.memory_bytes,
                 .has_library = options.has_library};
    }
    ~HostDevice() override {
        for (const auto& [memory, bytes] : sizes_) {
            std::free(memory);
        }
    }
    [[nodiscard]] const device::DeviceInfo& info() const override { return info_; }
    [[nodiscard]] std::size_t attention_partial_floats(int rows, int heads, int head_dim) const override { return on_host::attention_partial_floats(rows, heads, head_dim); }

    Result<void*> allocate(std::size_t bytes) override {
        if (static_cast<std::int64_t>(bytes) > info_.free_bytes) {
            return Error{ErrorCode::OutOfMemory, fmt::format("{} bytes on {}: {} are free", bytes, info_.name, info_.free_bytes)};
        }
        void* const memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256 + 256);
        if (memory == nullptr) {
            return Error{ErrorCode::OutOfMemory, fmt::format("{} bytes", bytes)};
        }
        std::memset(memory, 0xFF, bytes);
        info_.free_bytes -= static_cast<std::int64_t>(bytes);
        sizes_[memory] = bytes;
        return memory;
    }
    void free(void* memory) override {
        info_.free_bytes += static_cast<std::int64_t>(sizes_.at(memory));
        sizes_.erase(memory);
        std::free(memory);
    }
    void upload(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
    Result<void> download(void* to, const void* from, std::size_t bytes) override {
        if (downloads_left_ == 0) {
            return Error{ErrorCode::EngineLost, info_.name + ": the device is gone"};
        }
        downloads_left_ -= downloads_left_ > 0 ? 1 : 0;
        std::memcpy(to, from, bytes);
        if (on_download_) {
            on_download_(bytes);
        }
        return {};
    }
    void copy(void* to, const void* from, std::size_t bytes) override { std::memcpy(to, from, bytes); }
    void run(const device::Operation& operation) override {
        if (on_operation_) {
            on_operation_(operation);
        }
        if (recorded_ != nullptr) {
            recorded_->push_back(operation);
            return;
        }
        std::visit([](const auto& op) { give(op); }, operation);
    }
    Result<void> finish() override { return {}; }
    Result<std::unique_ptr<device::Recording>> record(const std::function<void()>& give) override {
        auto recording = std::make_unique<HostRecording>(*this);
        recorded_ = &recording->operations;
        give();
        recorded_ = nullptr;
        return std::unique_ptr<device::Recording>(std::move(recording));
    }

private:
    struct HostRecording final : device::Recording {
        explicit HostRecording(HostDevice& d) : device(d) {}
        void replay() override {
            for (const device::Operation& operation : operations) {
                device.run(operation);
            }
        }
        HostDevice& device;
        std::vector<device::Operation> operations;
    };
    template <class Op>
    static void give(const Op& op) {
        on_host::run({}, op);
    }
    static void give(const device::LibraryProduct& op) { multiply(op); }

    int downloads_left_;
    device::DeviceInfo info_;
    std::map<void*, std::size_t> sizes_;
    std::vector<device::Operation>* recorded_ = nullptr;
    std::function<void(std::size_t)> on_download_;
    std::function<void(const device::Operation&)> on_operation_;
};

} // namespace

std::unique_ptr<device::Device> open_host_device(const HostDeviceOptions& options) { return std::make_unique<HostDevice>(options); }

} // namespace handeye
