// SPDX-License-Identifier: Apache-2.0
#include "engine/runtime/bench_ceilings.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace handeye::device {
namespace {

constexpr std::size_t kUploadBytesMost = std::size_t{512} << 20;

// Their own ceilings: lines without any.
double tell_rate(const Tell& tell, std::string name, const Timed& took, const Work& work) {
    const Bound bound = work.flop > 0 ? Bound::Flop : Bound::Bytes;
    tell(kernel_line(std::move(name), took, work, bound, {}, {}));
    return (bound == Bound::Flop ? work.flop : work.bytes) / took.median;
}

} // namespace

Result<Ceilings> measure_ceilings(Device& device, const DeviceBench& bench, const Tell& tell) {
    const Repeats repeats = repeats_of(bench);
    Ceilings out;
    {
        const std::size_t bytes = bench.copied_bytes / 16 * 16;
        const DeviceMemory memory = TRY(DeviceMemory::allocate(device, bytes + 256));
        auto* const words = reinterpret_cast<std::uint32_t*>(memory.bytes());
        device.run(FillRandom{.to = words, .words = static_cast<std::int64_t>(bytes / 4), .set = 1});
        const Timed read = TRY(timed(repeats, [&] {
            device.run(ReadAll{.from = words, .bytes = static_cast<std::int64_t>(bytes), .to = words + bytes / 4});
            return device.finish();
        }));
        out.bytes = tell_rate(tell, "memory_read", read, {.bytes = static_cast<double>(bytes)});
        const std::vector<std::byte> from(std::min(bytes, kUploadBytesMost), std::byte{1});
        const Timed uploaded = TRY(timed(repeats, [&] {
            device.upload(memory.bytes(), from.data(), from.size());
            return device.finish();
        }));
        out.uploaded_bytes = tell_rate(tell, "upload", uploaded, {.bytes = static_cast<double>(from.size())});
    }
    if (device.info().has_library) {
        const std::int64_t side = bench.product_side, numbers = side * side;
        const DeviceMemory memory = TRY(DeviceMemory::allocate(device, static_cast<std::size_t>(numbers) * (2 + 2 + 4)));
        auto* const x = reinterpret_cast<std::uint16_t*>(memory.bytes());
        device.run(FillRandom{.to = reinterpret_cast<std::uint32_t*>(x), .words = numbers, .kept = 0x80FF80FFU, .set = 0x3C003C00U});
        const Rows y{.data = reinterpret_cast<float*>(x + 2 * numbers), .rows = bench.product_side, .cols = bench.product_side, .stride = side};
        const Timed multiplied = TRY(timed(repeats, [&] {
            device.run(LibraryProduct{.x = x, .w = x + numbers, .rows = bench.product_side, .n = bench.product_side, .cols = bench.product_side, .y = y});
            return device.finish();
        }));
        out.flop = tell_rate(tell, "bf16_peak", multiplied, {.flop = 2.0 * static_cast<double>(numbers) * static_cast<double>(side)});
    }
    return out;
}

} // namespace handeye::device
