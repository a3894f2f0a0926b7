// SPDX-License-Identifier: Apache-2.0
// Secrets by name. Everything above the platform holds `{{secret:name}}`; the value is put in where the keys are pressed
// (secret_platform.h) and is taken out of anything that would be written down (Redactor). For people: docs/secrets.md.
#pragma once

#include "base/result.h"
#include "platforms/platform.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// The window with the keyboard's focus must fit each list that is not empty; "*" stands for any characters. What the platform
/// cannot know fits nothing.
struct SecretPlace {
    std::vector<std::string> apps;
    std::vector<std::string> window_classes;
    std::vector<std::string> titles;
    std::vector<std::string> domains;
};

struct Secret {
    std::string name;               ///< 1 to 64 of A-Z a-z 0-9 . _ -
    std::string value_utf8;         ///< 1 to 4096 bytes, no control characters but newline and tab
    std::vector<SecretPlace> where; ///< one of these must fit; empty: see is_anywhere
    bool is_anywhere = false;       ///< whoever gave the secret set no bounds
};

class SecretStore {
public:
    /// InvalidArgument names the secret and what is wrong with it, never the value.
    Result<void> add(Secret secret);
    [[nodiscard]] const Secret* find(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] const std::vector<Secret>& all() const { return secrets_; }

private:
    std::vector<Secret> secrets_;
};

/// "{{secret:name}}".
std::string secret_reference(std::string_view name);
bool has_secret_reference(std::string_view text_utf8);
/// Empty when it is one. Otherwise what is wrong.
std::string secret_name_problem(std::string_view name);

/// Which secrets may be typed now. Any thread.
class SecretGrants {
public:
    explicit SecretGrants(std::shared_ptr<const SecretStore> store) : store_(std::move(store)) {}
    /// Replaces what was granted. NotFound names a secret that the store does not have; then nothing changes.
    Result<void> set(const std::vector<std::string>& names);
    [[nodiscard]] std::vector<std::string> names() const;
    /// `text` with every reference replaced by its value, for typing into `focus`. NotFound: no such secret; PermissionDenied:
    /// not granted, or not for this window; InvalidArgument: a reference that is none. All name the secret.
    [[nodiscard]] Result<std::string> expand(std::string_view text_utf8, const WindowInfo& focus) const;

private:
    const std::shared_ptr<const SecretStore> store_;
    mutable std::mutex mutex_; // guards the set
    std::set<std::string, std::less<>> granted_;
};

/// Overwrites the bytes; the optimiser does not take that away.
void wipe(std::string& text);

} // namespace handeye
