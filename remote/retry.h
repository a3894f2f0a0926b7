// SPDX-License-Identifier: Apache-2.0
// When to ask again, and whom. Pure.
#pragma once

#include "base/clock.h"
#include "base/net/http_stream.h"
#include "base/result.h"
#include "remote/chunk.h"

#include <optional>
#include <string>
#include <string_view>

namespace handeye {

/// Why one server did not answer one question.
struct Failure {
    enum class Kind {
        Final,    ///< no server would answer it otherwise: the question is wrong, or too long
        Unusable, ///< this server will not, now or later: the key, the model's name, the path
        Busy,     ///< it may in a moment: 429, and 503 of one that loads its model or says when
        Lost,     ///< no connection, a connection that broke, an error of its own, nothing that can be read
        Silent,   ///< nothing came in time: asking it once more would take as long
    };
    Kind kind = Kind::Lost;
    Error error;
    std::optional<Duration> retry_after; ///< as the server says
};

/// A status that is no answer, in the server's words, which are cut. The key, should they hold it, is taken out.
/// What a server says, without the key that it may repeat: before anything of it is read, shown, written down or cut.
std::string without_key(std::string text, const std::string& key);

Failure failure_of(const HttpHead& head, const ServerComplaint& complaint, const std::string& api_key);
/// What a stream says in the middle.
Failure failure_of(const ServerComplaint& complaint, const std::string& api_key);

/// "120", or a date (RFC 9110, 10.2.3), which `now` turns into a time from now; nullopt: neither.
std::optional<Duration> parse_retry_after(std::string_view text, WallTime now);

/// The pause before round `round` (1: the second try): first, doubled each time up to max, less up to a half by `chance` in [0, 1).
Duration back_off(int round, Duration first, Duration max, double chance);

} // namespace handeye
