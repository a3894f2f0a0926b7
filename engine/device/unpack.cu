// SPDX-License-Identifier: Apache-2.0
// Weights as bf16 for a library's product: each warp a chunk of a strip.
#include "engine/device/kernels.h"
#include "engine/device/lane_scales.h"
#include "engine/device/unpack_codes.h"

namespace handeye::HANDEYE_DEVICE {
namespace {

constexpr int kUnpackWarps = 8;

/// A pair of weights: its parts are summed, the smallest first.
template <Code C>
__device__ __forceinline__ std::uint32_t scaled_pair(const std::uint32_t (&parts)[parts_of(C)], float scale, float offset) {
    float first = 0;
    float second = 0;
    HANDEYE_UNROLL
    for (int part = parts_of(C) - 1; part >= 0; --part) {
        first += pair_first(parts[part]);
        second += pair_second(parts[part]);
    }
    return has_scales(C) ? bf16_pair(fmaf(scale, first, offset), fmaf(scale, second, offset)) : bf16_pair(first, second);
}

template <Code C>
__global__ void __launch_bounds__(kUnpackWarps * kWarp) unpack(device::Unpack op) {
    const device::DeviceMatrix& w = op.w;
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kUnpackWarps + static_cast<int>(threadIdx.x) / kWarp;
    if (i >= static_cast<std::int64_t>(w.strips) * w.chunks) {
        return; // a whole warp
    }
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int strip = static_cast<int>(i / w.chunks);
    const int chunk = static_cast<int>(i % w.chunks);
    LaneCodes<C> codes;
    StripCodes<C>(w, strip).load(chunk, lane, codes);
    LaneScales scales{};
    if constexpr (has_scales(C)) {
        const StripScales of_strip(w, strip, lane);
        RawScales raw;
        of_strip.load(chunk, raw);
        scales = of_strip.finish(raw);
    }
    const Decoder<C> decoder(w);
    std::uint32_t out[2][8]; // of rows g and g + 8
    HANDEYE_UNROLL
    for (int step = 0; step < kSteps; ++step) {
        std::uint32_t a[parts_of(C)][4];
        HANDEYE_UNROLL
        for (int part = 0; part < parts_of(C); ++part) {
            decoder.fragment(codes, step, part, a[part]);
        }
        HANDEYE_UNROLL
        for (int h = 0; h < 2; ++h) {
            const float scale = from_step(scales.scale[h], step);
            const float offset = from_step(scales.offset[h], step);
            HANDEYE_UNROLL
            for (int k = 0; k < 2; ++k) {
                std::uint32_t parts[parts_of(C)];
                HANDEYE_UNROLL
                for (int part = 0; part < parts_of(C); ++part) {
                    parts[part] = a[part][2 * k + h];
                }
                out[h][2 * step + k] = scaled_pair<C>(parts, scale, offset);
            }
        }
    }
    HANDEYE_UNROLL
    for (int h = 0; h < 2; ++h) {
        const int row = strip * device::kStrip + lane / 4 + 8 * h;
        if (row < w.rows) {
            auto* const to = reinterpret_cast<Words4*>(op.to + (static_cast<std::int64_t>(row) * w.chunks + chunk) * device::kChunk + 16 * (lane % 4));
            to[0] = {out[h][0], out[h][1], out[h][2], out[h][3]};
            to[1] = {out[h][4], out[h][5], out[h][6], out[h][7]};
        }
    }
}

} // namespace

void run(Stream stream, const device::Unpack& op) {
    const std::int64_t warps = static_cast<std::int64_t>(op.w.strips) * op.w.chunks;
    if (warps > 0) {
        with_any_code(op.w, [&]<Code C>() {
            launch(stream, dim3(static_cast<unsigned>((warps + kUnpackWarps - 1) / kUnpackWarps)), dim3(kUnpackWarps * kWarp), 0, unpack<C>, op);
        });
    }
}

} // namespace handeye::HANDEYE_DEVICE
