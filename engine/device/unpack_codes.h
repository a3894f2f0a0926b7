// SPDX-License-Identifier: Apache-2.0
// From the codes of a DeviceMatrix to the left operands of mma_bf16(), in a lane's registers: whole numbers, levels and bf16 exactly; half precision
// as two numbers in bf16 whose sum it is, float as three. Few instructions for each weight: a product reads memory as fast as they let it.
#pragma once

#include "engine/device/device_code.h"
#include "engine/device/device_matrix.h"

namespace handeye::HANDEYE_DEVICE {

/// What kernels are compiled for.
enum class Code : std::uint8_t { Bf16, F16, F32, Fp8, Whole2, Whole3, Whole4, Whole5, Whole6, Whole8, Levels2, Levels3, Levels4 };

inline Code code_of(const device::DeviceMatrix& w) {
    switch (w.kind) {
        case device::CodeKind::Bf16: return Code::Bf16;
        case device::CodeKind::F16: return Code::F16;
        case device::CodeKind::F32: return Code::F32;
        case device::CodeKind::Fp8: return Code::Fp8;
        case device::CodeKind::Whole: break;
    }
    switch (w.bits) {
        case 2: return w.has_levels ? Code::Levels2 : Code::Whole2;
        case 3: return w.has_levels ? Code::Levels3 : Code::Whole3;
        case 4: return w.has_levels ? Code::Levels4 : Code::Whole4;
        case 5: return Code::Whole5;
        case 6: return Code::Whole6;
        default: return Code::Whole8;
    }
}
/// visit.operator()<code>(), where the code is one of these; else nothing, and false.
template <Code... Known, class Visit>
bool with_code(Code code, const Visit& visit) {
    return ((code == Known && (visit.template operator()<Known>(), true)) || ...);
}
template <class Visit>
void with_any_code(const device::DeviceMatrix& w, const Visit& visit) {
    with_code<Code::Bf16, Code::F16, Code::F32, Code::Fp8, Code::Whole2, Code::Whole3, Code::Whole4, Code::Whole5, Code::Whole6, Code::Whole8,
              Code::Levels2, Code::Levels3, Code::Levels4>(code_of(w), visit);
}

/// Bits of the lower plane and of the upper one.
constexpr int base_bits(Code code) {
    switch (code) {
        case Code::F32: return 32;
        case Code::Bf16:
        case Code::F16: return 16;
        case Code::Fp8:
        case Code::Whole8: return 8;
        case Code::Whole4:
        case Code::Whole5:
        case Code::Whole6:
        case Code::Levels4: return 4;
        case Code::Whole2:
        case Code::Whole3:
        case Code::Levels2:
        case Code::Levels3: return 2;
    }
    return 0;
}
constexpr int extra_bits(Code code) {
    return code == Code::Whole6 ? 2 : code == Code::Whole3 || code == Code::Whole5 || code == Code::Levels3 ? 1 : 0;
}
/// Numbers in bf16 that a weight is the sum of.
constexpr int parts_of(Code code) { return code == Code::F32 ? 3 : code == Code::F16 ? 2 : 1; }
constexpr bool has_levels(Code code) { return code == Code::Levels2 || code == Code::Levels3 || code == Code::Levels4; }
constexpr bool has_scales(Code code) { return code != Code::Bf16 && code != Code::F16 && code != Code::F32; }

inline constexpr int kPieceBytes = 16;

/// One lane's codes of one chunk, as they lie.
template <Code C>
struct LaneCodes {
    std::uint32_t base[base_bits(C)];
    std::uint32_t extra[extra_bits(C) > 0 ? extra_bits(C) : 1];
};

template <int Bits>
__device__ __forceinline__ void load_plane(const std::uint8_t* chunk, int lane, std::uint32_t* words) {
    if constexpr (Bits >= 4) {
        HANDEYE_UNROLL
        for (int piece = 0; piece < Bits / 4; ++piece) {
            const Words4 v = load_once(chunk + (piece * kWarp + lane) * kPieceBytes);
            words[4 * piece] = v.x;
            words[4 * piece + 1] = v.y;
            words[4 * piece + 2] = v.z;
            words[4 * piece + 3] = v.w;
        }
    } else if constexpr (Bits == 2) {
        const Words2 v = load_once8(chunk + lane * 8);
        words[0] = v.x;
        words[1] = v.y;
    } else if constexpr (Bits == 1) {
        words[0] = load_once4(chunk + lane * 4);
    }
}

/// Where the codes of a strip begin.
template <Code C>
struct StripCodes {
    const std::uint8_t* base;
    const std::uint8_t* extra;

