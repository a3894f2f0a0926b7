// SPDX-License-Identifier: Apache-2.0
#include "apps/miniwob/pixel_platform.h"

#include <algorithm>
#include <utility>

namespace handeye::miniwob {
namespace {

constexpr Duration kFresh = std::chrono::milliseconds(40); // less than a person or a page's clock makes a difference in

} // namespace

Result<Screenshot> PixelPlatform::capture() {
    if (!last_ || clock_.now() - last_->captured_at > kFresh) {
        Screenshot shot = TRY(platform_.capture());
        const Size size = shot.image.size();
        shot.image = shot.image.cropped({0, 0, std::min(part_.width_px, size.width_px), std::min(part_.height_px, size.height_px)});
        last_ = std::move(shot);
    }
    return *last_;
}

Result<DisplayInfo> PixelPlatform::display() {
    DisplayInfo info = TRY(platform_.display());
    info.size = {std::min(part_.width_px, info.size.width_px), std::min(part_.height_px, info.size.height_px)};
    for (Monitor& monitor : info.monitors) {
        monitor.area = {0, 0, info.size.width_px, info.size.height_px};
    }
    return info;
}

Result<void> PixelPlatform::inject(const InputEvent& event) {
    forget();
    return platform_.inject(event);
}

Result<void> PixelPlatform::inject_unless_stopped(const InputEvent& event, const std::stop_token& stop) {
    forget();
    return platform_.inject_unless_stopped(event, stop);
}

Result<TextResult> PixelPlatform::type_text(std::string_view text_utf8, std::stop_token stop) {
    forget();
    return platform_.type_text(text_utf8, std::move(stop));
}

Result<void> PixelPlatform::perform(const Command& command) {
    forget();
    return platform_.perform(command);
}

Result<Settled> PixelPlatform::settle(const SettleOptions& options, std::stop_token stop) {
    forget();
    return platform_.settle(options, std::move(stop));
}

} // namespace handeye::miniwob
