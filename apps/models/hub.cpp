// SPDX-License-Identifier: Apache-2.0
#include "apps/models/hub.h"

#include "base/file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <set>

#include <fmt/format.h>

namespace handeye {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::array kLayouts{
    HubLayout{"huggingface", "https://huggingface.co", "main", true},
    HubLayout{"modelscope", "https://www.modelscope.cn", "master", false},
};

bool is_this_machine(const Endpoint& endpoint) { return endpoint.host == "127.0.0.1" || endpoint.host == "localhost" || endpoint.host == "::1"; }

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

std::filesystem::path default_token_file() {
    if (const char* const path = std::getenv("HF_TOKEN_PATH"); path != nullptr && path[0] != '\0') {
        return path;
    }
    if (const char* const home = std::getenv("HF_HOME"); home != nullptr && home[0] != '\0') {
        return std::filesystem::path(home) / "token";
    }
    const char* const home = std::getenv("HOME");
    return std::filesystem::path(home != nullptr ? home : "/") / ".cache/huggingface/token";
}

} // namespace

std::span<const HubLayout> hub_layouts() { return kLayouts; }

Result<std::string> read_hub_token(const std::filesystem::path& file) {
    std::string token;
    std::string origin = "HF_TOKEN";
    if (const char* const set = std::getenv("HF_TOKEN"); file.empty() && set != nullptr && set[0] != '\0') {
        token = set;
    } else {
        const std::filesystem::path path = file.empty() ? default_token_file() : file;
        origin = path.string();
        auto text = read_file(path, kTokenBytesMax);
        if (!text && file.empty() && text.error().code == ErrorCode::NotFound) {
            return std::string();
        }
        token = TRY(std::move(text).with_context("the hub's token"));
    }
    while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back())) != 0) {
        token.pop_back();
    }
    if (token.empty() || token.size() > kTokenBytesMax || !std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7F'; })) {
        return Error{ErrorCode::InvalidArgument, fmt::format("the hub's token: {} does not hold one line of printable characters", origin)};
    }
    return token;
}

Result<void> check_status(const HttpHead& head, const std::string& what) {
    switch (head.status) {
    case 200:
    case 206: return {};
    case 401:
    case 403: return Error{ErrorCode::PermissionDenied, fmt::format("{}: the hub says no ({}): it wants a token (HF_TOKEN; without TLS only --token-file), or its terms accepted on the model's page", what, head.status)};
    case 404: return Error{ErrorCode::NotFound, fmt::format("{}: the hub does not have it (404)", what)};
    case 429: return Error{ErrorCode::Unavailable, fmt::format("{}: too many requests (429)", what)};
    default: break;
    }
    return Error{head.status >= 500 ? ErrorCode::Unavailable : ErrorCode::ParseFailed, fmt::format("{}: the hub answers {}", what, head.status)};
}