    __device__ StripCodes(const device::DeviceMatrix& w, int strip)
        : base(w.base + static_cast<std::int64_t>(strip) * w.chunks * kBaseBytes),
          extra(extra_bits(C) > 0 ? w.extra + static_cast<std::int64_t>(strip) * w.chunks * kExtraBytes : nullptr) {}
    __device__ __forceinline__ void load(int chunk, int lane, LaneCodes<C>& out) const {
        load_plane<base_bits(C)>(base + static_cast<std::uint64_t>(static_cast<unsigned>(chunk)) * kBaseBytes, lane, out.base);
        load_plane<extra_bits(C)>(extra + static_cast<std::uint64_t>(static_cast<unsigned>(chunk)) * kExtraBytes, lane, out.extra);
    }

private:
    static constexpr unsigned kBaseBytes = kWarp * 4 * base_bits(C);
    static constexpr unsigned kExtraBytes = kWarp * 4 * extra_bits(C);
};

inline constexpr std::uint32_t kPairOfOnes = 0x3F803F80U;

/// Makes fragments of codes; its registers are constants of the matrix.
template <Code C>
class Decoder {
public:
    __device__ explicit Decoder(const device::DeviceMatrix& w) {
        if constexpr (has_levels(C)) {
            HANDEYE_UNROLL
            for (int i = 0; i < kTable; ++i) {
                low_[i] = high_[i] = 0;
                HANDEYE_UNROLL
                for (int k = 0; k < 4; ++k) {
                    const std::uint32_t level = float_bits(static_cast<float>(w.levels[4 * i + k])) >> 16U;
                    low_[i] |= (level & 0xFFU) << 8 * k;
                    high_[i] |= (level >> 8U) << 8 * k;
                }
            }
        } else {
            const float minus = -static_cast<float>((C == Code::Whole8 ? 256 : 128) + w.zero);
            minus_ = bf16_pair(minus, minus);
        }
    }

    /// a = part `part` of the weights of step `step`, the largest part first. Both are constants once loops are unrolled.
    __device__ __forceinline__ void fragment(const LaneCodes<C>& codes, int step, int part, std::uint32_t (&a)[4]) const {
        if constexpr (C == Code::Bf16) {
            HANDEYE_UNROLL
            for (int p = 0; p < 4; ++p) {
                a[p] = codes.base[4 * step + p];
            }
        } else if constexpr (C == Code::F16) {
            HANDEYE_UNROLL
            for (int p = 0; p < 4; ++p) {
                const std::uint32_t pair = codes.base[4 * step + p];
                a[p] = part_of(half_float(static_cast<std::uint16_t>(pair)), half_float(static_cast<std::uint16_t>(pair >> 16U)), part);
            }
        } else if constexpr (C == Code::F32) {
            HANDEYE_UNROLL
            for (int p = 0; p < 4; ++p) {
                a[p] = part_of(bits_float(codes.base[8 * step + 2 * p]), bits_float(codes.base[8 * step + 2 * p + 1]), part);
            }
        } else if constexpr (C == Code::Fp8 || C == Code::Whole8) {
            HANDEYE_UNROLL
            for (int p = 0; p < 4; ++p) {
                a[p] = C == Code::Fp8 ? fp8_pair(codes.base[2 * step + p / 2], p % 2) : byte_pair(codes.base[2 * step + p / 2], p % 2);
            }
        } else if constexpr (has_levels(C)) {
            look_up(nibbles(codes, step), a);
        } else {
            whole(codes, step, a);
        }
    }

private:
    static constexpr int kTable = C == Code::Levels4 ? 4 : C == Code::Levels3 ? 2 : 1; // words of four levels

    __device__ static __forceinline__ std::uint32_t part_of(float first, float second, int part) {
        std::uint32_t out = bf16_pair(first, second);
        HANDEYE_UNROLL
        for (int i = 0; i < parts_of(C) - 1; ++i) {
            if (i < part) {
                first -= pair_first(out);
                second -= pair_second(out);
                out = bf16_pair(first, second);
            }
        }
        return out;
    }

