// SPDX-License-Identifier: Apache-2.0
// A device whose kernels run on the host: the engine's graphs and kernels as they are, without a GPU. Its memory is filled with numbers that
// are none before it is written.
#pragma once

#include "engine/device/device.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace handeye {

struct HostDeviceOptions {
    std::int64_t memory_bytes = std::int64_t{4} << 30;
    bool has_library = false; ///< LibraryProduct as plain loops
    int lost_after = -1;      ///< so many downloads; -1: never
    std::function<void(std::size_t bytes)> on_download;
    std::function<void(const device::Operation& operation)> on_operation; ///< given, recorded or not
};
std::unique_ptr<device::Device> open_host_device(const HostDeviceOptions& options = {});

} // namespace handeye
