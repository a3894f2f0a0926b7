// SPDX-License-Identifier: Apache-2.0
// The apps that a phone's launcher shows, and which of them a name means.
#pragma once

#include "platforms/android/device_link.h"

#include <string>
#include <string_view>
#include <vector>

namespace handeye::android {

struct App {
    std::string component; ///< "com.android.settings/.Settings"
    std::string label;     ///< "Settings"; from a table of known apps, else the package's own word: adb tells no labels
    [[nodiscard]] std::string package() const { return component.substr(0, component.find('/')); }
};

inline constexpr std::size_t kAppsMax = 2000;

/// Of what `cmd package query-activities` prints, one line for each component among others; sorted by label.
std::vector<App> parse_launchable(std::string_view text);
Result<std::vector<App>> list_apps(DeviceLink& link, const ShellOptions& options = {});

/// By label, component or package, letter case ignored; then by a part of the label or the package. NotFound lists some of what is
/// there; InvalidArgument lists those that fit where several do.
Result<App> find_app(const std::vector<App>& apps, std::string_view name);

/// One name for each package, sorted, that find_app() takes for it and for no other: its label, or the package where several share that.
std::vector<std::string> names_of(const std::vector<App>& apps);

/// The usual English label of a known package; empty: unknown.
std::string_view known_label(std::string_view package);

} // namespace handeye::android
