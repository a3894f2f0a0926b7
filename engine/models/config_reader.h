// SPDX-License-Identifier: Apache-2.0
// Typed, bounded reads of a checkpoint's config.json. Errors name the key, the value and what is allowed.
#pragma once

#include "base/result.h"
#include "engine/models/model.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace handeye {

/// Looks a key up in an object and, when it is absent there, in an outer one. Borrows both for its lifetime.
class ConfigReader {
public:
    /// `inner` may be null: then only `outer` is read. `section` is said in errors ("text_config").
    ConfigReader(const nlohmann::json* inner, const nlohmann::json* outer, std::string section)
        : inner_(inner), outer_(outer), section_(std::move(section)) {}

    /// Null when the key is absent or null.
    [[nodiscard]] const nlohmann::json* find(std::string_view key) const;
    [[nodiscard]] Result<int> integer(std::string_view key, int min, int max) const;
    [[nodiscard]] Result<int> integer_or(std::string_view key, int fallback, int min, int max) const;
    [[nodiscard]] Result<double> number_or(std::string_view key, double fallback, double min, double max) const;
    [[nodiscard]] Result<bool> flag_or(std::string_view key, bool fallback) const;
    /// The key is absent or its text is one of `allowed`; anything else is Unsupported.
    [[nodiscard]] Result<void> expect_text(std::string_view key, const std::vector<std::string_view>& allowed) const;
    /// One id or a list of ids; empty when the key is absent.
    [[nodiscard]] Result<std::vector<TokenId>> ids(std::string_view key) const;
    [[nodiscard]] Error bad(std::string_view key, std::string_view expected) const;

private:
    const nlohmann::json* inner_;
    const nlohmann::json* outer_;
    std::string section_;
};

} // namespace handeye
