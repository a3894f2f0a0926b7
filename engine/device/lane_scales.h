// SPDX-License-Identifier: Apache-2.0
// Scales and offsets of a DeviceMatrix in a product: of the four lanes that share two rows, lane t reads those of step t's group, each lane the two rows'
// together; when a step's sum is scaled the others get them from it. An offset's product with the sums of inputs is spread over the four in the same way.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/device_matrix.h"

namespace handeye::HANDEYE_DEVICE {

inline constexpr int kSteps = device::kChunk / device::kSumGroup; ///< of a chunk

/// As they lie in memory, of rows g and g + 8. Scale: two floats; or a pair of halves and, of supers, fine's two bytes. Offset: the same, or the bytes of zeros.
struct RawScales {
    std::uint32_t scale[2];
    std::uint32_t offset[2];
};
struct LaneScales {
    float scale[2];
    float offset[2];
};

/// The scales of one strip.
class StripScales {
public:
    __device__ StripScales(const device::DeviceMatrix& w, int strip, int lane)
        : numbers_(w.numbers), kind_(w.scales), factor_(w.factor), t_(static_cast<unsigned>(lane % 4)),
          steps_(w.group > device::kSumGroup ? static_cast<unsigned>(w.group / device::kSumGroup) : 1), magic_((0x80000000U + steps_ - 1) / steps_) {
        const bool super = is_super();
        const std::int64_t first = static_cast<std::int64_t>(strip) * (super ? (w.cols + 255) / 256 : w.groups) * device::kStrip + 2 * (lane / 4);
        const int bytes = !super && numbers_ == device::NumberKind::F32 ? 4 : 2;
        scale_ = static_cast<const std::uint8_t*>(w.scale) + first * bytes;
        offset_ = w.offset == nullptr ? nullptr : static_cast<const std::uint8_t*>(w.offset) + first * bytes;
        const std::int64_t first_fine = static_cast<std::int64_t>(strip) * w.groups * device::kStrip + 2 * (lane / 4);
        fine_ = w.fine == nullptr ? nullptr : w.fine + first_fine;
        fine_min_ = w.fine_min == nullptr ? nullptr : w.fine_min + first_fine;
    }

    /// A step may have scales of its own; else steps 0 and 1 share theirs, and steps 2 and 3.
    [[nodiscard]] __device__ bool has_single_steps() const { return steps_ % 2 != 0; }
    [[nodiscard]] __device__ bool has_offset() const { return kind_ != ScaleKind::Number && kind_ != ScaleKind::Super; }

    __device__ __forceinline__ void load(int chunk, RawScales& out) const {
        const unsigned step = static_cast<unsigned>(chunk) * kSteps + t_;
        const std::uint64_t group = static_cast<std::uint64_t>(magic_) * step >> 31U; // step / steps_, up to 2^19 inputs
        if (is_super()) {
            const std::uint64_t super = step / 16 * device::kStrip * 2;
            out.scale[0] = word(scale_ + super);
            out.scale[1] = two_bytes(fine_ + group * device::kStrip);
            if (kind_ == ScaleKind::SuperAndMin) {
                out.offset[0] = word(offset_ + super);
                out.offset[1] = two_bytes(fine_min_ + group * device::kStrip);
            }
            return;
        }
        load_numbers(scale_, group, out.scale);
        if (kind_ == ScaleKind::NumberAndOffset) {
            load_numbers(offset_, group, out.offset);
        } else if (kind_ == ScaleKind::NumberAndZero) {
            out.offset[0] = two_bytes(fine_ + group * device::kStrip);
        }
    }

    [[nodiscard]] __device__ __forceinline__ LaneScales finish(const RawScales& raw) const {
        LaneScales out{};
        if (is_super()) {
            out.scale[0] = factor_ * half_of(raw.scale[0], 0);
            out.scale[1] = factor_ * half_of(raw.scale[0], 1);
            if (kind_ == ScaleKind::Super) {
                out.scale[0] *= small_whole(raw.scale[1] ^ 0x80U) - 128.0F; // two's complement
                out.scale[1] *= small_whole(raw.scale[1] >> 8U ^ 0x80U) - 128.0F;
            } else {
                out.scale[0] *= small_whole(raw.scale[1]);
                out.scale[1] *= small_whole(raw.scale[1] >> 8U);
                out.offset[0] = -half_of(raw.offset[0], 0) * small_whole(raw.offset[1]);
                out.offset[1] = -half_of(raw.offset[0], 1) * small_whole(raw.offset[1] >> 8U);
            }
            return out;
        }
        numbers(raw.scale, out.scale);
        if (kind_ == ScaleKind::NumberAndOffset) {
            numbers(raw.offset, out.offset);
        } else if (kind_ == ScaleKind::NumberAndZero) {
            out.offset[0] = -out.scale[0] * small_whole(raw.offset[0]);
            out.offset[1] = -out.scale[1] * small_whole(raw.offset[0] >> 8U);
        }
        return out;
    }

private:
    [[nodiscard]] __device__ bool is_super() const { return kind_ == ScaleKind::Super || kind_ == ScaleKind::SuperAndMin; }
    __device__ static std::uint32_t word(const std::uint8_t* at) { return __ldg(static_cast<const std::uint32_t*>(checked(at, 4))); }
    __device__ static std::uint16_t two_bytes(const std::uint8_t* at) { return __ldg(static_cast<const std::uint16_t*>(checked(at, 2))); }
    __device__ static float half_of(std::uint32_t pair, int h) { return half_float(static_cast<std::uint16_t>(pair >> 16 * h)); }
    // The lowest byte as a float: added to 2^23 it is the fraction's end.
    __device__ static float small_whole(std::uint32_t byte) { return bits_float(and_or(byte, 0xFFU, 0x4B000000U)) - 0x1p23F; }

    __device__ __forceinline__ void load_numbers(const std::uint8_t* from, std::uint64_t group, std::uint32_t (&out)[2]) const {
        if (numbers_ == device::NumberKind::F32) {
            const Words2 two = load_once8(from + group * device::kStrip * 4);
            out[0] = two.x;
            out[1] = two.y;
        } else {
            out[0] = word(from + group * device::kStrip * 2);
        }
    }
    __device__ __forceinline__ void numbers(const std::uint32_t (&raw)[2], float (&out)[2]) const {
        if (numbers_ == device::NumberKind::F16) {
            out[0] = half_of(raw[0], 0);
            out[1] = half_of(raw[0], 1);
        } else if (numbers_ == device::NumberKind::Bf16) {
            out[0] = pair_first(raw[0]);
            out[1] = pair_second(raw[0]);
        } else {
            out[0] = bits_float(raw[0]);
            out[1] = bits_float(raw[1]);
        }
    }

    device::NumberKind numbers_;
    ScaleKind kind_;
    float factor_;
    unsigned t_;
    unsigned steps_; // of a group
    unsigned magic_;
    const std::uint8_t *scale_ = nullptr, *offset_ = nullptr, *fine_ = nullptr, *fine_min_ = nullptr;
};

/// What lane `step` of the same two rows has.
__device__ __forceinline__ float from_step(float value, int step) { return __shfl_sync(kAllLanes, value, step, 4); }

} // namespace handeye::HANDEYE_DEVICE
