// SPDX-License-Identifier: Apache-2.0
// Keys and values as they are kept.
#include "engine/kernels/ops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace handeye::kernels {
namespace {

constexpr float kHalfMax = 65504;
constexpr float kCodeMax = 127;

void store_half(float value, std::byte* to) {
    const std::uint16_t half = float_as_half(std::clamp(value, -kHalfMax, kHalfMax));
    std::memcpy(to, &half, sizeof half);
}

float load_half(const std::byte* from) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof bits);
    return half_as_float(bits);
}

// Codes are rounded by the scale as it is stored, so that no error comes on top of theirs.
void store_group(std::span<const float> values, std::byte* codes, std::byte* scale) {
    float top = 0;
    for (const float value : values) {
        top = std::max(top, std::abs(value));
    }
    store_half(top / kCodeMax, scale);
    const float step = load_half(scale);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float code = step > 0 ? std::clamp(std::nearbyint(values[i] / step), -kCodeMax, kCodeMax) : 0.0F;
        codes[i] = static_cast<std::byte>(static_cast<std::int8_t>(code));
    }
}

} // namespace

std::int64_t kv_row_bytes(KvFormat format, int head_dim) {
    switch (format) {
    case KvFormat::F32:
        return head_dim * std::int64_t{sizeof(float)};
    case KvFormat::F16:
        return head_dim * std::int64_t{2};
    case KvFormat::Q8:
        break;
    }
    return head_dim + (head_dim + kKvGroup - 1) / kKvGroup * std::int64_t{2};
}

void store_kv_row(KvFormat format, std::span<const float> row, std::byte* to) {
    if (format == KvFormat::F32) {
        std::memcpy(to, row.data(), row.size_bytes());
        return;
    }
    if (format == KvFormat::F16) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            store_half(row[i], to + 2 * i);
        }
        return;
    }
    std::byte* scale = to + row.size();
    for (std::size_t begin = 0; begin < row.size(); begin += kKvGroup, scale += 2) {
        store_group(row.subspan(begin, std::min<std::size_t>(kKvGroup, row.size() - begin)), to + begin, scale);
    }
}

void load_kv_row(KvFormat format, const std::byte* from, std::span<float> row) {
    if (format == KvFormat::F32) {
        std::memcpy(row.data(), from, row.size_bytes());
        return;
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = format == KvFormat::F16 ? load_half(from + 2 * i)
                                         : static_cast<float>(static_cast<std::int8_t>(from[i])) * load_half(from + row.size() + i / kKvGroup * 2);
    }
}

} // namespace handeye::kernels
