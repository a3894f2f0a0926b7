// SPDX-License-Identifier: Apache-2.0
// Hugging Face and ModelScope over HTTP: what a model consists of, and its files. One thread.
#pragma once

#include "apps/models/hub_listing.h"
#include "base/net/http_get.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace handeye {

/// How one hub lays out its URLs; a new one is a row of the table in hub.cpp.
struct HubLayout {
    std::string_view name;     ///< "huggingface"
    std::string_view endpoint; ///< where it is
    std::string_view revision; ///< what "the newest" is called
    bool takes_token = false;  ///< HF_TOKEN is a secret for this hub alone
};
std::span<const HubLayout> hub_layouts();

struct HubOptions {
    std::string hub = "huggingface";
    std::string endpoint;          ///< "https://..."; empty: the hub's own. http: only where it is said so here
    std::string token;             ///< empty: none. Sent to the endpoint's own origin only, through TLS or, when it was given, to this machine
    bool is_token_given = false;   ///< for this pull, not found where tools keep one
    std::filesystem::path ca_file; ///< PEM; empty: the system's authorities
    Duration idle_timeout = std::chrono::seconds(60);
};

/// The token of HF_TOKEN, else of the file (empty: $HF_TOKEN_PATH, $HF_HOME/token, ~/.cache/huggingface/token); empty: there is none.
/// No message holds it.
Result<std::string> read_hub_token(const std::filesystem::path& file);

class Hub {
public:
    /// InvalidArgument for an unknown hub or an endpoint that is no URL.
    static Result<Hub> open(const HubOptions& options);

    /// All files of a model at its newest revision, which later fetch() calls stay with.
    Result<std::vector<HubFile>> list(const std::string& id, const std::stop_token& stop);

    struct Range {
        std::uint64_t from = 0;
        std::uint64_t bytes_max = 0; ///< of the body
        bool is_prefix = false;      ///< only the first bytes_max of them are asked for
        std::string if_range;        ///< the entity tag that `from` counts on; empty: none
    };
    /// GET of one file. The sink hears the final answer, not the redirects to it. Errors besides http_get()'s: PermissionDenied
    /// for a redirect that leaves https, LimitExceeded for too many.
    Result<HttpHead> fetch(const std::string& id, const HubFile& file, const Range& range, const HttpSink& sink, const std::stop_token& stop) const;

    [[nodiscard]] const std::string& revision() const { return revision_; }
    [[nodiscard]] std::string origin() const { return origin_of(base_); }

private:
    Hub(const HubLayout& layout, HttpUrl base, const HubOptions& options);
    [[nodiscard]] HttpUrl url(const std::string& target) const;
    Result<HttpHead> follow(HttpUrl at, const HttpGetOptions& options, const HttpSink& sink, const std::stop_token& stop) const;
    struct Text {
        std::string body;
        std::string next; ///< of a paged listing
    };
    Result<Text> text(const HttpUrl& at, const std::stop_token& stop) const;
    Result<std::vector<HubFile>> list_pages(const std::string& id, const std::stop_token& stop) const;

    const HubLayout* layout_;
    HttpUrl base_;
    HubOptions options_;
    std::string revision_;
};

/// What an answer's status means for who wants a file: nothing for 200 and 206.
Result<void> check_status(const HttpHead& head, const std::string& what);

/// For a URL: everything but letters, digits, "-._~" and "/" as %XX.
std::string percent_encoded(std::string_view path);

} // namespace handeye
