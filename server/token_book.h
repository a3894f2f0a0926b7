// SPDX-License-Identifier: Apache-2.0
// What opens the daemon over TCP at this moment: the token of the token file, and the named ones. The I/O thread only.
#pragma once

#include "base/clock.h"
#include "server/scope.h"
#include "server/token_file.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

class TokenBook {
public:
    /// What a token that was shown allows. `sha256` stands for it from then on: no connection keeps the token itself.
    struct Grant {
        std::string sha256;
        std::string name; ///< empty: the one of the token file
        ScopeSet scopes;
        std::optional<WallTime> expires;
    };
    enum class Standing { Valid, Expired, Unknown };

    /// `file` empty: there are no named ones.
    TokenBook(const std::string& main_token, std::filesystem::path file, Clock& clock);

    /// Another token file's token; the one before it opens nothing any more.
    void set_main_token(const std::string& token);
    /// Reads the file of named tokens if it is another than last time. One that cannot be read opens nothing.
    void refresh();
    /// nullopt when nothing here has this token, or it has expired (`*is_expired` says that).
    [[nodiscard]] std::optional<Grant> find(std::string_view token, bool* is_expired = nullptr);
    [[nodiscard]] Standing standing(const std::string& sha256) const;

private:
    struct Stamp {
        std::int64_t inode = -1;
        std::int64_t size = -1;
        std::int64_t changed_ns = -1;
        bool operator==(const Stamp&) const = default;
    };
    [[nodiscard]] Stamp stamp() const;

    const std::filesystem::path file_;
    Clock& clock_;
    std::optional<Grant> main_;
    std::vector<Grant> named_;
    Stamp seen_;
};

} // namespace handeye
