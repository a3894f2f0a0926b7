// SPDX-License-Identifier: Apache-2.0
// Named tokens: who besides the holder of the token file may come over TCP, for what, and until when. The file holds SHA-256
// sums, so that whoever reads it cannot enter with what it says.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

inline constexpr std::size_t kNamedTokensMax = 256;

struct NamedToken {
    std::string name;
    std::string sha256;              ///< of the token, hexadecimal
    std::vector<std::string> scopes; ///< names of scopes, at least one
    WallTime created{};
    std::optional<WallTime> expires; ///< unset: never
};

/// Oldest first; an absent file holds none. PermissionDenied when others may read it, ParseFailed when it is no list of tokens.
Result<std::vector<NamedToken>> read_named_tokens(const std::filesystem::path& path);

struct NewToken {
    std::string name;                ///< 1 to 64 of a-z A-Z 0-9 . _ -
    std::vector<std::string> scopes; ///< at least one
    std::optional<Duration> life;    ///< unset: it never expires
};
/// Adds it (0600, whole or not at all) and returns the token itself, 256 random bits as hexadecimal: nobody can read it again.
/// InvalidArgument for a bad or taken name and for an unknown scope.
Result<std::string> create_named_token(const std::filesystem::path& path, const NewToken& wanted, Clock& clock);
/// NotFound when there is no such token.
Result<void> revoke_named_token(const std::filesystem::path& path, std::string_view name);

/// "90s", "15m", "12h", "7d" or "never" (nullopt). InvalidArgument shows the forms.
Result<std::optional<Duration>> parse_token_life(std::string_view text);

} // namespace handeye
