// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a phone or an adb server says: a raw picture, uiautomator's XML, the list of devices, dumpsys, the list of apps,
// and as a text to type.
#include "platforms/android/adb_server.h"
#include "platforms/android/apps.h"
#include "platforms/android/device_state.h"
#include "platforms/android/framebuffer.h"
#include "platforms/android/platform.h"
#include "platforms/android/text.h"
#include "platforms/android/ui_tree.h"

#include <cstdint>
#include <cstdlib>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace handeye;
    using namespace handeye::android;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto image = decode_framebuffer({data, size}); image) {
        require(image->bytes().size() == static_cast<std::size_t>(image->size().area()) * 3);
    }
    if (const auto elements = elements_of_dump(text, {1080, 2400}); elements) {
        for (std::size_t i = 0; i < elements->size(); ++i) {
            require((*elements)[i].parent < static_cast<int>(i)); // parents come first
            require(!(*elements)[i].is_secret || (*elements)[i].value_utf8.empty());
        }
        static_cast<void>(focused_text(*elements));
    }
    if (const auto devices = parse_devices(text); devices) {
        require(devices->size() <= kDevicesMax);
        static_cast<void>(choose_device(*devices, {}));
    }
    static_cast<void>(parse_device_state(text).package());
    static_cast<void>(parse_facts(text));
    for (const App& app : parse_launchable(text)) {
        require(app.component.find_first_of(" ;'\"`|&<>()\n") == std::string::npos); // it goes into a command
    }
    if (const auto parts = split_text(text); parts) {
        std::size_t bytes = 0;
        for (const TextPart& part : *parts) {
            bytes += part.text_utf8.empty() ? 1 : part.text_utf8.size();
        }
        require(bytes == size); // nothing is lost
    }
    static_cast<void>(judge_arrival(text.substr(0, size / 3), text.substr(size / 3, size / 3), text.substr(size / 3 * 2)));
    return 0;
}
