// SPDX-License-Identifier: Apache-2.0
// Blocks of GGUF files as whole numbers: for each 32 weights their codes in 8 bits, their scales, and what is taken away from each:
// weight = scale * code - min. Compiled once per instruction set that has vectors. Layouts are those of blocks_legacy.cpp and blocks_k.cpp.
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

#if HWY_TARGET != HWY_SCALAR
HWY_BEFORE_NAMESPACE();
namespace handeye::blocks::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kGroup = 32; // weights that share a scale
constexpr std::int64_t kSuper = 256;

using Bytes = hn::CappedTag<std::uint8_t, 32>;
using ByteVec = hn::Vec<Bytes>;
constexpr std::int64_t kBytes = HWY_MIN(32, HWY_LANES(std::uint8_t)); // of a vector
constexpr std::int64_t kByteParts = kGroup / kBytes;                   // vectors of a group

using Codes = hn::CappedTag<std::int16_t, 32>;
using CodeVec = hn::Vec<Codes>;
constexpr std::int64_t kCodes = HWY_MIN(32, HWY_LANES(std::int16_t));
constexpr std::int64_t kParts = kGroup / kCodes;

using Four = hn::CappedTag<float, 4>;
constexpr std::int64_t kFour = HWY_MIN(4, HWY_LANES(float));
using Eight = hn::CappedTag<float, 8>;
constexpr std::int64_t kEight = HWY_MIN(8, HWY_LANES(float));

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
/// Eight bytes as floats times a factor.
template <class Byte>
HWY_INLINE void eight_bytes(const Byte* bytes, float factor, float* out) {
    const Eight f;
    for (std::int64_t i = 0; i < 8; i += kEight) {
        const auto wide = hn::PromoteTo(hn::Rebind<std::int32_t, Eight>(), hn::LoadU(hn::Rebind<Byte, Eight>(), bytes + i));
        hn::StoreU(hn::Mul(hn::ConvertTo(f, wide), hn::Set(f, factor)), f, out + i);
    }
}
/// The halves `at` bytes into each of `groups` blocks of `bytes`.
template <std::int64_t Bytes>
HWY_INLINE void halves_of(const std::byte* row, std::int64_t at, std::int64_t groups, float factor, float* out) {
    row += at;
    std::int64_t g = 0;
    for (; g + 4 <= groups; g += 4, row += 4 * Bytes) {
        four_halves(half_bits(row) | half_bits(row + Bytes) << 16U | half_bits(row + 2 * Bytes) << 32U | half_bits(row + 3 * Bytes) << 48U, factor, out + g);
    }
    if (g < groups) {
        std::uint64_t halves = 0;
        for (std::int64_t i = 0; i < groups - g; ++i) {
            halves |= half_bits(row + i * Bytes) << static_cast<unsigned>(16 * i);
        }
        four_halves(halves, factor, out + g);
    }
}

HWY_INLINE ByteVec bytes_at(const std::byte* from) { return hn::LoadU(Bytes(), reinterpret_cast<const std::uint8_t*>(from)); }
HWY_INLINE ByteVec masked(ByteVec bytes, int mask) { return hn::And(bytes, hn::Set(Bytes(), static_cast<std::uint8_t>(mask))); }
HWY_INLINE ByteVec less(ByteVec bytes, int zero) { return hn::Sub(bytes, hn::Set(Bytes(), static_cast<std::uint8_t>(zero))); }
/// Bits fall from one byte into its neighbour: they are masked before or after.
template <int Left>
HWY_INLINE ByteVec shifted(ByteVec bytes) {
    const hn::Repartition<std::uint16_t, Bytes> pairs;
    if constexpr (Left >= 0) {
        return hn::BitCast(Bytes(), hn::ShiftLeft<Left>(hn::BitCast(pairs, bytes)));
    } else {
        return hn::BitCast(Bytes(), hn::ShiftRight<-Left>(hn::BitCast(pairs, bytes)));
    }
}

/// Vector `part` of 32 codes whose first half are the low nibbles of 16 bytes and whose second half are the high ones.
HWY_INLINE ByteVec nibble_halves(const std::byte* from, [[maybe_unused]] std::int64_t part) {
    if constexpr (kBytes == 32) {
        const ByteVec both = hn::LoadDup128(Bytes(), reinterpret_cast<const std::uint8_t*>(from));
        return masked(hn::ConcatUpperLower(Bytes(), shifted<-4>(both), both), 15);
    } else {
        const std::int64_t first = part * kBytes;
        const ByteVec both = bytes_at(from + first % 16);
        return masked(first < 16 ? both : shifted<-4>(both), 15);
    }
}
/// 16 where the code's bit of the four bytes is set.
HWY_INLINE ByteVec fifth_bits(const std::byte* from, std::int64_t part) {
    const std::uint64_t bits = std::uint64_t{bits32(from)} >> static_cast<unsigned>(part * kBytes);
    return hn::IfThenElseZero(hn::LoadMaskBits(Bytes(), reinterpret_cast<const std::uint8_t*>(&bits)), hn::Set(Bytes(), 16));
}