    // e4m3's bits in the fields of a bf16 are the number times 2^-120, whether normal or not. 0x7F would be 480: as the only magnitude it leaves
    // the range when multiplied by 1.125 * 2^119, and infinity times zero is no number.
    __device__ static __forceinline__ std::uint32_t fp8_pair(std::uint32_t word, int odd) {
        const std::uint32_t high = odd != 0 ? word : word << 8U;
        const std::uint32_t fields = (high >> 4U & 0x07F007F0U) | (high & 0x80008000U);
        const std::uint32_t value = bf16_pair_fma(fields, 0x7B807B80U, 0x80008000U);
        const std::uint32_t far = bf16_pair_fma(value, 0x7B107B10U, 0x80008000U);
        return bf16_pair_fma(far, 0, value);
    }

    // 128 + its seven lower bits, and 128 or 256 for the upper one: from their sum 256 + zero is taken away, so that nothing is rounded.
    __device__ __forceinline__ std::uint32_t byte_pair(std::uint32_t word, int odd) const {
        const std::uint32_t low = odd != 0 ? word >> 8U : word;
        const std::uint32_t lower = bf16_pair_fma(and_or(low, 0x007F007FU, 0x43004300U), kPairOfOnes, minus_);
        return bf16_pair_fma(and_or(low, 0x00800080U, 0x43004300U), kPairOfOnes, lower);
    }

    // Codes of up to four bits of one step, a nibble each.
    __device__ static __forceinline__ std::uint32_t nibbles(const LaneCodes<C>& codes, int step) {
        if constexpr (base_bits(C) == 4) {
            return codes.base[step];
        } else {
            std::uint32_t out = codes.base[step / 2] >> 2 * (step % 2) & 0x33333333U;
            if constexpr (extra_bits(C) == 1) {
                out |= (step < 2 ? codes.extra[0] << (2 - step) : codes.extra[0] >> (step - 2)) & 0x44444444U;
            }
            return out;
        }
    }

    // In a bf16 of 2^7 the lowest bit of the fraction is one: bits below it are added to 128.
    __device__ __forceinline__ void whole(const LaneCodes<C>& codes, int step, std::uint32_t (&a)[4]) const {
        const std::uint32_t word = nibbles(codes, step);
        HANDEYE_UNROLL
        for (int p = 0; p < 4; ++p) {
            std::uint32_t biased = and_or(word >> 4 * p, 0x000F000FU, 0x43004300U);
            if constexpr (C == Code::Whole5) {
                biased = and_or(moved(codes.extra[0], 4 * p + step), 0x00100010U, biased);
            } else if constexpr (C == Code::Whole6) {
                biased = and_or(moved(codes.extra[step / 2], 4 * p + 2 * (step % 2)), 0x00300030U, biased);
            }
            a[p] = bf16_pair_fma(biased, kPairOfOnes, minus_);
        }
    }
    // Bit `from` to bit 4.
    __device__ static __forceinline__ std::uint32_t moved(std::uint32_t word, int from) { return from < 4 ? word << (4 - from) : word >> (from - 4); }

    // The byte of four codes at once; `upper` says which of them are 8 and more.
    __device__ __forceinline__ std::uint32_t four_bytes(const std::uint32_t (&table)[kTable], std::uint32_t which, std::uint32_t upper) const {
        if constexpr (kTable == 4) {
            return __byte_perm(__byte_perm(table[0], table[1], which), __byte_perm(table[2], table[3], which), upper);
        } else {
            return __byte_perm(table[0], table[kTable - 1], which);
        }
    }
    __device__ __forceinline__ void look_up(std::uint32_t word, std::uint32_t (&a)[4]) const {
        const std::uint32_t which = C == Code::Levels4 ? word & 0x77777777U : word;
        const std::uint32_t upper = and_or(word >> 1U, 0x44444444U, 0x32103210U);
        HANDEYE_UNROLL
        for (int i = 0; i < 2; ++i) {
            const std::uint32_t low = four_bytes(low_, which >> 16 * i, upper >> 16 * i);
            const std::uint32_t high = four_bytes(high_, which >> 16 * i, upper >> 16 * i);
            a[2 * i] = __byte_perm(low, high, 0x5140);
            a[2 * i + 1] = __byte_perm(low, high, 0x7362);
        }
    }

    std::uint32_t minus_ = 0;
    std::uint32_t low_[kTable] = {}, high_[kTable] = {}; // of each level in bf16
};

} // namespace handeye::HANDEYE_DEVICE
