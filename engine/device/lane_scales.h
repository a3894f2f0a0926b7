// SPDX-License-Identifier: Apache-2.0
// Scales and offsets of a DeviceMatrix in a product: of the four lanes that share two rows, lane t reads those of step t's group, each lane the two rows'
// together; when a step's sum is scaled the others get them from it. An offset's product with the sums of inputs is spread over the four in the same way.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/device_matrix.h"

namespace handeye::HANDEYE_DEVICE {

inline constexpr int kSteps = device::kChunk / device::kSumGroup; ///< of a chunk

/// As they lie in memory: of rows g and g + 8.
struct RawScales {
    std::uint32_t scale[2];
    std::uint32_t offset[2];
    std::uint16_t fine, fine_min; ///< a byte each
};
struct LaneScales {
    float scale[2];
    float offset[2];
};

/// The scales of one strip.
class StripScales {
public:
    __device__ StripScales(const device::DeviceMatrix& w, int strip, int lane)
        : numbers_(w.numbers), kind_(w.scales), groups_(w.groups), supers_((w.cols + 255) / 256), factor_(w.factor), t_(lane % 4),
          steps_(w.group > device::kSumGroup ? w.group / device::kSumGroup : 1), magic_((0x80000000U + static_cast<unsigned>(steps_) - 1) / static_cast<unsigned>(steps_)) {
        const bool super = is_super();
        const std::int64_t first = static_cast<std::int64_t>(strip) * (super ? supers_ : groups_) * device::kStrip + 2 * (lane / 4);
        const int bytes = !super && numbers_ == device::NumberKind::F32 ? 4 : 2;
        scale_ = static_cast<const std::uint8_t*>(w.scale) + first * bytes;
        offset_ = w.offset == nullptr ? nullptr : static_cast<const std::uint8_t*>(w.offset) + first * bytes;
        const std::int64_t first_fine = static_cast<std::int64_t>(strip) * groups_ * device::kStrip + 2 * (lane / 4);
        fine_ = w.fine == nullptr ? nullptr : w.fine + first_fine;
        fine_min_ = w.fine_min == nullptr ? nullptr : w.fine_min + first_fine;
    }

    /// Bit j: a group may end with step j of a chunk.
    [[nodiscard]] __device__ unsigned group_ends() const { return steps_ % 4 == 0 ? 8U : steps_ % 2 == 0 ? 10U : 15U; }
    [[nodiscard]] __device__ bool has_offset() const { return kind_ != ScaleKind::Number && kind_ != ScaleKind::Super; }

    __device__ __forceinline__ void load(int chunk, RawScales& out) const {
        const int step = chunk * kSteps + t_;
        int group = static_cast<int>(static_cast<std::uint64_t>(magic_) * static_cast<unsigned>(step) >> 31U); // step / steps_, up to 2^19 inputs
        group = group < groups_ ? group : groups_ - 1;
        if (is_super()) {
            const int super = step / 16 < supers_ ? step / 16 : supers_ - 1;
            out.scale[0] = word(scale_ + super * device::kStrip * 2);
            out.fine = two_bytes(fine_ + group * device::kStrip);
            if (kind_ == ScaleKind::SuperAndMin) {
                out.offset[0] = word(offset_ + super * device::kStrip * 2);
                out.fine_min = two_bytes(fine_min_ + group * device::kStrip);
            }
            return;
        }
        load_numbers(scale_, group, out.scale);
        if (kind_ == ScaleKind::NumberAndOffset) {
            load_numbers(offset_, group, out.offset);
        } else if (kind_ == ScaleKind::NumberAndZero) {
            out.fine = two_bytes(fine_ + group * device::kStrip);
        }
    }

    [[nodiscard]] __device__ __forceinline__ LaneScales finish(const RawScales& raw) const {
        LaneScales out{};
        HANDEYE_UNROLL
        for (int h = 0; h < 2; ++h) {
            const std::uint32_t fine = raw.fine >> 8 * h & 0xFFU;
            if (kind_ == ScaleKind::Super) {
                out.scale[h] = factor_ * half_of(raw.scale[0], h) * static_cast<float>(static_cast<std::int8_t>(fine));
            } else if (kind_ == ScaleKind::SuperAndMin) {
                out.scale[h] = factor_ * half_of(raw.scale[0], h) * static_cast<float>(fine);
                out.offset[h] = -(half_of(raw.offset[0], h) * static_cast<float>(raw.fine_min >> 8 * h & 0xFFU));
            } else {
                out.scale[h] = number(raw.scale, h);
                if (kind_ == ScaleKind::NumberAndOffset) {
                    out.offset[h] = number(raw.offset, h);
                } else if (kind_ == ScaleKind::NumberAndZero) {
                    out.offset[h] = -(out.scale[h] * static_cast<float>(fine));
                }
            }
        }
        return out;
    }

private:
    [[nodiscard]] __device__ bool is_super() const { return kind_ == ScaleKind::Super || kind_ == ScaleKind::SuperAndMin; }
    __device__ static std::uint32_t word(const std::uint8_t* at) { return __ldg(static_cast<const std::uint32_t*>(checked(at, 4))); }
    __device__ static std::uint16_t two_bytes(const std::uint8_t* at) { return __ldg(static_cast<const std::uint16_t*>(checked(at, 2))); }
    __device__ static float half_of(std::uint32_t pair, int h) { return half_float(static_cast<std::uint16_t>(pair >> 16 * h)); }

    __device__ __forceinline__ void load_numbers(const std::uint8_t* numbers, int group, std::uint32_t (&out)[2]) const {
        if (numbers_ == device::NumberKind::F32) {
            const Words2 two = load_once8(numbers + static_cast<std::int64_t>(group) * device::kStrip * 4);
            out[0] = two.x;
            out[1] = two.y;
        } else {
            out[0] = word(numbers + static_cast<std::int64_t>(group) * device::kStrip * 2);
        }
    }
    [[nodiscard]] __device__ __forceinline__ float number(const std::uint32_t (&raw)[2], int h) const {
        return numbers_ == device::NumberKind::F32   ? bits_float(raw[h])
               : numbers_ == device::NumberKind::F16 ? half_of(raw[0], h)
                                                     : bf16_float(static_cast<std::uint16_t>(raw[0] >> 16 * h));
    }

    device::NumberKind numbers_;
    ScaleKind kind_;
    int groups_, supers_;
    float factor_;
    int t_;
    int steps_; // of a group
    unsigned magic_;
    const std::uint8_t *scale_ = nullptr, *offset_ = nullptr, *fine_ = nullptr, *fine_min_ = nullptr;
};

/// What lane `step` of the same two rows has.
__device__ __forceinline__ float from_step(float value, int lane, int step) { return __shfl_sync(kAllLanes, value, (lane & ~3) + step); }

} // namespace handeye::HANDEYE_DEVICE