// Each format: the weights and bytes of a block; whether its codes have a sign; the scales (and mins) of so many groups of a row; vector `part`
// of the codes of group `g` of 256 weights that begin at `at`.

/// Blocks of 32 weights that begin with a half, their scale.
template <std::int64_t Size>
struct Legacy {
    static constexpr std::int64_t kElements = 32, kBytes = Size, kScales = 1;
    static constexpr bool kHasMin = false, kHasSign = true;
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* /*min*/) { halves_of<Size>(row, 0, groups, 1, scale); }
};
/// And with a second one, what is added to each weight.
template <std::int64_t Size>
struct LegacyWithMin : Legacy<Size> {
    static constexpr bool kHasMin = true, kHasSign = false;
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) {
        halves_of<Size>(row, 0, groups, 1, scale);
        halves_of<Size>(row, 2, groups, -1, min);
    }
};

struct Q8_0 : Legacy<34> {
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) { return bytes_at(at + g * kBytes + 2 + part * blocks::HWY_NAMESPACE::kBytes); }
};

struct Q4_0 : Legacy<18> {
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) { return less(nibble_halves(at + g * kBytes + 2, part), 8); }
};

struct Q4_1 : LegacyWithMin<20> {
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) { return nibble_halves(at + g * kBytes + 4, part); }
};

struct Q5_0 : Legacy<22> {
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::byte* const block = at + g * kBytes;
        return less(hn::Or(nibble_halves(block + 6, part), fifth_bits(block + 2, part)), 16);
    }
};

struct Q5_1 : LegacyWithMin<24> {
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::byte* const block = at + g * kBytes;
        return hn::Or(nibble_halves(block + 8, part), fifth_bits(block + 4, part));
    }
};

/// The 8 pairs of six bits in 12 bytes of a block of Q4_K or Q5_K: 8 scales, 8 mins.
HWY_INLINE void six_bits(const std::byte* block, std::uint8_t (&out)[16]) {
    using Sixteen = hn::FixedTag<std::uint8_t, 16>;
    const Sixteen d;
    const hn::Repartition<std::uint16_t, Sixteen> pairs;
    // Of the first four of each: six bits of one byte. Of the others: four bits of a byte that both share, and two that are left above the six.
    alignas(16) static constexpr std::uint8_t kLow[16] = {4, 5, 6, 7, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15};
    alignas(16) static constexpr std::uint8_t kHigh[16] = {128, 128, 128, 128, 4, 5, 6, 7, 128, 128, 128, 128, 8, 9, 10, 11};
    alignas(16) static constexpr std::uint8_t kKept[16] = {63, 63, 63, 63, 15, 15, 15, 15, 63, 63, 63, 63, 15, 15, 15, 15};
    alignas(16) static constexpr std::uint8_t kShifted[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255};
    const auto all = hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(block));
    const auto low = hn::TableLookupBytes(all, hn::Load(d, kLow));
    const auto high = hn::TableLookupBytesOr0(all, hn::Load(d, kHigh));
    const auto nibbles = hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(pairs, low)));
    const auto chosen = hn::And(hn::IfVecThenElse(hn::Load(d, kShifted), nibbles, low), hn::Load(d, kKept));
    const auto two = hn::And(hn::BitCast(d, hn::ShiftRight<2>(hn::BitCast(pairs, high))), hn::Set(d, 0x30));
    hn::StoreU(hn::Or(chosen, two), d, out);
}
template <std::int64_t Bytes>
HWY_INLINE void six_bit_pairs(const std::byte* row, std::int64_t groups, float* scale, float* min) {
    for (std::int64_t g = 0; g < groups; g += 8, row += Bytes) {
        std::uint8_t each[16];
        six_bits(row, each);
        float d[4];
        four_halves(bits32(row), 1, d);
        eight_bytes(each, d[0], scale + g);
        eight_bytes(each + 8, d[1], min + g);
    }
}
/// What the codes of each 32 of a block of Q4_K or Q5_K are multiplied by, before the block's own scale.
HWY_INLINE void six_bit_factors(const std::byte* block, std::int16_t (&factors)[8]) {
    std::uint8_t each[16];
    six_bits(block, each);
    std::copy_n(each, 8, factors);
}
HWY_INLINE float one_half(const std::byte* from) {
    float all[4];
    four_halves(half_bits(from), 1, all);
    return all[0];
}

// Those of 256 weights also say them as whole numbers under one scale: codes times factors, of 14 bits at most.

struct Q4_K {
    static constexpr std::int64_t kElements = 256, kBytes = 144, kScales = 1;
    static constexpr bool kHasMin = true, kHasSign = false;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at); }
    static HWY_INLINE void factors(const std::byte* at, std::int16_t (&out)[8]) { six_bit_factors(at, out); }
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) { six_bit_pairs<kBytes>(row, groups, scale, min); }
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const ByteVec both = bytes_at(at + 16 + 32 * (g / 2) + part * blocks::HWY_NAMESPACE::kBytes);
        return masked(g % 2 == 0 ? both : shifted<-4>(both), 15);
    }
};

