// SPDX-License-Identifier: Apache-2.0
// Blocks of GGUF files as whole numbers: for each 32 weights their codes in 16 bits, one scale, and what is taken away from each:
// weight = scale * code - min. Compiled once per instruction set. Layouts are those of blocks_legacy.cpp and blocks_k.cpp.
#if defined(HANDEYE_BLOCK_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HANDEYE_BLOCK_CODES_INL_H_
#undef HANDEYE_BLOCK_CODES_INL_H_
#else
#define HANDEYE_BLOCK_CODES_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::blocks::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kGroup = 32; // weights that share a scale
constexpr std::int64_t kSuper = 256;

using Codes = hn::CappedTag<std::int16_t, 32>;
using CodeVec = hn::Vec<Codes>;
constexpr std::int64_t kCodes = HWY_MIN(32, HWY_LANES(std::int16_t)); // of a vector
constexpr std::int64_t kParts = kGroup / kCodes;                       // vectors of a group

using Four = hn::CappedTag<float, 4>;
constexpr std::int64_t kFour = HWY_MIN(4, HWY_LANES(float));

HWY_INLINE std::uint32_t bits32(const std::byte* from) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, from, 4);
    return bits;
}
HWY_INLINE std::uint64_t half_bits(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, 2);
    return bits;
}

/// Four halves of one word as floats times a factor.
HWY_INLINE void four_halves(std::uint64_t halves, float factor, float* out) {
    const Four f;
    hwy::float16_t each[4];
    std::memcpy(each, &halves, sizeof each);
    for (std::int64_t i = 0; i < 4; i += kFour) {
        hn::StoreU(hn::Mul(hn::PromoteTo(f, hn::LoadU(hn::Rebind<hwy::float16_t, Four>(), each + i)), hn::Set(f, factor)), f, out + i);
    }
}
/// Four bytes of one word as floats times a factor.
HWY_INLINE void four_bytes(std::uint32_t bytes, float factor, float* out) {
    const Four f;
    std::uint8_t each[4];
    std::memcpy(each, &bytes, sizeof each);
    for (std::int64_t i = 0; i < 4; i += kFour) {
        const auto wide = hn::PromoteTo(hn::Rebind<std::int32_t, Four>(), hn::LoadU(hn::Rebind<std::uint8_t, Four>(), each + i));
        hn::StoreU(hn::Mul(hn::ConvertTo(f, wide), hn::Set(f, factor)), f, out + i);
    }
}
/// The halves `at` bytes into each of `groups` blocks of `bytes`.
template <std::int64_t Bytes>
HWY_INLINE void halves_of(const std::byte* row, std::int64_t at, std::int64_t groups, float factor, float* out) {
    for (std::int64_t g = 0; g < groups; g += 4, row += 4 * Bytes) {
        std::uint64_t halves = half_bits(row + at);
        for (std::int64_t i = 1; i < std::min<std::int64_t>(4, groups - g); ++i) {
            halves |= half_bits(row + at + i * Bytes) << static_cast<unsigned>(16 * i);
        }
        four_halves(halves, factor, out + g);
    }
}

HWY_INLINE CodeVec bytes_at(const std::byte* from) {
    return hn::PromoteTo(Codes(), hn::LoadU(hn::Rebind<std::uint8_t, Codes>(), reinterpret_cast<const std::uint8_t*>(from)));
}
HWY_INLINE CodeVec low_bits(CodeVec codes, int mask) { return hn::And(codes, hn::Set(Codes(), static_cast<std::int16_t>(mask))); }

