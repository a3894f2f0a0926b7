// SPDX-License-Identifier: Apache-2.0
// One row of logits to choose an id from. On the processor it lies here; of one on a device only the best are here, and the rest is brought when it is asked for.
#pragma once

#include "base/result.h"
#include "engine/device/model_on_device.h"

#include <cstdint>
#include <span>

namespace handeye {

/// Until the next pass.
class LogitRow {
public:
    explicit LogitRow(std::span<float> whole) : memory_(whole) {}
    /// `row`: of the device's last pass; `memory`: room for it here.
    LogitRow(device::ModelOnDevice& on_device, int row, const device::RowCandidates& best, std::span<float> memory)
        : on_device_(&on_device), row_(row), best_(best), memory_(memory) {}

    /// Null: the row lies here.
    [[nodiscard]] const device::RowCandidates* best() const { return on_device_ != nullptr ? &best_ : nullptr; }
    /// Of a row on a device: the best that a mask (Candidates::masks) allows.
    [[nodiscard]] Result<device::RowCandidates> best_of(std::span<const std::uint32_t> mask) const { return on_device_->best_of(row_, mask); }
    /// All logits, for the caller to change. A device's are brought as they were computed, each time.
    [[nodiscard]] Result<std::span<float>> whole() const {
        if (on_device_ != nullptr) {
            TRY(on_device_->download_row(row_, memory_));
        }
        return memory_;
    }

private:
    device::ModelOnDevice* on_device_ = nullptr;
    int row_ = 0;
    device::RowCandidates best_;
    std::span<float> memory_;
};

} // namespace handeye
