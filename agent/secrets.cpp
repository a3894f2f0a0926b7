// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets.h"

#include "agent/glob.h"
#include "agent/url_host.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr std::string_view kOpen = "{{secret:";
constexpr std::string_view kClose = "}}";
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kValueBytesMax = 4096;
constexpr std::size_t kShownMax = 80;

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
}

bool fits(const std::vector<std::string>& patterns, std::string_view text) {
    return patterns.empty() || (!text.empty() && std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                                    return matches_glob(pattern, text);
                                }));
}

bool fits(const SecretPlace& place, const WindowInfo& focus) {
    return focus.id != 0 && fits(place.apps, focus.app) && fits(place.window_classes, focus.window_class) &&
           fits(place.titles, focus.title_utf8) && fits(place.domains, host_of(focus.url));
}

bool may_go_to(const Secret& secret, const WindowInfo& focus) {
    return secret.is_anywhere ||
           std::any_of(secret.where.begin(), secret.where.end(), [&](const SecretPlace& place) { return fits(place, focus); });
}

std::string describe(const WindowInfo& focus) {
    if (focus.id == 0) {
        return "no window that is known";
    }
    return fmt::format("the window \"{}\" of {}", focus.title_utf8.substr(0, kShownMax),
                       focus.app.empty() ? focus.window_class.substr(0, kShownMax) : focus.app);
}

} // namespace

std::string secret_name_problem(std::string_view name) {
    if (name.empty() || name.size() > kNameBytesMax) {
        return fmt::format("a secret's name has 1 to {} characters, this one has {}", kNameBytesMax, name.size());
    }
    if (!std::all_of(name.begin(), name.end(), is_name_character)) {
        return "a secret's name is made of letters, digits, \".\", \"_\" and \"-\"";
    }
    return {};
}

Result<void> SecretStore::add(Secret secret) {
    if (const std::string problem = secret_name_problem(secret.name); !problem.empty()) {
        return Error{ErrorCode::InvalidArgument, problem}; // without the text: it may be a value in the wrong place
    }
    const auto wrong = [&](const std::string& what) { return Error{ErrorCode::InvalidArgument, fmt::format("secret \"{}\": {}", secret.name, what)}; };
    if (secret.value_utf8.empty() || secret.value_utf8.size() > kValueBytesMax) {
        return wrong(fmt::format("a value has 1 to {} bytes, this one has {}", kValueBytesMax, secret.value_utf8.size()));
    }
    if (std::any_of(secret.value_utf8.begin(), secret.value_utf8.end(), is_control)) {
        return wrong("its value holds a control character, which no key types");
    }
    if (find(secret.name) != nullptr) {
        return wrong("there are two of this name");
    }
    secrets_.push_back(std::move(secret));
    return {};
}

const Secret* SecretStore::find(std::string_view name) const {
    const auto found = std::find_if(secrets_.begin(), secrets_.end(), [&](const Secret& secret) { return secret.name == name; });
    return found == secrets_.end() ? nullptr : &*found;
}

std::vector<std::string> SecretStore::names() const {
    std::vector<std::string> out;
    for (const Secret& secret : secrets_) {
        out.push_back(secret.name);
    }
    return out;
}

std::string secret_reference(std::string_view name) { return fmt::format("{}{}{}", kOpen, name, kClose); }

bool has_secret_reference(std::string_view text_utf8) { return text_utf8.find(kOpen) != std::string_view::npos; }

Result<void> SecretGrants::set(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        if (store_->find(name) == nullptr) {
            return Error{ErrorCode::NotFound, fmt::format("there is no secret \"{}\"", name.substr(0, kShownMax))};
        }
    }
    const std::lock_guard lock(mutex_);
    granted_ = {names.begin(), names.end()};
    return {};
}

std::vector<std::string> SecretGrants::names() const {
    const std::lock_guard lock(mutex_);
    return {granted_.begin(), granted_.end()};
}

Result<std::string> SecretGrants::expand(std::string_view text_utf8, const WindowInfo& focus) const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (std::size_t at = 0; at < text_utf8.size();) {
        const std::size_t open = text_utf8.find(kOpen, at);
        out += text_utf8.substr(at, open - at);
        if (open == std::string_view::npos) {
            break;
        }
        const std::size_t begin = open + kOpen.size();
        const std::size_t close = text_utf8.find(kClose, begin);
        const std::string_view name = text_utf8.substr(begin, close == std::string_view::npos ? close : close - begin);
        if (const std::string problem = secret_name_problem(name); close == std::string_view::npos || !problem.empty()) {
            return Error{ErrorCode::InvalidArgument, fmt::format("\"{}\" is no reference to a secret: {}", text_utf8.substr(open, kShownMax),
                                                                 problem.empty() ? "\"}}\" is missing" : problem)};
        }
        const Secret* const secret = store_->find(name);
        if (secret == nullptr) {
            return Error{ErrorCode::NotFound, fmt::format("there is no secret \"{}\"; nothing was typed", name)};
        }
        if (!granted_.contains(name)) {
            return Error{ErrorCode::PermissionDenied,
                         fmt::format("the secret \"{}\" is not for this task; nothing was typed. It may use: {}", name, fmt::join(granted_, ", "))};
        }
        if (!may_go_to(*secret, focus)) {
            return Error{ErrorCode::PermissionDenied,
                         fmt::format("the secret \"{}\" may not be typed into {}; nothing was typed", name, describe(focus))};
        }
        out += secret->value_utf8;
        at = close + kClose.size();
    }
    return out;
}

void wipe(std::string& text) {
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

} // namespace handeye