struct Q5_K {
    static constexpr std::int64_t kElements = 256, kBytes = 176, kScales = 1;
    static constexpr bool kHasMin = true, kHasSign = false;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at); }
    static HWY_INLINE void factors(const std::byte* at, std::int16_t (&out)[8]) { six_bit_factors(at, out); }
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* min) { six_bit_pairs<kBytes>(row, groups, scale, min); }
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const ByteVec both = bytes_at(at + 48 + 32 * (g / 2) + part * blocks::HWY_NAMESPACE::kBytes);
        const ByteVec fifths = masked(bytes_at(at + 16 + part * blocks::HWY_NAMESPACE::kBytes), 1 << g);
        return hn::Or(masked(g % 2 == 0 ? both : shifted<-4>(both), 15), to_fifth(fifths, g));
    }

private:
    static HWY_INLINE ByteVec to_fifth(ByteVec bits, std::int64_t g) { // from bit g to bit 4
        const hn::Repartition<std::uint16_t, Bytes> pairs;
        const auto wide = hn::BitCast(pairs, bits);
        return hn::BitCast(Bytes(), g < 4 ? hn::ShiftLeftSame(wide, static_cast<int>(4 - g)) : hn::ShiftRightSame(wide, static_cast<int>(g - 4)));
    }
};

/// 16 weights share a scale of 8 bits.
struct Q6_K {
    static constexpr std::int64_t kElements = 256, kBytes = 210, kScales = 2;
    static constexpr bool kHasMin = false, kHasSign = true;
    static HWY_INLINE float block_scale(const std::byte* at) { return one_half(at + 208); }
    static HWY_INLINE void factors(const std::byte* /*at*/, std::int16_t (&out)[8]) { std::fill_n(out, 8, std::int16_t{1}); } // whole_codes() has them
    static HWY_INLINE void scales(const std::byte* row, std::int64_t groups, float* scale, float* /*min*/) {
        for (std::int64_t g = 0; g < groups; g += 8, row += kBytes) {
            const float d = block_scale(row);
            const auto* const each = reinterpret_cast<const std::int8_t*>(row + 192);
            eight_bytes(each, d, scale + 2 * g);
            eight_bytes(each + 8, d, scale + 2 * g + 8);
        }
    }
    static HWY_INLINE ByteVec bytes(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::int64_t half = g / 4, k = g % 4;
        const ByteVec both = bytes_at(at + 64 * half + 32 * (k % 2) + part * blocks::HWY_NAMESPACE::kBytes);
        const ByteVec low = masked(k < 2 ? both : shifted<-4>(both), 15);
        const ByteVec pairs = bytes_at(at + 128 + 32 * half + part * blocks::HWY_NAMESPACE::kBytes); // two bits of four weights each
        const ByteVec high = k == 0 ? shifted<4>(pairs) : k == 1 ? shifted<2>(pairs) : k == 2 ? pairs : shifted<-2>(pairs);
        return less(hn::Or(low, masked(high, 0x30)), 32);
    }
    /// The scale of the 16 weights that vector `part` of CodeVecs begins in; two where it holds 32.
    static HWY_INLINE CodeVec code_scales(const std::byte* at, std::int64_t g, std::int64_t part) {
        const std::byte* const two = at + 192 + 2 * g;
        const auto scale = [two](std::int64_t i) { return hn::Set(Codes(), static_cast<std::int8_t>(std::to_integer<unsigned>(two[i]))); };
        if constexpr (kCodes == 32) {
            return hn::IfThenElse(hn::FirstN(Codes(), 16), scale(0), scale(1));
        } else {
            return scale(part * kCodes / 16);
        }
    }
};

template <class Format>
HWY_INLINE CodeVec widened(hn::Vec<hn::Rebind<std::uint8_t, Codes>> bytes) {
    if constexpr (Format::kHasSign) {
        return hn::PromoteTo(Codes(), hn::BitCast(hn::Rebind<std::int8_t, Codes>(), bytes));
    } else {
        return hn::PromoteTo(Codes(), bytes);
    }
}

/// Vector `part` of a group's codes in 16 bits, in their order; those of Q6_K times their scales.
template <class Format>
HWY_INLINE CodeVec whole_codes(const std::byte* at, std::int64_t g, std::int64_t part) {
    CodeVec out;
    if constexpr (kCodes == kBytes) {
        out = widened<Format>(Format::bytes(at, g, part));
    } else {
        const ByteVec bytes = Format::bytes(at, g, part / 2);
        out = widened<Format>(part % 2 == 0 ? hn::LowerHalf(bytes) : hn::UpperHalf(hn::Half<Bytes>(), bytes));
    }
    if constexpr (Format::kScales == 2) {
        out = hn::Mul(out, Format::code_scales(at, g, part));
    }
    return out;
}

} // namespace handeye::blocks::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif // per-target include guard
