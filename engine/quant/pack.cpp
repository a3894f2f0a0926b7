// SPDX-License-Identifier: Apache-2.0
#include "engine/quant/pack.h"

#include "base/result.h"
#include "engine/quant/weight_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace handeye {
namespace {

constexpr std::size_t kScaleBytes = 2; // BF16

std::uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16U & 1U)) >> 16U); // to nearest, ties to even; finite
}

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }

float squared_error(std::span<const float> w, float scale, float least, float most) {
    const float inverse = 1.0F / scale;
    float sum = 0;
    for (const float value : w) {
        const float code = std::clamp(std::nearbyint(value * inverse), least, most);
        const float off = value - code * scale;
        sum += off * off;
    }
    return sum;
}

// The stored scale of one group. With 4 bits the range has one more step below zero than above, and large weights are rare: a
// scale that cuts them a little is often the better one.
std::uint16_t choose_scale(std::span<const float> w, int bits) {
    float highest = 0;
    for (const float value : w) {
        highest = std::max(highest, std::abs(value));
    }
    const auto most = static_cast<float>((1 << (bits - 1)) - 1);
    const std::uint16_t plain = to_bf16(highest / most);
    if (from_bf16(plain) == 0 || !std::isfinite(from_bf16(plain))) {
        return to_bf16(1.0F); // all codes are zero, or as good as
    }
    if (bits == 8) {
        return plain;
    }
    constexpr int kSteps = 8;
    std::uint16_t best = plain;
    float best_error = squared_error(w, from_bf16(plain), -most - 1, most);
    for (int i = 1; i <= kSteps; ++i) {
        const std::uint16_t tried = to_bf16(highest / most * (1.0F - 0.04F * static_cast<float>(i)));
        const float error = from_bf16(tried) > 0 ? squared_error(w, from_bf16(tried), -most - 1, most) : best_error;
        if (error < best_error) {
            best = tried;
            best_error = error;
        }
    }
    return best;
}

} // namespace

std::int64_t pack_group(int bits, std::int64_t cols) {
    for (const std::int64_t group : {128, 64, 32}) {
        if (cols % group == 0 && (bits == 8 || group == 32)) {
            return group;
        }
    }
    return 0;
}

std::int64_t packed_code_bytes(const WeightMatrix& packed) { return packed.rows * packed.cols * packed.bits / 8; }

WeightMatrix packed_shape(const WeightMatrix& plain, int bits) {
    WeightMatrix packed;
    packed.format = &kCompressedTensorsFormat;
    packed.rows = packed.stored_rows = plain.rows;
    packed.cols = plain.cols;
    packed.bits = bits;
    packed.group = pack_group(bits, plain.cols);
    CHECK(packed.group > 0 && (bits == 4 || bits == 8));
    packed.row_group = plain.cols / packed.group; // scales of one output
    packed.stored_bytes = packed_code_bytes(packed) + packed.rows * packed.row_group * static_cast<std::int64_t>(kScaleBytes);
    return packed;
}

void pack_rows(const WeightMatrix& plain, const WeightMatrix& packed, std::int64_t first, std::int64_t count, std::span<std::byte> bytes) {
    CHECK(static_cast<std::int64_t>(bytes.size()) == packed.stored_bytes && first >= 0 && first + count <= packed.rows);
    const auto cols = static_cast<std::size_t>(packed.cols);
    const auto group = static_cast<std::size_t>(packed.group);
    const auto bits = static_cast<std::size_t>(packed.bits);
    const auto most = static_cast<float>((1 << (bits - 1)) - 1);
    std::byte* const scales = bytes.data() + packed_code_bytes(packed);
    std::vector<float> row(cols);
    for (std::int64_t r = first; r < first + count; ++r) {
        decode_tile(plain, {.row = r, .rows = 1, .col = 0, .cols = packed.cols, .stride = packed.cols}, row.data());
        std::replace_if(row.begin(), row.end(), [](float value) { return !std::isfinite(value); }, 0.0F);
        std::byte* const codes = bytes.data() + static_cast<std::size_t>(r) * cols * bits / 8;
        std::memset(codes, 0, cols * bits / 8);
        for (std::size_t c = 0; c < cols; c += group) {
            const std::uint16_t stored = choose_scale(std::span(row).subspan(c, group), packed.bits);
            std::memcpy(scales + (static_cast<std::size_t>(r * packed.row_group) + c / group) * kScaleBytes, &stored, kScaleBytes);
            const float inverse = 1.0F / from_bf16(stored);
            for (std::size_t k = c; k < c + group; ++k) { // lowest bits first, an offset makes codes positive
                const auto code = static_cast<unsigned>(std::clamp(std::nearbyint(row[k] * inverse), -most - 1, most) + most + 1);
                codes[k * bits / 8] |= static_cast<std::byte>(code << (k * bits % 8));
            }
        }
    }
}

WeightMatrix with_bytes(WeightMatrix packed, std::vector<std::byte> bytes) {
    auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    packed.codes = owner->data();
    packed.scales = {owner->data() + packed_code_bytes(packed), DType::BF16};
    packed.owner = std::move(owner);
    return packed;
}

} // namespace handeye
