// SPDX-License-Identifier: Apache-2.0
#include "platforms/android/apps.h"

#include "platforms/android/shown.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/format.h>

namespace handeye::android {
namespace {

constexpr std::size_t kComponentBytesMax = 512;
constexpr std::size_t kListedMax = 20;
constexpr std::size_t kPartBytesMin = 4; // of a label within a name: "QQ" is in too many words
// The second form is of Android 7 to 9, which know no --components.
constexpr std::string_view kListCommand = "cmd package query-activities --components -a android.intent.action.MAIN -c android.intent.category.LAUNCHER "
                                          "2>/dev/null || cmd package query-activities --brief -a android.intent.action.MAIN -c android.intent.category.LAUNCHER";

/// "com.android.settings/.Settings": letters, digits, "_", "." and "$" around one slash.
bool is_component(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size() || text.size() > kComponentBytesMax || text.find('.') == std::string_view::npos) {
        return false;
    }
    const std::string_view package = text.substr(0, slash);
    if (package.starts_with('.') || package.ends_with('.') || package.find("..") != std::string_view::npos) {
        return false;
    }
    return std::ranges::all_of(package, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; }) &&
           std::ranges::all_of(text.substr(slash + 1), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '$'; });
}

/// The last word of a package that says what it is: "com.example.notes" is "Notes".
std::string label_of_package(std::string_view package) {
    if (const std::string_view known = known_label(package); !known.empty()) {
        return std::string(known);
    }
    constexpr std::string_view kEmptyWords[] = {"android", "app", "main", "mobile", "client", "pro"};
    while (true) {
        const std::size_t dot = package.rfind('.');
        std::string word(package.substr(dot == std::string_view::npos ? 0 : dot + 1));
        if (dot != std::string_view::npos && std::ranges::find(kEmptyWords, word) != std::end(kEmptyWords)) {
            package = package.substr(0, dot);
            continue;
        }
        word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
        return word;
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

std::string list_of(const std::vector<App>& apps) {
    std::string text;
    for (std::size_t i = 0; i < std::min(apps.size(), kListedMax); ++i) {
        text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", apps[i].label, apps[i].package());
    }
    return apps.size() > kListedMax ? fmt::format("{} and {} more", text, apps.size() - kListedMax) : text;
}

template <class Fits>
std::vector<App> those(const std::vector<App>& apps, Fits fits) {
    std::vector<App> found;
    std::ranges::copy_if(apps, std::back_inserter(found), fits);
    return found;
}

} // namespace

std::vector<App> parse_launchable(std::string_view text) {
    std::set<std::string, std::less<>> seen;
    std::vector<App> apps;
    while (!text.empty() && apps.size() < kAppsMax) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::string_view word = trimmed(line);
        if (is_component(word) && seen.emplace(word).second) {
            App app{std::string(word), {}};
            app.label = label_of_package(app.package());
            apps.push_back(std::move(app));
        }
    }
    std::ranges::sort(apps, {}, [](const App& app) { return std::pair(app.label, app.component); });
    return apps;
}

std::vector<std::string> names_of(const std::vector<App>& apps) {
    std::map<std::string, std::set<std::string>> packages_of; // by label, in small letters as find_app() compares
    for (const App& app : apps) {
        packages_of[lower(app.label)].insert(app.package());
    }
    std::set<std::string> names;
    for (const App& app : apps) {
        names.insert(packages_of[lower(app.label)].size() == 1 ? app.label : app.package());
    }
    return {names.begin(), names.end()};
}

Result<std::vector<App>> list_apps(DeviceLink& link, const ShellOptions& options) {
    const ShellResult result = TRY(link.run(kListCommand, options));
    std::vector<App> apps = parse_launchable(result.out);
    if (apps.empty()) {
        return Error{ErrorCode::Unsupported, fmt::format("android device {} lists no apps: {}", link.name(), shown(trimmed(result.err + result.out)))};
    }
    return apps;
}

Result<App> find_app(const std::vector<App>& apps, std::string_view name) {
    const std::string wanted = lower(trimmed(name));
    if (wanted.empty()) {
        return Error{ErrorCode::InvalidArgument, "which app to open is not said"};
    }
    const auto is_same = [&](const App& app) { return lower(app.label) == wanted || lower(app.package()) == wanted || lower(app.component) == wanted; };
    const auto has_part = [&](const App& app) { return lower(app.label).find(wanted) != std::string::npos; };
    const auto has_word = [&](const App& app) { return lower(app.package()).find(wanted) != std::string::npos; };
    const auto is_part = [&](const App& app) { // "Google Clock" for Clock
        return app.label.size() >= kPartBytesMin && wanted.find(lower(app.label)) != std::string::npos;
    };
    std::vector<App> found = those(apps, is_same);
    for (std::size_t rung = 0; found.empty() && rung < 3; ++rung) {
        found = rung == 0 ? those(apps, has_part) : rung == 1 ? those(apps, has_word) : those(apps, is_part);
    }
    if (found.empty()) {
        return Error{ErrorCode::NotFound, fmt::format("no app is called \"{}\"; there are {}", shown(name), list_of(apps))};
    }
    const bool is_one_package = std::ranges::all_of(found, [&](const App& app) { return app.package() == found.front().package(); });
    if (!is_one_package) {
        return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" may be {}: name the package", shown(name), list_of(found))};
    }
    return found.front();
}

} // namespace handeye::android
