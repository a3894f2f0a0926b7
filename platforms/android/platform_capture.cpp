// SPDX-License-Identifier: Apache-2.0
// Pictures, and why there is none: a window that forbids them, a screen that is off, or a tool that failed are three things. And what
// the programs tell of the same screen.
#include "platforms/android/framebuffer.h"
#include "platforms/android/platform.h"
#include "platforms/android/shown.h"
#include "platforms/android/ui_tree.h"

#include "base/image_codec.h"

#include <fmt/format.h>

namespace handeye::android {

namespace {

constexpr std::size_t kPictureBytesMax = 256U << 20U;
constexpr std::size_t kWarningBytesMax = 2048;
constexpr Duration kRestLook = std::chrono::milliseconds(200);
constexpr Duration kDumpAgain = std::chrono::milliseconds(300); // one window goes, the next comes
constexpr int kDumpTries = 4;
constexpr std::string_view kPngBegin = "\x89PNG\r\n\x1a\n";

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; // bytes of a std::string
}

/// Android 14 with a second display warns on the standard output before the picture.
std::string_view without_warning(std::string_view out) {
    const std::size_t begin = out.substr(0, kWarningBytesMax).find(kPngBegin);
    return begin == std::string_view::npos ? out : out.substr(begin);
}

Error screen_off(const std::string& name) {
    return {ErrorCode::Unavailable, fmt::format("the screen of android device {} is off: wake it (`adb shell input keyevent KEYCODE_WAKEUP`), or begin "
                                                "a new session, which does", name)};
}

Error is_secure(const std::string& name, const DeviceState& state) {
    return {ErrorCode::PermissionDenied, fmt::format("{} forbids pictures of its window \"{}\" (FLAG_SECURE) on android device {}: a person has to act "
                                                     "there", state.package().empty() ? "an app" : state.package(), shown(state.focused_title), name)};
}

} // namespace

Result<Screenshot> AndroidPlatform::capture() {
    TRY(flush({}));
    const TimePoint now = clock_.now();
    Image image = TRY(take_picture());
    if (is_black(image)) {
        TRY(explain_black());
    }
    frame_ = image.size();
    seen_hash_ = image.content_hash();
    return Screenshot{std::move(image), ++captures_, now};
}

/// Raw first, PNG next, then whichever was faster: it depends on the cable as much as on the phone.
Result<Image> AndroidPlatform::take_picture() {
    if (route_) {
        return take_picture(*route_);
    }
    const Route route = raw_time_ ? Route::Png : Route::Raw;
    const TimePoint start = clock_.now();
    Image image = TRY(take_picture(route));
    const Duration took = clock_.now() - start;
    if (raw_time_) {
        route_ = took < *raw_time_ ? Route::Png : Route::Raw;
    } else {
        raw_time_ = took;
    }
    return image;
}

Result<Image> AndroidPlatform::take_picture(Route route) {
    const ShellResult result = TRY(link_.run(route == Route::Raw ? "screencap" : "screencap -p", {.bytes_max = kPictureBytesMax}));
    const std::string_view out = without_warning(result.out);
    constexpr std::size_t kWordsMax = 1024; // what it prints when it fails; it may exit with 0 then
    if (result.exit_code != 0 || (out.size() < kWordsMax && (out.empty() || out.find("ailed") != std::string_view::npos || out.find("Status:") != std::string_view::npos))) {
        return explain_failure(result);
    }
    const std::string context = fmt::format("screencap of android device {}", link_.name());
    if (route == Route::Raw && !out.starts_with(kPngBegin)) {
        return decode_framebuffer(bytes_of(out)).with_context(context);
    }
    return decode_image(bytes_of(out)).with_context(context);
}

Result<Image> AndroidPlatform::explain_failure(const ShellResult& result) {
    const DeviceState state = TRY(read_device_state(link_));
    if (state.is_awake == std::optional(false)) {
        return screen_off(link_.name());
    }
    if (state.is_focus_secure) {
        return is_secure(link_.name(), state);
    }
    const std::string_view said = trimmed(result.err.empty() ? result.out : result.err);
    return Error{ErrorCode::Unsupported, fmt::format("screencap failed on android device {} with exit code {}: {}", link_.name(), result.exit_code,
                                                     said.empty() ? "it said nothing" : shown(said))};
}

/// Nothing to explain: the picture is black because the screen is.
Result<void> AndroidPlatform::explain_black() {
    const DeviceState state = TRY(read_device_state(link_));
    if (state.is_awake == std::optional(false)) {
        return screen_off(link_.name());
    }
    return state.is_focus_secure ? Result<void>(is_secure(link_.name(), state)) : Result<void>();
}

/// By pixels: a caret that blinks may look so, too.
Result<bool> AndroidPlatform::is_at_rest() {
    const std::uint64_t before = TRY(take_picture()).content_hash();
    return clock_.sleep_for(kRestLook, {}) == WaitResult::Reached && TRY(take_picture()).content_hash() == before;
}

/// An empty list would say that there is no password field. uiautomator waits ten seconds for a screen to rest: of one that moves on it
/// is not asked again.
Result<std::vector<Element>> AndroidPlatform::elements() {
    TRY(flush({}));
    if (frame_.is_empty()) {
        TRY(capture());
    }
    if (is_restless_ && !TRY(is_at_rest())) {
        return Error{ErrorCode::DeadlineExceeded, fmt::format("the screen of android device {} moves on; of such a one uiautomator tells nothing", link_.name())};
    }
    Dump dump = TRY(dump_screen(link_, frame_));
    for (int tries = 1; dump.sight == Dump::Sight::NoWindow && tries < kDumpTries && clock_.sleep_for(kDumpAgain, {}) == WaitResult::Reached; ++tries) {
        dump = TRY(dump_screen(link_, frame_));
    }
    is_restless_ = dump.sight == Dump::Sight::Restless;
    switch (dump.sight) {
    case Dump::Sight::Told: return std::move(dump.elements);
    case Dump::Sight::Restless:
        return Error{ErrorCode::DeadlineExceeded, fmt::format("uiautomator of android device {} waited 10 s in vain for the screen to rest (an animation): what it shows "
                                                              "is not told", link_.name())};
    case Dump::Sight::NoWindow: break;
    }
    return Error{ErrorCode::DeadlineExceeded, fmt::format("no window of android device {} has the focus, {} times in a row: uiautomator tells nothing", link_.name(), kDumpTries)};
}

} // namespace handeye::android
