// SPDX-License-Identifier: Apache-2.0
// The table of platforms and the registry of those that are open.
#include "platforms/open_platform.h"

#include "platforms/android/platform.h"
#include "platforms/open_registry.h"
#include "platforms/web/browser_process.h"
#include "platforms/web/platform.h"
#ifdef HANDEYE_HAS_X11
#include "platforms/x11/platform.h"
#endif
#ifdef HANDEYE_HAS_VNC
#include "platforms/vnc/password.h"
#include "platforms/vnc/platform.h"
#endif

#include <algorithm>
#include <iterator>
#include <mutex>

#include <fmt/format.h>

namespace handeye {

namespace {

struct PlatformRow {
    std::string_view name;
    Result<std::unique_ptr<Platform>> (*open)(const PlatformOptions&, Clock&);
    PlatformSupport (*describe)();
};

#ifdef HANDEYE_HAS_X11
constexpr PlatformRow kX11{"x11", x11::open_x11, x11::describe_x11};
#else
constexpr std::string_view kWithoutX11 = "this build has no X11 (it was configured with HANDEYE_X11=OFF)";
constexpr PlatformRow kX11{
    "x11",
    [](const PlatformOptions&, Clock&) -> Result<std::unique_ptr<Platform>> {
        return Error{ErrorCode::Unsupported, std::string(kWithoutX11)};
    },
    [] { return PlatformSupport{"x11", false, std::string(kWithoutX11)}; }};
#endif

constexpr PlatformRow kAndroid{"android", android::open_android, android::describe_android};
constexpr PlatformRow kWeb{"web", web::open_web, web::describe_web};

#ifdef HANDEYE_HAS_VNC
constexpr PlatformRow kVnc{"vnc", vnc::open_vnc, vnc::describe_vnc};
#else
constexpr std::string_view kWithoutVnc = "this build has no VNC (it was configured with HANDEYE_VNC=OFF)";
constexpr PlatformRow kVnc{
    "vnc",
    [](const PlatformOptions&, Clock&) -> Result<std::unique_ptr<Platform>> {
        return Error{ErrorCode::Unsupported, std::string(kWithoutVnc)};
    },
    [] { return PlatformSupport{"vnc", false, std::string(kWithoutVnc)}; }};
#endif

constexpr PlatformRow kPlatforms[] = {kX11, kWeb, kAndroid, kVnc};

/// The one list that signal paths need; its mutex is held while a platform is quiesced, so that it cannot go away meanwhile.
struct OpenRegistry {
    std::mutex mutex;
    std::vector<std::pair<const Platform*, std::function<void(bool)>>> platforms;

    static OpenRegistry& instance() {
        static OpenRegistry registry;
        return registry;
    }
    void quiesce(bool refuse_more) {
        const std::lock_guard lock(mutex);
        for (const auto& [platform, quiesce_one] : platforms) {
            quiesce_one(refuse_more);
        }
    }
};

} // namespace

Result<std::unique_ptr<Platform>> open_platform(const PlatformOptions& options, Clock& clock) {
    const auto* row = std::find_if(std::begin(kPlatforms), std::end(kPlatforms),
                                   [&](const PlatformRow& r) { return r.name == options.platform; });
    if (row == std::end(kPlatforms)) {
        std::string names;
        for (const PlatformRow& known : kPlatforms) {
            names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
        }
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("unknown platform \"{}\"; this build has {}", options.platform.substr(0, 64), names)};
    }
    return row->open(options, clock);
}

void take_environment() {
#ifdef HANDEYE_HAS_VNC
    vnc::take_password_from_environment();
#endif
}

std::vector<PlatformSupport> list_platforms() {
    std::vector<PlatformSupport> rows;
    for (const PlatformRow& row : kPlatforms) {
        rows.push_back(row.describe());
    }
    return rows;
}

Result<std::string> web_browser_version(const std::string& given) { return web::browser_version(TRY(web::find_browser(given))); }

void release_all_platforms() { OpenRegistry::instance().quiesce(false); }

void close_all_input() { OpenRegistry::instance().quiesce(true); }

void register_open_platform(const Platform* platform, std::function<void(bool)> quiesce) {
    OpenRegistry& registry = OpenRegistry::instance();
    const std::lock_guard lock(registry.mutex);
    registry.platforms.emplace_back(platform, std::move(quiesce));
}

void unregister_open_platform(const Platform* platform) {
    OpenRegistry& registry = OpenRegistry::instance();
    const std::lock_guard lock(registry.mutex);
    std::erase_if(registry.platforms, [&](const auto& entry) { return entry.first == platform; });
}

} // namespace handeye