/// Vector `part` of 32 codes whose first half are the low nibbles of 16 bytes and whose second half are the high ones.
HWY_INLINE CodeVec nibble_halves(const std::byte* from, std::int64_t part) {
    if constexpr (kCodes == 32) {
        const CodeVec both = hn::PromoteTo(Codes(), hn::LoadDup128(hn::Rebind<std::uint8_t, Codes>(), reinterpret_cast<const std::uint8_t*>(from)));
        return low_bits(hn::IfThenElse(hn::FirstN(Codes(), 16), both, hn::ShiftRight<4>(both)), 15);
    } else {
        const std::int64_t first = part * kCodes;
        const CodeVec both = bytes_at(from + first % 16);
        return first < 16 ? low_bits(both, 15) : hn::ShiftRight<4>(both);
    }
}
/// 16 where the code's bit of the four bytes is set.
HWY_INLINE CodeVec fifth_bits(const std::byte* from, std::int64_t part) {
    const std::uint64_t bits = std::uint64_t{bits32(from)} >> static_cast<unsigned>(part * kCodes);
    return hn::IfThenElseZero(hn::LoadMaskBits(Codes(), reinterpret_cast<const std::uint8_t*>(&bits)), hn::Set(Codes(), 16));
}
HWY_INLINE CodeVec less(CodeVec codes, int zero) { return hn::Sub(codes, hn::Set(Codes(), static_cast<std::int16_t>(zero))); }

// Each format: the weights and bytes of a block; the scales (and mins) of so many groups of a row; vector `part` of the codes of group `g` of
// 256 weights that begin at `at`.

/// Blocks of 32 weights that begin with a half, their scale.
template <std::int64_t Bytes>
struct Legacy {
    static constexpr std::int64_t kElements = 32, kBytes = Bytes;
    static constexpr bool kHasMin = false;
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* /*min*/) { halves_of<Bytes>(row, 0, groups, 1, scale); }
};
/// And with a second one, what is added to each weight.
template <std::int64_t Bytes>
struct LegacyWithMin : Legacy<Bytes> {
    static constexpr bool kHasMin = true;
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) {
        halves_of<Bytes>(row, 0, groups, 1, scale);
        halves_of<Bytes>(row, 2, groups, -1, min);
    }
};

struct Q8_0 : Legacy<34> {
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        return hn::PromoteTo(Codes(), hn::LoadU(hn::Rebind<std::int8_t, Codes>(), reinterpret_cast<const std::int8_t*>(at + g * kBytes + 2 + part * kCodes)));
    }
};

struct Q4_0 : Legacy<18> {
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) { return less(nibble_halves(at + g * kBytes + 2, part), 8); }
};

struct Q4_1 : LegacyWithMin<20> {
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) { return nibble_halves(at + g * kBytes + 4, part); }
};

struct Q5_0 : Legacy<22> {
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::byte* const block = at + g * kBytes;
        return less(hn::Or(nibble_halves(block + 6, part), fifth_bits(block + 2, part)), 16);
    }
};

struct Q5_1 : LegacyWithMin<24> {
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::byte* const block = at + g * kBytes;
        return hn::Or(nibble_halves(block + 8, part), fifth_bits(block + 4, part));
    }
};

/// The 8 pairs of six bits in 12 bytes of a block of Q4_K or Q5_K, scales and mins: four at a time are bytes of one word.
struct SixBits {
    std::uint32_t scales[2], mins[2];
};
HWY_INLINE SixBits six_bits(const std::byte* block) {
    constexpr std::uint32_t kSix = 0x3F3F3F3FU, kFourBits = 0x0F0F0F0FU, kTwo = 0x03030303U;
    const std::uint32_t s = bits32(block + 4), m = bits32(block + 8), high = bits32(block + 12);
    return {{s & kSix, (high & kFourBits) | (s >> 6U & kTwo) << 4U}, {m & kSix, (high >> 4U & kFourBits) | (m >> 6U & kTwo) << 4U}};
}
template <std::int64_t Bytes>
HWY_INLINE void six_bit_pairs(const std::byte* row, std::int64_t groups, float* scale, float* min) {
    for (std::int64_t g = 0; g < groups; g += 8, row += Bytes) {
        const SixBits bits = six_bits(row);
        float d[4];
        four_halves(bits32(row), 1, d);
        for (int i = 0; i < 2; ++i) {
            four_bytes(bits.scales[i], d[0], scale + g + 4 * i);
            four_bytes(bits.mins[i], d[1], min + g + 4 * i);
        }
    }
}
/// What the codes of each 32 of a block of Q4_K or Q5_K are multiplied by, before the block's own scale.
HWY_INLINE void six_bit_factors(const std::byte* block, std::int16_t (&factors)[8]) {
    const SixBits bits = six_bits(block);
    for (unsigned i = 0; i < 8; ++i) {
        factors[i] = static_cast<std::int16_t>(bits.scales[i / 4] >> 8 * (i % 4) & 0xFFU);
    }
}
HWY_INLINE float one_half(const std::byte* from) {
    float all[4];
    four_halves(half_bits(from), 1, all);
    return all[0];
}

