// SPDX-License-Identifier: Apache-2.0
// Requests to one server: with the key, over TLS as the options say, and read within bounds.
#pragma once

#include "base/net/http_stream.h"
#include "base/result.h"
#include "remote/options.h"
#include "remote/retry.h"
#include "remote/served_model.h"

#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace handeye {

template <class T>
using Outcome = std::variant<T, Failure>;

/// Any thread. Borrows the options.
class Caller {
public:
    explicit Caller(const RemoteOptions& options) : options_(options) {}

    enum class Place {
        Base, ///< below the address: ".../v1/models"
        Root, ///< beside "/v1": "/health", "/tokenize"
    };
    struct Reply {
        HttpHead head;
        std::string body;
    };
    /// Everything read, at most `bytes_max` of a body: longer ones are Lost. Any status is a reply. An empty `json` is a GET.
    [[nodiscard]] Outcome<Reply> ask(const RemoteAddress& address, Place place, std::string_view path, std::string_view json, const StreamWait& wait, std::size_t bytes_max) const;
    /// Connects and sends; the head is read next.
    [[nodiscard]] Outcome<std::unique_ptr<HttpStream>> start(const RemoteAddress& address, Place place, std::string_view path, std::string_view json, const std::string& session,
                                                             const StreamWait& wait) const;
    /// Whether it is healthy, where it tells, and what it serves.
    [[nodiscard]] Outcome<ServedModel> look_at(const RemoteAddress& address, const std::stop_token& stop) const;

    [[nodiscard]] const RemoteOptions& options() const { return options_; }

private:
    const RemoteOptions& options_;
};

/// The rest of a body, at most so much of it; what is longer is cut. For complaints.
std::string read_rest(HttpStream& stream, std::size_t bytes_max, const StreamWait& wait);
/// A connection that failed: Silent where it took too long.
Failure failure_of(const Error& error);

} // namespace handeye