std::string percent_encoded(std::string_view path) {
    std::string out;
    for (const char c : path) {
        const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-._~/").find(c) != std::string_view::npos;
        out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Hub::Hub(const HubLayout& layout, HttpUrl base, const HubOptions& options) : layout_(&layout), base_(std::move(base)), options_(options), revision_(layout.revision) {}

Result<Hub> Hub::open(const HubOptions& options) {
    const auto layout = std::find_if(kLayouts.begin(), kLayouts.end(), [&](const HubLayout& one) { return one.name == options.hub; });
    if (layout == kLayouts.end()) {
        return Error{ErrorCode::InvalidArgument, fmt::format("there is no hub \"{}\"; there are huggingface and modelscope", options.hub)};
    }
    HttpUrl base = TRY(parse_http_url(options.endpoint.empty() ? layout->endpoint : options.endpoint).with_context("--endpoint"));
    while (base.target.ends_with('/')) {
        base.target.pop_back();
    }
    return Hub(*layout, std::move(base), options);
}

HttpUrl Hub::url(const std::string& target) const { return {base_.endpoint, base_.target + target}; }

Result<HttpHead> Hub::follow(HttpUrl at, const HttpGetOptions& options, const HttpSink& sink, const std::stop_token& stop) const {
    for (int i = 0; i <= kRedirectsMax; ++i) {
        HttpGetOptions here = options;
        const bool is_home = to_string(at.endpoint) == to_string(base_.endpoint);
        if (is_home && layout_->takes_token && !options_.token.empty() && (at.endpoint.is_tls || (options_.is_token_given && is_this_machine(at.endpoint)))) {
            here.fields.emplace_back("Authorization", "Bearer " + options_.token);
        }
        std::string location;
        const HttpSink aware{.on_head = [&](const HttpHead& head) -> Result<HttpBody> {
                                 if (is_redirect(head.status)) {
                                     location = head.field("location");
                                     return HttpBody::Unwanted;
                                 }
                                 return sink.on_head(head);
                             },
                             .on_body = sink.on_body};
        HttpHead head = TRY(http_get(at, here, aware, stop));
        if (!is_redirect(head.status)) {
            return head;
        }
        at = TRY(redirected(at, location));
    }
    return Error{ErrorCode::LimitExceeded, fmt::format("{}: more than {} redirects", origin(), kRedirectsMax)};
}

Result<Hub::Text> Hub::text(const HttpUrl& at, const std::stop_token& stop) const {
    Text out;
    const std::string what = fmt::format("{}{}", origin_of(at), at.target.substr(0, at.target.find('?')));
    const HttpSink sink{.on_head = [&](const HttpHead& head) -> Result<HttpBody> {
                            TRY(check_status(head, what));
                            out.next = next_page(head.field("link"));
                            return HttpBody::Wanted;
                        },
                        .on_body = [&](std::span<const std::uint8_t> piece) -> Result<void> {
                            out.body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
                            return {};
                        }};
    const HttpGetOptions options{.tls = {.ca_file = options_.ca_file}, .idle_timeout = options_.idle_timeout, .body_bytes_max = kListingBytesMax};
    TRY(follow(at, options, sink, stop));
    return out;
}

Result<std::vector<HubFile>> Hub::list_pages(const std::string& id, const std::stop_token& stop) const {
    std::vector<HubFile> files;
    std::set<std::string> seen;
    HttpUrl at = url(fmt::format("/api/models/{}/tree/{}?recursive=true", id, revision_));
    for (int page = 0; page < kListingPagesMax; ++page) {
        const Text answer = TRY(text(at, stop));
        std::vector<HubFile> more = TRY(parse_huggingface_tree(answer.body));
        for (HubFile& file : more) {
            if (!seen.insert(file.path).second) {
                return Error{ErrorCode::ParseFailed, fmt::format("the hub's listing: {} is there twice", file.path)};
            }
            files.push_back(std::move(file));
        }
        if (answer.next.empty()) {
            return files;
        }
        if (files.size() > kListingFilesMax) {
            return Error{ErrorCode::LimitExceeded, fmt::format("the hub's listing has more than {} files", kListingFilesMax)};
        }
        at = TRY(redirected(at, answer.next));
        if (to_string(at.endpoint) != to_string(base_.endpoint)) {
            return Error{ErrorCode::PermissionDenied, fmt::format("the hub's listing goes on at {}, another place", origin_of(at))};
        }
    }
    return Error{ErrorCode::LimitExceeded, fmt::format("the hub's listing has more than {} pages", kListingPagesMax)};
}

Result<std::vector<HubFile>> Hub::list(const std::string& id, const std::stop_token& stop) {
    if (layout_->name == "modelscope") {
        const Text answer = TRY(text(url(fmt::format("/api/v1/models/{}/repo/files?Revision={}&Recursive=true", id, revision_)), stop));
        return parse_modelscope_files(answer.body);
    }
    // One commit for the listing and every file of it, whatever is pushed meanwhile.
    const Text answer = TRY(text(url(fmt::format("/api/models/{}/revision/{}", id, layout_->revision)), stop));
    revision_ = TRY(parse_huggingface_revision(answer.body));
    return list_pages(id, stop);
}

Result<HttpHead> Hub::fetch(const std::string& id, const HubFile& file, const Range& range, const HttpSink& sink, const std::stop_token& stop) const {
    const std::string path = percent_encoded(file.path);
    const HttpUrl at = url(layout_->name == "modelscope" ? fmt::format("/api/v1/models/{}/repo?Revision={}&FilePath={}", id, revision_, path)
                                                         : fmt::format("/{}/resolve/{}/{}", id, revision_, path));
    HttpGetOptions options{.tls = {.ca_file = options_.ca_file}, .idle_timeout = options_.idle_timeout, .body_bytes_max = range.bytes_max};
    if (range.is_prefix) {
        options.fields.emplace_back("Range", fmt::format("bytes=0-{}", range.bytes_max - 1));
    } else if (range.from > 0) {
        options.fields.emplace_back("Range", fmt::format("bytes={}-", range.from));
        if (!range.if_range.empty()) {
            options.fields.emplace_back("If-Range", range.if_range);
        }
    }
    return follow(at, options, sink, stop);
}

} // namespace handeye