// Those of 256 weights also say them as whole numbers under one scale: codes times factors, of 14 bits at most.

struct Q4_K {
    static constexpr std::int64_t kElements = 256, kBytes = 144;
    static constexpr bool kHasMin = true;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at); }
    static HWY_INLINE void factors(const std::byte* at, std::int16_t (&out)[8]) { six_bit_factors(at, out); }
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) { six_bit_pairs<kBytes>(row, groups, scale, min); }
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const CodeVec both = bytes_at(at + 16 + 32 * (g / 2) + part * kCodes);
        return g % 2 == 0 ? low_bits(both, 15) : hn::ShiftRight<4>(both);
    }
};

struct Q5_K {
    static constexpr std::int64_t kElements = 256, kBytes = 176;
    static constexpr bool kHasMin = true;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at); }
    static HWY_INLINE void factors(const std::byte* at, std::int16_t (&out)[8]) { six_bit_factors(at, out); }
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) { six_bit_pairs<kBytes>(row, groups, scale, min); }
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const CodeVec both = bytes_at(at + 48 + 32 * (g / 2) + part * kCodes);
        const CodeVec fifth = low_bits(hn::ShiftRightSame(bytes_at(at + 16 + part * kCodes), static_cast<int>(g)), 1);
        return hn::Or(g % 2 == 0 ? low_bits(both, 15) : hn::ShiftRight<4>(both), hn::ShiftLeft<4>(fifth));
    }
};

/// 16 weights share a scale of 8 bits: codes come multiplied by it.
struct Q6_K {
    static constexpr std::int64_t kElements = 256, kBytes = 210;
    static constexpr bool kHasMin = false;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at + 208); }
    static HWY_INLINE void factors(const std::byte* /*at*/, std::int16_t (&out)[8]) { std::fill_n(out, 8, std::int16_t{1}); }
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* /*min*/) {
        for (std::int64_t g = 0; g < groups; g += 8, row += kBytes) {
            std::fill_n(scale + g, 8, block_scale(row));
        }
    }
    static HWY_INLINE CodeVec codes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::int64_t half = g / 4, k = g % 4;
        const CodeVec low = low_bits(hn::ShiftRightSame(bytes_at(at + 64 * half + 32 * (k % 2) + part * kCodes), static_cast<int>(4 * (k / 2))), 15);
        const CodeVec high = low_bits(hn::ShiftRightSame(bytes_at(at + 128 + 32 * half + part * kCodes), static_cast<int>(2 * k)), 3);
        return hn::Mul(less(hn::Or(low, hn::ShiftLeft<4>(high)), 32), scale_of(at + 192 + 2 * g, part));
    }

private:
    static HWY_INLINE CodeVec scale_of(const std::byte* two, std::int64_t part) {
        const auto scale = [two](std::int64_t i) { return hn::Set(Codes(), static_cast<std::int8_t>(std::to_integer<unsigned>(two[i]))); };
        if constexpr (kCodes == 32) {
            return hn::IfThenElse(hn::FirstN(Codes(), 16), scale(0), scale(1));
        } else {
            return scale(part * kCodes / 16);
        }
    }
};

} // namespace handeye::blocks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
