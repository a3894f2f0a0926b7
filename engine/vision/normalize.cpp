// SPDX-License-Identifier: Apache-2.0
// A subtraction and a true division per value: a multiplication by the reciprocal would differ in the last bit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/vision/normalize.cpp"
#include "engine/tensor/highway_targets.h"
#include <hwy/foreach_target.h>

#include "engine/vision/normalize.h"

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace handeye::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void normalize(std::span<const std::uint8_t> rgb, const ChannelScale& scale, float* planes) {
    const std::size_t width = rgb.size() / 3;
    std::size_t x = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::FixedTag<std::uint8_t, 16> d8;
    const hn::FixedTag<float, 4> df;
    const hn::FixedTag<std::int32_t, 4> d32;
    const hn::FixedTag<std::uint8_t, 4> quarter;
    alignas(16) std::uint8_t bytes[16];
    for (; x + 16 <= width; x += 16) {
        auto red = hn::Undefined(d8), green = red, blue = red;
        hn::LoadInterleaved3(d8, rgb.data() + x * 3, red, green, blue);
        const decltype(red) channels[3] = {red, green, blue};
        for (std::size_t c = 0; c < 3; ++c) {
            const auto mean = hn::Set(df, scale.mean[c]);
            const auto deviation = hn::Set(df, scale.deviation[c]);
            hn::Store(channels[c], d8, bytes);
            for (std::size_t i = 0; i < 16; i += 4) {
                const auto value = hn::ConvertTo(df, hn::PromoteTo(d32, hn::Load(quarter, bytes + i)));
                hn::StoreU(hn::Div(hn::Sub(value, mean), deviation), df, planes + c * width + x + i);
            }
        }
    }
#endif
    for (; x < width; ++x) {
        for (std::size_t c = 0; c < 3; ++c) {
            planes[c * width + x] = (static_cast<float>(rgb[x * 3 + c]) - scale.mean[c]) / scale.deviation[c];
        }
    }
}

} // namespace handeye::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace handeye {

HWY_EXPORT(normalize);

void normalize_row(std::span<const std::uint8_t> rgb, const ChannelScale& scale, float* planes) {
    HWY_DYNAMIC_DISPATCH(normalize)(rgb, scale, planes);
}

} // namespace handeye
#endif
