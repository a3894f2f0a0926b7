// SPDX-License-Identifier: Apache-2.0
#include "server/token_file.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "server/scope.h"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace handeye {
namespace {

using nlohmann::json;

constexpr std::size_t kFileBytesMax = 256U << 10U;
constexpr std::size_t kNameMax = 64;
constexpr std::size_t kTokenBytes = 32; // 256 bits
constexpr std::size_t kSumDigits = 64;
constexpr mode_t kOthers = 0077;

bool is_name(std::string_view name) {
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return !name.empty() && name.size() <= kNameMax && name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::int64_t seconds_of(WallTime time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }
WallTime time_of(std::int64_t seconds) { return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::seconds(seconds))); }

bool has_seconds(const json& row, const char* key) {
    constexpr std::int64_t kLatest = 9'000'000'000; // within what WallTime counts in nanoseconds
    const auto found = row.find(key);
    return found != row.end() && found->is_number_integer() && *found >= 0 && *found <= kLatest;
}

std::optional<NamedToken> from_json(const json& row) {
    const bool is_whole = row.is_object() && row.contains("name") && row["name"].is_string() && row.contains("sha256") && row["sha256"].is_string() &&
                          row.contains("scopes") && row["scopes"].is_array() && has_seconds(row, "created") &&
                          (!row.contains("expires") || has_seconds(row, "expires"));
    if (!is_whole) {
        return std::nullopt;
    }
    NamedToken token{.name = row["name"].get<std::string>(), .sha256 = row["sha256"].get<std::string>(), .scopes = {},
                     .created = time_of(row["created"].get<std::int64_t>()), .expires = std::nullopt};
    if (row.contains("expires")) {
        token.expires = time_of(row["expires"].get<std::int64_t>());
    }
    for (const json& scope : row["scopes"]) {
        if (!scope.is_string() || !find_scope(scope.get_ref<const std::string&>())) {
            return std::nullopt;
        }
        token.scopes.push_back(scope.get<std::string>());
    }
    const bool is_sum = token.sha256.size() == kSumDigits && token.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_name(token.name) && is_sum && !token.scopes.empty() ? std::optional(std::move(token)) : std::nullopt;
}

Result<void> write_tokens(const std::filesystem::path& path, const std::vector<NamedToken>& tokens) {
    json rows = json::array();
    for (const NamedToken& token : tokens) {
        json row{{"name", token.name}, {"sha256", token.sha256}, {"scopes", token.scopes}, {"created", seconds_of(token.created)}};
        if (token.expires) {
            row["expires"] = seconds_of(*token.expires);
        }
        rows.push_back(std::move(row));
    }
    return write_file_atomic(path, json{{"version", 1}, {"tokens", std::move(rows)}}.dump(2) + "\n", 0600);
}

/// Held while the file is changed: two programs that add a token at one time add two.
Result<FileDescriptor> lock_of(const std::filesystem::path& path) {
    if (path.has_parent_path()) {
        TRY(make_private_dir(path.parent_path()));
    }
    FileDescriptor lock(::open((path.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.is_open() || ::flock(lock.get(), LOCK_EX) != 0) {
        return Error{ErrorCode::IoFailed, fmt::format("{}.lock cannot be locked", path.string())};
    }
    return lock;
}

Result<void> check_wanted(const NewToken& wanted, const std::vector<NamedToken>& tokens) {
    if (!is_name(wanted.name)) {
        return Error{ErrorCode::InvalidArgument, fmt::format("a token's name has 1 to {} of a-z A-Z 0-9 . _ -, \"{}\" has not", kNameMax, wanted.name)};
    }
    if (std::any_of(tokens.begin(), tokens.end(), [&](const NamedToken& t) { return t.name == wanted.name; })) {
        return Error{ErrorCode::InvalidArgument, fmt::format("there is a token \"{}\" already; revoke it first", wanted.name)};
    }
    if (wanted.scopes.empty()) {
        return Error{ErrorCode::InvalidArgument, "a token needs at least one scope"};
    }
    for (const std::string& scope : wanted.scopes) {
        if (!find_scope(scope)) {
            return Error{ErrorCode::InvalidArgument, fmt::format("there is no scope \"{}\"; the scopes are observe, control, approve, record, engine, admin", scope)};
        }
    }
    if (tokens.size() >= kNamedTokensMax) {
        return Error{ErrorCode::LimitExceeded, fmt::format("there are {} tokens, at most {} may be", tokens.size(), kNamedTokensMax)};
    }
    return {};
}

} // namespace

Result<std::vector<NamedToken>> read_named_tokens(const std::filesystem::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) {
        return std::vector<NamedToken>();
    }
    if ((facts.st_mode & kOthers) != 0 || facts.st_uid != ::geteuid()) {
        return Error{ErrorCode::PermissionDenied, fmt::format("{} must be this user's alone (mode 0600)", path.string())};
    }
    const json file = TRY(read_json(path, {.bytes_max = kFileBytesMax, .depth_max = 8}));
    if (!file.is_object() || file.value("version", json()) != 1 || !file.contains("tokens") || !file["tokens"].is_array() ||
        file["tokens"].size() > kNamedTokensMax) {
        return Error{ErrorCode::ParseFailed, fmt::format("{} is no list of at most {} tokens", path.string(), kNamedTokensMax)};
    }
    std::vector<NamedToken> tokens;
    for (const json& row : file["tokens"]) {
        auto token = from_json(row);
        if (!token) {
            return Error{ErrorCode::ParseFailed, fmt::format("{}: token {} cannot be read", path.string(), tokens.size() + 1)};
        }
        tokens.push_back(std::move(*token));
    }
    return tokens;
}

Result<std::string> create_named_token(const std::filesystem::path& path, const NewToken& wanted, Clock& clock) {
    const FileDescriptor lock = TRY(lock_of(path));
    std::vector<NamedToken> tokens = TRY(read_named_tokens(path));
    TRY(check_wanted(wanted, tokens));
    std::string secret = TRY(random_hex(kTokenBytes));
    const WallTime now = clock.wall_now();
    std::optional<WallTime> expires;
    if (wanted.life) {
        expires = std::chrono::ceil<std::chrono::seconds>(now + std::chrono::duration_cast<WallTime::duration>(*wanted.life)); // as the file counts; a life is never cut short
    }
    tokens.push_back({wanted.name, to_hex(sha256(secret)), wanted.scopes, now, expires});
    TRY(write_tokens(path, tokens));
    return secret;
}

Result<void> revoke_named_token(const std::filesystem::path& path, std::string_view name) {
    const FileDescriptor lock = TRY(lock_of(path));
    std::vector<NamedToken> tokens = TRY(read_named_tokens(path));
    if (std::erase_if(tokens, [&](const NamedToken& token) { return token.name == name; }) == 0) {
        return Error{ErrorCode::NotFound, fmt::format("there is no token \"{}\"", name)};
    }
    return write_tokens(path, tokens);
}

Result<std::optional<Duration>> parse_token_life(std::string_view text) {
    constexpr std::int64_t kYears = 10;
    constexpr std::int64_t kSecondsMax = kYears * 366 * 86'400;
    if (text == "never") {
        return std::optional<Duration>();
    }
    std::int64_t count = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const std::int64_t factor = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
    if (problem != std::errc() || factor == 0 || count <= 0 || count > kSecondsMax / factor) {
        return Error{ErrorCode::InvalidArgument,
                     fmt::format("\"{}\" is no length of time: 90s, 15m, 12h, 7d or never, at most {} years", text, kYears)};
    }
    return std::optional<Duration>(std::chrono::seconds(count * factor));
}

} // namespace handeye
