// SPDX-License-Identifier: Apache-2.0
#include "apps/client_targets.h"

#include "apps/target.h"
#include "base/file.h"
#include "base/printable.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::size_t kShownMax = 200;
constexpr std::string_view kSocketPrefix = "unix:";

Error refused(std::string_view field, const std::string& value, std::string_view why) {
    return {ErrorCode::PermissionDenied, fmt::format("target.{} \"{}\" {}", field, printable(value.substr(0, kShownMax)), why)};
}

/// Links are followed as far as there is something: what does not exist yet lies where its name says.
bool lies_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
    std::error_code problem;
    const auto inner = std::filesystem::weakly_canonical(path, problem);
    const auto outer = problem ? std::filesystem::path() : std::filesystem::canonical(folder, problem);
    if (problem) {
        return false;
    }
    const auto differs = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return differs.first == outer.end();
}

Result<void> check_path(std::string_view field, const std::string& value, const ClientTargets& allowed) {
    if (value.empty()) {
        return {};
    }
    const std::filesystem::path path(value);
    const bool is_plain = path.is_absolute() && std::find(path.begin(), path.end(), "..") == path.end();
    if (is_plain && std::any_of(allowed.folders.begin(), allowed.folders.end(), [&](const auto& folder) { return lies_below(path, folder); })) {
        return {};
    }
    return refused(field, value, "does not lie below a folder that targets.folders of the daemon's configuration names: no other is opened for a client");
}

/// Lower case, without what browsers leave out of an address.
std::string folded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (static_cast<unsigned char>(c) > ' ') {
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return out;
}

/// A first page from the disk opens the whole disk to the session, as an allowed "file:" does.
Result<void> check_pages(const TargetSpec& spec) {
    std::string_view scheme;
    const std::string url = folded(spec.url);
    for (std::string_view rest = url; rest.find(':') != std::string_view::npos; rest = rest.substr(rest.find(':') + 1)) {
        scheme = rest.substr(0, rest.find(':'));
        if (scheme != "view-source" && scheme != "blob" && scheme != "filesystem") {
            break;
        }
    }
    if (scheme == "file") {
        return refused("url", spec.url, "is a file of the daemon's machine: give its folder to a web server, or open it from the command line");
    }
    std::string lists = spec.allow_domains;
    std::replace(lists.begin(), lists.end(), '\n', ' ');
    std::replace(lists.begin(), lists.end(), ',', ' ');
    std::transform(lists.begin(), lists.end(), lists.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (fmt::format(" {} ", lists).find(" file: ") != std::string::npos) {
        return refused("allow_domains", spec.allow_domains, "holds file:, which would open the files of the daemon's machine to a client");
    }
    return {};
}

} // namespace

std::filesystem::path client_password_folder() { return config_dir() / "vnc"; }

Result<void> check_client_target(const TargetSpec& spec, const ClientTargets& allowed) {
    if (!spec.browser.empty() && std::find(allowed.browsers.begin(), allowed.browsers.end(), std::filesystem::path(spec.browser)) == allowed.browsers.end()) {
        return refused("browser", spec.browser, "is no program that targets.browsers of the daemon's configuration names: no other is started for a client");
    }
    TRY(check_pages(spec));
    TRY(check_path("uploads", spec.uploads, allowed));
    TRY(check_path("downloads", spec.downloads, allowed));
    TRY(check_path("ca_file", spec.ca_file, allowed));
    if (spec.attach.starts_with(kSocketPrefix) || spec.attach.starts_with('/')) {
        TRY(check_path("attach", spec.attach.substr(spec.attach.starts_with('/') ? 0 : kSocketPrefix.size()), allowed));
    }
    return {};
}

} // namespace handeye
