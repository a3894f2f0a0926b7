// SPDX-License-Identifier: Apache-2.0
#include "server/token_book.h"

#include "base/hash.h"
#include "base/log.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace handeye {
namespace {

bool has_expired(const TokenBook::Grant& grant, WallTime now) { return grant.expires && now >= *grant.expires; }

} // namespace

TokenBook::TokenBook(const std::string& main_token, std::filesystem::path file, Clock& clock) : file_(std::move(file)), clock_(clock) {
    set_main_token(main_token);
    refresh();
}

void TokenBook::set_main_token(const std::string& token) {
    main_.reset();
    if (!token.empty()) {
        main_ = Grant{to_hex(sha256(token)), "", ScopeSet::all(), std::nullopt};
    }
}

TokenBook::Stamp TokenBook::stamp() const {
    struct stat facts {};
    if (file_.empty() || ::stat(file_.c_str(), &facts) != 0) {
        return {};
    }
    constexpr std::int64_t kNanoseconds = 1'000'000'000;
    return {static_cast<std::int64_t>(facts.st_ino), facts.st_size, facts.st_ctim.tv_sec * kNanoseconds + facts.st_ctim.tv_nsec};
}

void TokenBook::refresh() {
    const Stamp now = stamp();
    if (now == seen_) {
        return;
    }
    seen_ = now;
    named_.clear();
    const auto tokens = now == Stamp{} ? Result<std::vector<NamedToken>>(std::vector<NamedToken>()) : read_named_tokens(file_);
    if (!tokens) {
        log::error("server", fmt::format("no named token opens anything: {}", tokens.error().message));
        return;
    }
    for (const NamedToken& token : *tokens) {
        Grant grant{token.sha256, token.name, {}, token.expires};
        for (const std::string& scope : token.scopes) {
            grant.scopes.add(*find_scope(scope));
        }
        named_.push_back(std::move(grant));
    }
    log::info("server", fmt::format("{} named tokens are known", named_.size()));
}

// Sums are compared, not tokens: the time that takes tells nothing that leads to a token.
std::optional<TokenBook::Grant> TokenBook::find(std::string_view token, bool* is_expired) {
    refresh();
    const std::string sum = to_hex(sha256(token));
    std::optional<Grant> found;
    if (main_ && equal_constant_time(sum, main_->sha256)) {
        found = main_;
    }
    for (const Grant& grant : named_) {
        if (equal_constant_time(sum, grant.sha256)) {
            found = grant;
        }
    }
    if (found && has_expired(*found, clock_.wall_now())) {
        if (is_expired != nullptr) {
            *is_expired = true;
        }
        return std::nullopt;
    }
    return found;
}

TokenBook::Standing TokenBook::standing(const std::string& sha256) const {
    if (main_ && main_->sha256 == sha256) {
        return Standing::Valid;
    }
    for (const Grant& grant : named_) {
        if (grant.sha256 == sha256) {
            return has_expired(grant, clock_.wall_now()) ? Standing::Expired : Standing::Valid;
        }
    }
    return Standing::Unknown;
}

} // namespace handeye
